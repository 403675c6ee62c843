"""Expected counts of a scene revised by what was read in some of its patches."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.counts import Counts
from models.second_look import SecondLook, Sight, revise
from service.bundles.counting import Mask, counts_of, map_of_patches, patches_by_tile
from service.bundles.predictor import ExpectedCounts


def revise_counts(
    first: ExpectedCounts, readings: ExpectedCounts, older: Mask, columns: int, look: SecondLook
) -> ExpectedCounts:
    """Revise the counts (T, 16) that LR led to by readings (T, 16), NaN in patches that were not read.

    Tiles are listed row by row, `columns` in a row. `older` (T, 16) marks readings that may be of an earlier
    date. Patches that were read are revised, too, by themselves and by others.
    """

    def as_map(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(map_of_patches(values, columns)))[None]

    counts, read = counts_of(first), ~np.isnan(readings.mean)
    found = as_map(np.nan_to_num(readings.mean))
    sight = Sight(
        bought=as_map(read & ~older), observed=found, known_before=as_map(read & older), before=found
    )
    scene = Counts(mean=as_map(counts.mean.numpy()), dispersion=as_map(counts.dispersion.numpy()))
    revised = revise(scene, sight, look)
    mean, variance = (
        patches_by_tile(part[0].numpy()).astype(np.float32) for part in (revised.mean, revised.variance)
    )
    return ExpectedCounts(mean=mean, variance=variance)
