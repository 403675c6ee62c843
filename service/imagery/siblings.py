"""The evidence of an order's patches together: whether another sensor took the scene, and a shift of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID
from service.errors import LoupeWarning
from service.imagery.registration import Registration, place_best
from service.imagery.resemblance import CELLS, Pixels, average_cells
from service.imagery.tile_grid import TileGrid

LEAST_SIBLINGS = 4
"""Patches of an order from which its sensors are told apart."""

_LEAST_TOGETHER = 6  # patches from which a shift of all is found
_MOST_TOGETHER = 400
_SAME_SENSOR = 20.0  # misfit; the median over patches of the scene's own sensor is below 2
_REACH = 4  # cells
_AGREEING, _AT_MOST_PX = 0.5, 1.0  # share of large patches whose shift is within one LR pixel of the median
_EDGE = CELLS * GRID  # cells per side of a tile
_DISPLACED, _CLEARLY = 1.6, 1.3  # LR pixels, and the ratio of unexplained variances


@dataclass(frozen=True, kw_only=True)
class Sibling:
    """A patch of an order, and the figures of its likeness that tell of its sensors."""

    tile: int
    patch: int
    misfit: float
    cells: tuple[float, ...]  # the 12 colours of 2 x 2 cells
    place: tuple[float, float] | None  # shift of a patch of many LR pixels, to the right and down

    @classmethod
    def of(cls, place: tuple[int, int], figures: Mapping[str, Any]) -> "Sibling":
        """Read the figures of a likeness, as the checks of a delivery hold them."""
        found = figures.get("place")
        return cls(
            tile=place[0],
            patch=place[1],
            misfit=float(figures["misfit"]),
            cells=tuple(figures.get("cells") or ()),
            place=None if found is None else (float(found["right"]), float(found["down"])),
        )


def sensors_differ(misfits: Sequence[float]) -> bool:
    """Say whether the misfits of an order's patches show that another sensor took its scene."""
    return len(misfits) >= LEAST_SIBLINGS and float(np.median(misfits)) >= _SAME_SENSOR


@dataclass(frozen=True, kw_only=True)
class SharedShift:
    """A shift that the patches of an upload share: right and down, in LR pixels."""

    right: float
    down: float
    patches: int

    def includes(self, doubt: LoupeWarning) -> bool:
        """Say whether the doubt about a single patch is this shift."""
        place = doubt.figures.get("place") if doubt.code == "patch-displaced" else None
        if place is None:
            return False
        apart = np.hypot(place["right"] - self.right, place["down"] - self.down)
        return bool(apart <= _AT_MOST_PX)

    def doubt(self) -> LoupeWarning:
        """Return the warning about all patches."""
        across = f"{abs(self.right):.1f} LR pixels {'right' if self.right >= 0 else 'left'}"
        along = f"{abs(self.down):.1f} {'down' if self.down >= 0 else 'up'}"
        return LoupeWarning(
            code="patch-displaced",
            detail=f"The {self.patches} patches of this upload fit the scene better {across} and {along} of "
            "their places, all by the same shift. Check the georeference of the file and of the scene.",
            figures={"shift_lr_px": [self.right, self.down], "patches": self.patches},
        )


def find_shared_displacement(
    siblings: Sequence[Sibling], grid: TileGrid, scene: NDArray[np.uint8], *, differ: bool
) -> SharedShift | None:
    """Find a shift of more than 1.6 LR pixels that the patches of an upload share.

    Patches of few LR pixels whose scene is of their own sensor are judged one by one.
    """
    large = shared_shift_of_large(siblings)
    if large is not None and np.hypot(*large) > _DISPLACED:
        return SharedShift(right=round(large[0], 2), down=round(large[1], 2), patches=len(siblings))
    small = find_shared_shift(siblings, grid, scene) if differ and large is None else None
    if small is None or small.distance <= _DISPLACED or small.gain < _CLEARLY:
        return None
    side = grid.tile_px / _EDGE  # LR pixels of a cell
    return SharedShift(
        right=round(small.right * side, 2), down=round(small.down * side, 2), patches=len(siblings)
    )


