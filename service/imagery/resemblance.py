"""The misfit between a delivered patch and LR pixels under a model of what honest deliveries change.

A patch is reduced to 2 x 2 cells of three colours: 12 numbers d. An honest delivery differs from the scene by
d ~ N(0, S), with S = noise^2 I + sum of tau_k^2 f_k f_k^T. Each f_k is a change that sensors, products and
seasons make: gain and offset of each colour and of all, contrast, gamma, green that turns brown and back, and
a shift by part of a cell. The misfit is d^T S^-1 d, about the square of the distance in standard deviations.
The same misfit is computed for other places of the tile and other orders of the bands. A file that fits one
of those far better than its own place is in doubt, however noisy the pair is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID

CELLS = 2
"""Cells per side of a patch."""

Pixels = NDArray[np.float64]

_NOISE = 0.6  # counts of 0..255: rounding and resampling
_GAIN, _OFFSET = 0.07, 3.0  # of one colour
_COMMON_GAIN, _COMMON_OFFSET = 0.1, 5.0  # of all colours: exposure, haze
_GAMMA = 0.15
_SEASON, _SEASON_LIGHT = 0.8, 0.15  # share of the way from green to brown or back, and change of brightness
_SHIFT = 0.15  # cells
_BROWN, _GREEN = np.array([1.2, 1.0, 0.75]), np.array([0.9, 1.05, 0.8])  # colours at a brightness of 1
_SLACK = 6.0  # added to misfits whose ratio is taken; half of the 12 that noise makes on average
_STEP = 3  # places per cell along each axis
_ELSEWHERE = 1.3  # cells; nearer places are the patch's own place with a registration error
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
"""Orders of the bands other than red, green, blue."""


@dataclass(frozen=True, kw_only=True)
class Misfits:
    """How badly a delivered patch fits its own place, the best other place, and the best other band order."""

    own: float
    elsewhere: float
    right: float  # offset of the best other place, in cells to the right and down
    down: float
    reordered: float
    order: tuple[int, int, int]  # band of the file that fits red, green, blue best, counted from 0

    @property
    def displaced(self) -> float:
        """Ratio of the own misfit to that of the best other place; above 1 if that place fits better."""
        return (self.own + _SLACK) / (self.elsewhere + _SLACK)

    @property
    def swapped(self) -> float:
        """Ratio of the own misfit to that of the best other order of the bands."""
        return (self.own + _SLACK) / (self.reordered + _SLACK)


def measure_misfits(pixels: NDArray[np.uint8], tile: NDArray[np.uint8], patch: int) -> Misfits:
    """Compare the pixels (3, s, s) of a patch with the LR pixels (3, n, n) of its tile."""
    lr = average_cells(tile, CELLS * GRID)
    found = average_cells(pixels, CELLS).reshape(-1, 3)
    row, column = patch % GRID * CELLS, patch // GRID * CELLS
    rows, columns = _places(row, column)
    expected, inverse = _expect(lr, rows, columns)
    misfits = _misfit(found - expected, inverse)
    away = np.hypot(rows - row, columns - column) >= _ELSEWHERE
    best = int(np.argmin(np.where(away, misfits, np.inf)))
    reordered = [float(_misfit((found[:, order] - expected[:1]), inverse[:1])[0]) for order in ORDERS]
    swap = int(np.argmin(reordered))
    return Misfits(
        own=float(misfits[0]),
        elsewhere=float(misfits[best]),
        right=float(columns[best] - column),
        down=float(rows[best] - row),
        reordered=reordered[swap],
        order=ORDERS[swap],
    )


def average_cells(image: NDArray[np.uint8], cells: int) -> Pixels:
    """Average an image (3, n, n) by area to (cells, cells, 3)."""
    weights = _weights(image.shape[-1], cells)
    averaged: Pixels = np.einsum("rh,bhw,cw->rcb", weights, image.astype(np.float64), weights)
    return averaged


def _weights(length: int, cells: int) -> Pixels:
    edges = np.arange(cells + 1) * length / cells
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    clipped: Pixels = overlap.clip(0) * cells / length
    return clipped


def _places(row: int, column: int) -> tuple[Pixels, Pixels]:
    """Return the rows and columns of the patch's own place, first, and of all places within the tile."""
    steps = np.arange((GRID - 1) * CELLS * _STEP + 1) / _STEP
    rows, columns = np.meshgrid(steps, steps, indexing="ij")
    return np.append(float(row), rows), np.append(float(column), columns)


def _expect(lr: Pixels, rows: Pixels, columns: Pixels) -> tuple[Pixels, Pixels]:
    """Return the colours (N, 4, 3) that N places show, and the inverses (N, 12, 12) of their covariances."""
    padded = np.pad(lr, ((1, 2), (1, 2), (0, 0)), "edge")

    def at(down: float, right: float) -> Pixels:
        return _interpolate(padded, rows + 1 + down, columns + 1 + right)

    expected = at(0, 0)
    across, along = (at(0, 0.9) - at(0, -0.9)) / 1.8, (at(0.9, 0) - at(-0.9, 0)) / 1.8
    changes = _changes(expected, across, along).reshape(len(rows), -1, 12)
    covariance = np.eye(12) * _NOISE**2 + np.swapaxes(changes, 1, 2) @ changes
    return expected, np.asarray(np.linalg.inv(covariance), np.float64)


def _interpolate(image: Pixels, rows: Pixels, columns: Pixels) -> Pixels:
    """Return the 2 x 2 cells (N, 4, 3) at N places, interpolated bilinearly."""
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top)[:, None, None, None], (columns - left)[:, None, None, None]
    cell = np.arange(CELLS)
    y, x = top[:, None, None] + cell[:, None], left[:, None, None] + cell
    upper = (1 - right) * image[y, x] + right * image[y, x + 1]
    lower = (1 - right) * image[y + 1, x] + right * image[y + 1, x + 1]
    found: Pixels = ((1 - down) * upper + down * lower).reshape(len(rows), -1, 3)
    return found


def _changes(lr: Pixels, across: Pixels, along: Pixels) -> Pixels:
    """Return one standard deviation of each change (N, K, 4, 3) that honest deliveries make to colours."""
    level, light = lr.mean(axis=2, keepdims=True), lr.sum(axis=2, keepdims=True) + 1
    red, green, blue = (lr[:, :, band, None] for band in range(3))
    vegetated = (6 * (2 * green - red - blue) / light).clip(0, 1)
    bare = (4 * (red - blue) / light).clip(0, 1)
    one = np.eye(3)[:, None, None, None, :]  # a change of one band
    changes = [
        *(_GAIN * lr * one[:, 0]),
        *(_OFFSET * np.ones_like(lr) * one[:, 0]),
        _COMMON_GAIN * lr,
        _COMMON_OFFSET * np.ones_like(lr),
        _GAMMA * lr * np.log(lr.clip(1) / 128),
        _SEASON * vegetated * (level * _BROWN - lr),
        _SEASON_LIGHT * vegetated * lr,
        _SEASON * bare * (level * _GREEN - lr),
        _SEASON_LIGHT * bare * lr,
        _SHIFT * across,
        _SHIFT * along,
    ]
    return np.stack(changes, axis=1)


def _misfit(differences: Pixels, inverse: Pixels) -> Pixels:
    flat = differences.reshape(-1, 12)
    squares: Pixels = np.einsum("ni,nij,nj->n", flat, inverse, flat)
    return squares
