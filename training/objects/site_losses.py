"""Losses of sites by threshold: what is lost when every patch whose value reaches it is bought."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.objects.guarantee import Losses
from training.objects.outcome import found, labels_right
from training.objects.tiles import ObjectTiles

THRESHOLDS: tuple[float, ...] = (0.0, *(float(f"{value:.6g}") for value in np.geomspace(1e-5, 10.0, 97)))
"""Thresholds to test, from the safest one on, which buys everything. They do not depend on the data."""


@dataclass(frozen=True, kw_only=True)
class SiteLosses:
    """Losses and costs (T, sites) by threshold, safest first."""

    objects: Losses
    """Share of a site's objects in patches that are not bought; 0 at a site without objects."""
    labels: Losses
    """Share of a site's tiles whose label is right with every patch bought, and wrong with these."""
    patches: Losses
    """Mean number of patches bought per tile."""


def site_losses(
    tiles: ObjectTiles, values: Tensor, bins: Sequence[int], thresholds: Sequence[float] = THRESHOLDS
) -> SiteLosses:
    """Return the losses of each site, in the order of their names; `values` float64 (N, 16)."""
    names, index = np.unique(np.array(tiles.sites), return_inverse=True)

    def by_site(each: Tensor) -> Losses:
        sums: Losses = np.bincount(index, each.numpy(), len(names)).astype(np.float64)
        return sums

    ones = torch.ones(len(tiles), dtype=torch.float64)
    total, size = by_site(tiles.counts.sum(1)), by_site(ones)
    best = labels_right(tiles, torch.ones_like(values, dtype=torch.bool), bins)
    rows = []
    for threshold in thresholds:
        bought = values >= threshold
        wrong = best * (1 - labels_right(tiles, bought, bins))
        rows.append(
            (
                1 - by_site(found(tiles, bought)) / np.maximum(total, 1e-9) - (total == 0),
                by_site(wrong) / size,
                by_site(bought.double().sum(1)) / size,
            )
        )
    objects, labels, patches = (np.stack(column) for column in zip(*rows, strict=True))
    return SiteLosses(objects=objects.clip(0, 1), labels=labels, patches=patches)