def find_shared_shift(
    siblings: Sequence[Sibling], grid: TileGrid, scene: NDArray[np.uint8]
) -> Registration | None:
    """Find the shift of patches of few LR pixels that fits all of them best; None where they are too few.

    `scene` holds the LR pixels (T, 3, n, n) of all tiles. The shift is in cells of half a patch, of which
    every patch has four: together they show what one of them cannot.
    """
    chosen = [one for one in siblings if one.place is None and len(one.cells) == 3 * CELLS**2]
    chosen = chosen[:_MOST_TOGETHER]
    if len(chosen) < _LEAST_TOGETHER:
        return None
    cells = _Cells(grid, scene)
    found = np.array([one.cells for one in chosen]).reshape(len(chosen), 1, CELLS, CELLS, 3)
    around = np.array([cells.around(one.tile, one.patch) for one in chosen])
    windows = np.lib.stride_tricks.sliding_window_view(around, (CELLS, CELLS), axis=(1, 2))
    seen = np.moveaxis(windows, 3, -1)  # (N, steps, steps, 2, 2, 3)
    steps = np.arange(-_REACH, _REACH + 1.0)
    correlation, contrast = _correlate(seen, np.broadcast_to(found[:, None], seen.shape))
    return place_best(correlation, contrast, steps, steps, own_px=1.5)


def shared_shift_of_large(siblings: Sequence[Sibling]) -> tuple[float, float] | None:
    """Return the median shift of patches of many LR pixels, if half of them agree with it."""
    shifts = np.array([one.place for one in siblings if one.place is not None])
    if len(shifts) < LEAST_SIBLINGS:
        return None
    right, down = (float(one) for one in np.median(shifts, axis=0))
    agreeing = np.hypot(*(shifts - (right, down)).T) <= _AT_MOST_PX
    return (right, down) if agreeing.mean() >= _AGREEING else None


class _Cells:
    """The cells of a scene, averaged tile by tile as they are needed."""

    def __init__(self, grid: TileGrid, scene: NDArray[np.uint8]) -> None:
        self._grid, self._scene = grid, scene
        self._averaged: dict[int, Pixels] = {}

    def around(self, tile: int, patch: int) -> Pixels:
        """Return the cells of a patch and `_REACH` more on each side; NaN beyond the scene."""
        row, column = divmod(tile, self._grid.columns)
        near = [[self._tile(row + down, column + right) for right in (-1, 0, 1)] for down in (-1, 0, 1)]
        wide = np.concatenate([np.concatenate(line, axis=1) for line in near])
        top, left = (_EDGE + at * CELLS - _REACH for at in (patch % GRID, patch // GRID))
        side = CELLS + 2 * _REACH
        return np.asarray(wide[top : top + side, left : left + side])

    def _tile(self, row: int, column: int) -> Pixels:
        if not (0 <= row < self._grid.rows and 0 <= column < self._grid.columns):
            return np.full((_EDGE, _EDGE, 3), np.nan)
        tile = row * self._grid.columns + column
        if tile not in self._averaged:
            self._averaged[tile] = average_cells(self._scene[tile], _EDGE)
        return self._averaged[tile]


def _correlate(seen: Pixels, found: Pixels) -> tuple[Pixels, Pixels]:
    """Return correlation and contrast (steps, steps) of the colours (N, steps, steps, 2, 2, 3) of patches."""
    inside = ~np.isnan(seen)
    axes = (0, 3, 4)
    count = inside.sum(axis=axes, keepdims=True).clip(1)
    parts = [np.where(inside, one, 0) for one in (seen, found)]
    scene, patch = (np.where(inside, part - part.sum(axis=axes, keepdims=True) / count, 0) for part in parts)
    spread, patch_spread, shared, number = (
        one.sum(axis=(0, 3, 4, 5)) for one in (scene**2, patch**2, scene * patch, inside)
    )
    correlation = shared / np.sqrt((spread + 1) * (patch_spread + 1))
    enough = number >= number.max() / 2
    return np.where(enough, correlation, -1.0), np.sqrt(spread / number.clip(1))
