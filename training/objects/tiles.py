"""The tiles of a split as a policy buys from them: what each patch holds, and what is expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from models.grid import GRID, PATCHES
from models.symmetry import dihedral_patches, inverse


@dataclass(frozen=True, kw_only=True)
class ObjectTiles:
    """N tiles, each turned as the data set says, with their patches in column-major order."""

    sites: tuple[str, ...]
    counts: Tensor
    """Number of objects in each patch, float64 (N, 16)."""
    mean: Tensor
    """Expected number from LR, float64 (N, 16)."""
    variance: Tensor
    """Variance of that number, float64 (N, 16)."""
    presence: Tensor
    """Probability of at least one object, float64 (N, 16)."""
    learnt_counts: Tensor
    """Mean number of objects in each patch of the tiles that were learnt from, float64 (N, 16) or (16,)."""
    read: Tensor
    """Number of objects that the counter reads in each patch if it is bought, float64 (N, 16)."""
    read_variance: Tensor
    """Variance of that reading, float64 (N, 16)."""
    texture: Tensor
    """Standard deviation of the LR brightness, float64 (N, 16)."""

    def __len__(self) -> int:
        return len(self.sites)


LAYERS = tuple(field.name for field in fields(ObjectTiles) if field.name not in ("sites", "learnt_counts"))
"""Fields of ObjectTiles that have a value for each patch of a scene."""


def by_tile(values: Tensor, turns: Sequence[int]) -> Tensor:
    """Cut a map of patches (R, C) into its tiles (T, 16), row by row, each turned by its symmetry."""
    rows, columns = (side // GRID for side in values.shape)
    # (tile row, row, tile column, column) -> (tile row, tile column, column, row): column-major patches.
    tiles = values.reshape(rows, GRID, columns, GRID).permute(0, 2, 3, 1).reshape(-1, PATCHES)
    return torch.stack([dihedral_patches(tile[None], k)[0] for tile, k in zip(tiles, turns, strict=True)])


def by_scene(tiles: Tensor, turns: Sequence[int], columns: int) -> Tensor:
    """Join tiles (T, 16) to the map (R, C) that `by_tile` cuts them from; `columns` counts tiles."""
    turned = zip(tiles, turns, strict=True)
    straight = torch.stack([dihedral_patches(tile[None], inverse(k))[0] for tile, k in turned])
    # (tile row, tile column, column, row) -> (tile row, row, tile column, column)
    grid = straight.reshape(-1, columns, GRID, GRID).permute(0, 3, 1, 2)
    return grid.reshape(-1, GRID * columns)
