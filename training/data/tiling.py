"""Cutting of scenes with annotated objects into square tiles. Lengths are in metres."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from affine import Affine
from PIL import Image

from models.grid import GRID
from training.data.boxes import Centres, Objects
from training.data.footprints import SceneFile, boxes_in_pixels, read_scene
from training.data.images import DataError
from training.data.sensor import Pixels


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How scenes are cut. Lengths in metres."""

    tile_m: float
    lr_m: float
    bins: tuple[int, ...]
    """Smallest counts of the classes after the first: (1, 10) makes the classes 0, 1-9 and 10+."""
    seed: int
    sensor_gap: bool = True
    """Whether the simulated LR imitates another sensor and date, not averaging alone."""
    licence: str = ""

    @property
    def lr_size(self) -> int:
        """Side of a tile in LR pixels: the multiple of 4 nearest to tile_m / lr_m."""
        return GRID * max(1, round(self.tile_m / self.lr_m / GRID))

    def hr_size(self, pixel_m: float) -> int:
        """Side of a tile in HR pixels: the multiple of 32 nearest to its length in pixels.

        A patch then has a multiple of 8 pixels: whole cells of the stride 4 at which objects are counted.
        """
        return 32 * max(1, round(self.tile_m / pixel_m / 32))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their counts."""
        edges = (0, *self.bins)
        names = [f"{low}" if high - low == 1 else f"{low}-{high - 1}" for low, high in pairwise(edges)]
        return (*names, f"{edges[-1]}+")

    def class_of(self, count: int) -> str:
        """Return the class of a tile with `count` objects."""
        return self.classes[int(np.searchsorted(self.bins, count, side="right"))]


def class_bins(text: str) -> tuple[int, ...]:
    """Read the smallest counts of the classes above none, separated by commas. Raise ValueError otherwise."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"Classes are whole numbers separated by commas, such as 1,10, not {text!r}.")
    bins = tuple(int(part) for part in parts)
    if bins[0] < 1 or any(low >= high for low, high in pairwise(bins)):
        raise ValueError(f"Classes start at 1 or more and rise, such as 1,10; {text!r} does not.")
    return bins


@dataclass(frozen=True, kw_only=True)
class CutScene:
    """A scene cut to whole tiles: its pixels, and its objects in tiles from its upper left corner."""

    name: str
    columns: int
    rows: int
    hr: Pixels
    centres: Centres
    """Column and row (N, 2) in tiles: 1.5 is the middle of the second tile."""
    sizes: Centres
    """Width and height (N, 2) in tiles; 0 where only a point is known."""
    transform: Affine
    crs: str


def cut_scene(scene: SceneFile, objects: Objects, cut: Cut, hr_size: int) -> CutScene:
    """Read a scene, and cut the whole tiles from its middle. Raise DataError if it is smaller than a tile."""
    rows, columns = (int(side * scene.pixel_m / cut.tile_m + 1e-6) for side in scene.shape)
    if not rows or not columns:
        size = " x ".join(f"{side * scene.pixel_m:.0f}" for side in reversed(scene.shape))
        raise DataError(f"{scene.path} covers {size} m, less than a tile of {cut.tile_m:g} m.")
    tile_px = cut.tile_m / scene.pixel_m
    left, top = (scene.shape[1] - columns * tile_px) / 2, (scene.shape[0] - rows * tile_px) / 2
    box = (left, top, left + columns * tile_px, top + rows * tile_px)
    picture = Image.fromarray(np.moveaxis(read_scene(scene), 0, -1))
    resized = picture.resize((columns * hr_size, rows * hr_size), Image.Resampling.BOX, box=box)
    boxes = objects.by_scene.get(scene.name, np.empty((0, 4)))
    if objects.placed is not None:
        boxes = boxes_in_pixels(scene, objects.placed)
    inside = (boxes[:, :2] - (left, top)) / tile_px
    kept = ((inside >= 0) & (inside < (columns, rows))).all(axis=1)
    return CutScene(
        name=scene.name,
        columns=columns,
        rows=rows,
        hr=np.ascontiguousarray(np.moveaxis(np.array(resized), -1, 0)),
        centres=inside[kept],
        sizes=boxes[kept, 2:] / tile_px,
        transform=scene.transform @ Affine.translation(left, top) @ Affine.scale(tile_px / hr_size),
        crs=scene.crs,
    )
