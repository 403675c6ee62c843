"""Tiles whose objects are given by hand."""

import torch

from models.grid import PATCHES
from training.objects.tiles import ObjectTiles


def object_tiles(
    counts: list[dict[int, int]], mean: float = 0.01, sites: tuple[str, ...] = ()
) -> ObjectTiles:
    """Make tiles with the number of objects in some patches of each, all read exactly.

    The same `mean` is expected in every patch; each tile has a site of its own unless `sites` are given.
    """
    values = torch.zeros(len(counts), PATCHES, dtype=torch.float64)
    for row, tile in enumerate(counts):
        for patch, count in tile.items():
            values[row, patch] = count
    expected = torch.full_like(values, mean)
    return ObjectTiles(
        sites=sites or tuple(str(row) for row in range(len(counts))),
        counts=values,
        mean=expected,
        variance=expected * 1.5,
        presence=1 - torch.exp(-expected),
        learnt_counts=values.mean(0),
        read=values,
        read_variance=torch.zeros_like(values),
        texture=expected,
    )
