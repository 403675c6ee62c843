"""The misfit between a delivered patch and LR pixels under a model of what honest deliveries change.

A patch is reduced to 2 x 2 cells of three colours: 12 numbers d. An honest delivery differs from the scene by
d ~ N(0, S), with S = noise^2 I + sum of tau_k^2 f_k f_k^T. Each f_k is a change that sensors, products and
seasons make: gain and offset of each colour and of all, contrast, gamma, green that turns brown and back, and
a shift by part of a cell. The misfit is d^T S^-1 d, about the square of the distance in standard deviations.
The same misfit is computed for other places of the tile and other orders of the bands. A file that fits one
of those far better than its own place is in doubt.

Where another sensor took the scene, blur, haze, noise and shifts of up to a cell are larger than that, and
the model `_GAP` describes them. `weigh_gap` compares the likelihoods of the patch's own place and of others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID

CELLS = 2
"""Cells per side of a patch."""

Pixels = NDArray[np.float64]

_SEASON, _SEASON_LIGHT = 0.8, 0.15  # share of the way from green to brown or back, and change of brightness
_BROWN, _GREEN = np.array([1.2, 1.0, 0.75]), np.array([0.9, 1.05, 0.8])  # colours at a brightness of 1
_SLACK = 6.0  # added to misfits whose ratio is taken; half of the 12 that noise makes on average
_FREEDOM = 12.0  # degrees of freedom of the t distribution that a sensor gap has instead of a Gaussian
_NEAR, _FAR = 1.0, 1.9  # cells: shift that a sensor gap may have on each axis, and the least of other places
_STEP = 3  # places per cell along each axis
_ELSEWHERE = 1.3  # cells; nearer places are the patch's own place with a registration error
ORDERS = ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
"""Orders of the bands other than red, green, blue."""


@dataclass(frozen=True, kw_only=True)
class _Model:
    """Standard deviations of what honest deliveries change, in counts of 0..255 or as a share of a colour."""

    noise: float
    gain: float  # of one colour
    offset: float
    common_gain: float  # of all colours: exposure, haze
    common_offset: float
    shift: float  # cells
    gamma: float = 0.15
    bare: float = 1.0  # part of the season that brown ground turning green has


_SAME = _Model(noise=0.6, gain=0.07, offset=3, common_gain=0.1, common_offset=5, shift=0.15)
"""The scene is an average of the delivery: noise is rounding and resampling."""
_GAP = _Model(noise=8, gain=0.08, offset=3, common_gain=0.2, common_offset=12, shift=0.2, bare=0.4)
"""Another sensor took the scene."""


@dataclass(frozen=True, kw_only=True)
class GapOdds:
    """Logarithms of likelihood ratios where another sensor took the scene."""

    elsewhere: float  # of the other places of the tile to the patch's own, shifts averaged
    reordered: float  # of the best other order of the bands to the file's
    order: tuple[int, int, int]  # that order, counted from 0


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
    expected, inverse, _ = _expect(lr, rows, columns, _SAME)
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


def weigh_gap(pixels: NDArray[np.uint8], tile: NDArray[np.uint8], patch: int) -> GapOdds:
    """Weigh other places and band orders of a patch (3, s, s) if another sensor took its tile (3, n, n)."""
    lr = average_cells(tile, CELLS * GRID)
    found = average_cells(pixels, CELLS).reshape(-1, 3)
    row, column = patch % GRID * CELLS, patch // GRID * CELLS
    shifts = np.linspace(-_NEAR, _NEAR, round(2 * _NEAR * _STEP) + 1)
    down, right = (one.ravel() for one in np.meshgrid(shifts, shifts, indexing="ij"))
    near = _expect(lr, row + down, column + right, _GAP)
    rows, columns = _places(row, column)
    far = np.hypot(rows - row, columns - column) >= _FAR
    own = _likelihood(found, *near)
    orders = [_likelihood(found[:, order], *near) for order in ORDERS]
    best = int(np.argmax(orders))
    return GapOdds(
        elsewhere=round(_likelihood(found, *_expect(lr, rows[far], columns[far], _GAP)) - own, 2),
        reordered=round(orders[best] - own, 2),
        order=ORDERS[best],
    )


def average_cells(image: NDArray[np.uint8], cells: int) -> Pixels:
    """Average an image (3, n, n) by area to (cells, cells, 3)."""
    weights = _weights(image.shape[-1], cells)
    averaged: Pixels = np.moveaxis(weights @ image.astype(np.float64) @ weights.T, 0, 2)
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


def _expect(lr: Pixels, rows: Pixels, columns: Pixels, model: _Model) -> tuple[Pixels, Pixels, Pixels]:
    """Return the colours (N, 4, 3) of N places, and inverses and log determinants of their covariances.

    The inverses are (N, 12, 12). Beyond the tile its outermost cells are repeated.
    """
    padded = np.pad(lr, ((2, 3), (2, 3), (0, 0)), "edge")

    def at(down: float, right: float) -> Pixels:
        return _interpolate(padded, rows + 2 + down, columns + 2 + right)

    expected = at(0, 0)
    across, along = (at(0, 0.9) - at(0, -0.9)) / 1.8, (at(0.9, 0) - at(-0.9, 0)) / 1.8
    changes = _changes(expected, across, along, model).reshape(len(rows), -1, 12)
    covariance = np.eye(12) * model.noise**2 + np.swapaxes(changes, 1, 2) @ changes
    inverse = np.asarray(np.linalg.inv(covariance), np.float64)
    return expected, inverse, np.asarray(np.linalg.slogdet(covariance).logabsdet, np.float64)


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


def _changes(lr: Pixels, across: Pixels, along: Pixels, model: _Model) -> Pixels:
    """Return one standard deviation of each change (N, K, 4, 3) that honest deliveries make to colours."""
    level, light = lr.mean(axis=2, keepdims=True), lr.sum(axis=2, keepdims=True) + 1
    red, green, blue = (lr[:, :, band, None] for band in range(3))
    vegetated = (6 * (2 * green - red - blue) / light).clip(0, 1)
    bare = (4 * (red - blue) / light).clip(0, 1)
    one = np.eye(3)[:, None, None, None, :]  # a change of one band
    changes = [
        *(model.gain * lr * one[:, 0]),
        *(model.offset * np.ones_like(lr) * one[:, 0]),
        model.common_gain * lr,
        model.common_offset * np.ones_like(lr),
        model.gamma * lr * np.log(lr.clip(1) / 128),
        _SEASON * vegetated * (level * _BROWN - lr),
        _SEASON_LIGHT * vegetated * lr,
        model.bare * _SEASON * bare * (level * _GREEN - lr),
        model.bare * _SEASON_LIGHT * bare * lr,
        model.shift * across,
        model.shift * along,
    ]
    return np.stack(changes, axis=1)


def _misfit(differences: Pixels, inverse: Pixels) -> Pixels:
    flat = differences.reshape(-1, 12)
    squares: Pixels = np.einsum("ni,nij,nj->n", flat, inverse, flat)
    return squares


def _likelihood(found: Pixels, expected: Pixels, inverse: Pixels, determinants: Pixels) -> float:
    """Return the logarithm of the mean likelihood of a patch (4, 3) at N places, without constant terms."""
    squares = _misfit(found - expected, inverse)
    logs = -determinants / 2 - (_FREEDOM + found.size) / 2 * np.log1p(squares / _FREEDOM)
    largest = float(logs.max())
    return largest + float(np.log(np.exp(logs - largest).mean()))
