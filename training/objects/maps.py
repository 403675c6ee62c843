"""Scenes as one training run sees them: what each patch holds, what LR makes expect, what HR would show.

Rows of the table choose patches of some size, 1, 2 or 4 times that of the data set. Whatever the size, a
choice is a mask of the data set's own patches, so that objects, labels, counts and bills are always of the
same tiles.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.counts import Counts, Reading
from models.grid import GRID, PATCHES
from models.symmetry import SYMMETRIES
from training.data.object_scenes import ObjectScene
from training.objects.tiles import LAYERS, ObjectTiles, by_scene, by_tile

FACTORS = (1, 2, 4)
"""Sides of the patches to choose, in patches of the data set."""

Mask = NDArray[np.bool_]
"""Bought patches of a scene (R, C), in patches of the data set."""


@dataclass(frozen=True, kw_only=True)
class SceneMap:
    """One scene, with a value for each of its patches in every layer."""

    name: str
    site: str
    turns: tuple[int, ...]
    """Symmetry by which each tile is turned, row by row."""
    layers: Mapping[str, Tensor]
    """LAYERS and `brightness`, the mean of the LR pixels: float64 (R, C)."""
    learnt: Mapping[int, Tensor]
    """Mean number of objects by patch of a tile, over the scenes that were learnt from, by factor: (16,)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = self.layers["counts"].shape
        return rows, columns


