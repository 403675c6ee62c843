"""The tiles of a split as a policy buys from them: what each patch holds, and what is expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.counts import Counts, Reading
from models.grid import GRID, PATCHES
from models.symmetry import dihedral_patches
from training.data.object_scenes import ObjectScene


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
    """Mean number of objects in each patch of the tiles that were learnt from, float64 (16,)."""
    read: Tensor
    """Number of objects that the counter reads in each patch if it is bought, float64 (N, 16)."""
    read_variance: Tensor
    """Variance of that reading, float64 (N, 16)."""
    texture: Tensor
    """Standard deviation of the LR brightness, float64 (N, 16)."""

    def __len__(self) -> int:
        return len(self.sites)


def tiles_of(
    scenes: Sequence[ObjectScene],
    expected: Sequence[Counts],
    readings: Sequence[Reading],
    learnt: Sequence[ObjectScene],
    lr_size: int,
) -> ObjectTiles:
    """Lay out what is known of scenes by tile; `expected` and `readings` hold (1, R, C) per scene.

    `learnt` are the scenes that the policy was trained on.
    """
    fields: dict[str, list[Tensor]] = {}
    for scene, counts, reading in zip(scenes, expected, readings, strict=True):
        maps = {
            "counts": torch.from_numpy(scene.counts),
            "mean": counts.mean[0],
            "variance": counts.variance[0],
            "presence": counts.presence[0],
            "read": reading.mean[0],
            "read_variance": reading.variance[0],
            "texture": lr_texture(scene, lr_size // GRID),
        }
        for name, values in maps.items():
            fields.setdefault(name, []).append(by_tile(values.double().cpu(), scene.turns))
    before = [by_tile(torch.from_numpy(scene.counts).double(), scene.turns) for scene in learnt]
    return ObjectTiles(
        learnt_counts=torch.cat(before).mean(0),
        sites=tuple(scene.site for scene in scenes for _ in scene.turns),
        **{name: torch.cat(parts) for name, parts in fields.items()},
    )


def by_tile(values: Tensor, turns: Sequence[int]) -> Tensor:
    """Cut a map of patches (R, C) into its tiles (T, 16), row by row, each turned by its symmetry."""
    rows, columns = (side // GRID for side in values.shape)
    # (tile row, row, tile column, column) -> (tile row, tile column, column, row): column-major patches.
    tiles = values.reshape(rows, GRID, columns, GRID).permute(0, 2, 3, 1).reshape(-1, PATCHES)
    return torch.stack([dihedral_patches(tile[None], k)[0] for tile, k in zip(tiles, turns, strict=True)])


def lr_texture(scene: ObjectScene, patch_px: int) -> Tensor:
    """Return the standard deviation of the LR brightness in each patch of a scene (R, C)."""
    brightness = scene.lr().double().mean(0)  # (3, H, W) -> (H, W)
    rows, columns = (side // patch_px for side in brightness.shape)
    return brightness.reshape(rows, patch_px, columns, patch_px).std(dim=(1, 3))