def maps_of(
    scenes: Sequence[ObjectScene],
    expected: Sequence[Counts],
    readings: Sequence[Reading],
    learnt: Sequence[ObjectScene],
    lr_size: int,
) -> tuple[SceneMap, ...]:
    """Lay out what is known of scenes; `expected` and `readings` hold (1, R, C) per scene.

    `learnt` are the scenes that the policy was trained on.
    """
    orders = {factor: _learnt_counts(learnt, factor) for factor in FACTORS}
    maps = []
    for scene, counts, reading in zip(scenes, expected, readings, strict=True):
        brightness, texture = lr_brightness(scene, lr_size // GRID)
        layers = {
            "counts": torch.from_numpy(scene.counts),
            "mean": counts.mean[0],
            "variance": counts.variance[0],
            "presence": counts.presence[0],
            "read": reading.mean[0],
            "read_variance": reading.variance[0],
            "texture": texture,
            "brightness": brightness,
        }
        exact = {name: values.double().cpu() for name, values in layers.items()}
        maps.append(
            SceneMap(name=scene.name, site=scene.site, turns=scene.turns, layers=exact, learnt=orders)
        )
    return tuple(maps)


def exact(scene: ObjectScene) -> Reading:
    """Return readings (1, R, C) of a scene without any error."""
    counts = torch.from_numpy(scene.counts)[None].double()
    return Reading(mean=counts, variance=torch.zeros_like(counts))


def lr_brightness(scene: ObjectScene, patch_px: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the LR brightness in each patch of a scene, both (R, C)."""
    pixels = scene.lr().double().mean(0)  # (3, H, W) -> (H, W)
    rows, columns = (side // patch_px for side in pixels.shape)
    patches = pixels.reshape(rows, patch_px, columns, patch_px)
    return patches.mean(dim=(1, 3)), patches.std(dim=(1, 3), correction=0)


def tiles_of(maps: Sequence[SceneMap], factor: int = 1) -> ObjectTiles:
    """Cut scenes into tiles of 16 patches, each of `factor` patches of the data set a side.

    A scene that does not hold such a tile has none; the rest of a scene at its right and lower edge is left.
    """
    fields: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
    sites: list[str] = []
    learnt = []
    for scene in maps:
        turns = turns_of(scene, factor)
        for name, values in coarser(scene, factor).items() if turns else ():
            if name in fields:
                fields[name].append(by_tile(values, turns))
        sites += [scene.site] * len(turns)
        learnt.append(scene.learnt[factor].expand(len(turns), PATCHES))
    empty = torch.empty(0, PATCHES, dtype=torch.float64)
    return ObjectTiles(
        learnt_counts=torch.cat([empty, *learnt]),
        sites=tuple(sites),
        **{name: torch.cat([empty, *parts]) for name, parts in fields.items()},
    )


def masks_of(maps: Sequence[SceneMap], bought: Tensor, factor: int = 1) -> list[Mask]:
    """Lay the choice bool (N, 16) of the tiles of `tiles_of` over the scenes, in patches of the data set."""
    masks, start = [], 0
    for scene in maps:
        turns = turns_of(scene, factor)
        chosen = np.zeros((0, 0), np.bool_)
        if turns:
            columns = scene.shape[1] // (GRID * factor)
            chosen = by_scene(bought[start : start + len(turns)], turns, columns).numpy()
        masks.append(enlarged(chosen, factor, scene.shape))
        start += len(turns)
    return masks


def enlarged(chosen: Mask, factor: int, shape: tuple[int, int]) -> Mask:
    """Return chosen patches of `factor` patches a side as a mask of a scene of some shape."""
    fine = np.kron(chosen, np.ones((factor, factor), np.bool_))
    mask = np.zeros(shape, np.bool_)
    mask[: fine.shape[0], : fine.shape[1]] = fine
    return mask


def bought_of(maps: Sequence[SceneMap], masks: Sequence[Mask]) -> Tensor:
    """Return masks of scenes as the choice bool (N, 16) of the data set's own tiles."""
    return torch.cat(
        [by_tile(torch.from_numpy(mask), scene.turns) for scene, mask in zip(maps, masks, strict=True)]
    )


def coarser(scene: SceneMap, factor: int) -> dict[str, Tensor]:
    """Return the layers of a scene by patches of `factor` patches a side, whole tiles of them."""
    if factor == 1:
        return dict(scene.layers)
    blocks = {name: _blocks(values, factor) for name, values in scene.layers.items()}
    layers = {name: values.sum(-1) for name, values in blocks.items()}
    # The patches of a block count as independent: what is expected of one is all that LR says about it.
    layers["presence"] = 1 - (1 - blocks["presence"]).prod(-1)
    layers["brightness"] = blocks["brightness"].mean(-1)
    squares = (blocks["texture"].square() + blocks["brightness"].square()).mean(-1)
    layers["texture"] = (squares - layers["brightness"].square()).clamp_min(0).sqrt()
    return layers


def turns_of(scene: SceneMap, factor: int) -> tuple[int, ...]:
    """Return the symmetry of each tile of patches of some size: those of the data set, or drawn by name."""
    if factor == 1:
        return scene.turns
    rows, columns = (side // (GRID * factor) for side in scene.shape)
    seed = int.from_bytes(hashlib.sha256(f"{scene.name} {factor}".encode()).digest()[:8])
    return tuple(np.random.default_rng(seed).integers(0, SYMMETRIES, rows * columns).tolist())


def _blocks(values: Tensor, factor: int) -> Tensor:
    """Group patches (R, C) into blocks (R', C', factor ** 2), in whole tiles of 4 x 4 blocks."""
    rows, columns = (GRID * (side // (GRID * factor)) for side in values.shape)
    kept = values[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return kept.permute(0, 2, 1, 3).reshape(rows, columns, factor * factor)


def _learnt_counts(scenes: Sequence[ObjectScene], factor: int) -> Tensor:
    """Return the mean number of objects in each patch of a tile: float64 (16,); zeros without such tiles."""
    maps = [
        SceneMap(
            name=scene.name,
            site=scene.site,
            turns=scene.turns,
            layers={"counts": torch.from_numpy(scene.counts).double()},
            learnt={},
        )
        for scene in scenes
    ]
    empty = torch.zeros(0, PATCHES, dtype=torch.float64)
    parts = [by_tile(_counts(one, factor), turns_of(one, factor)) for one in maps if turns_of(one, factor)]
    tiles = torch.cat([empty, *parts])
    return tiles.mean(0) if len(tiles) else torch.zeros(PATCHES, dtype=torch.float64)


def _counts(scene: SceneMap, factor: int) -> Tensor:
    counts = scene.layers["counts"]
    return counts if factor == 1 else _blocks(counts, factor).sum(-1)
