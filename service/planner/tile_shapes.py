"""Every choice of a tile's patches, and the cheapest legal shapes around each. Pure, exact.

A choice is a number of 16 bits, bit p for patch p (column-major). There are 65,536, of which 11,506 are
connected: few enough to know them all.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.pricing.billing import ShapeRules

CHOICES = np.arange(1 << PATCHES, dtype=np.int64)
BITS = (CHOICES[:, None] >> np.arange(PATCHES)) & 1  # (65536, 16)
EVERYTHING = (1 << PATCHES) - 1
_FIRST_ROW, _LAST_ROW, _BORDER = 0x1111, 0x8888, 0xF99F
_UNREACHED = np.iinfo(np.int64).max // 2

Choices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Forms:
    """What each of the 65,536 choices looks like as a shape."""

    connected: NDArray[np.bool_]
    first_part: Choices
    """The connected part that holds the choice's lowest patch."""
    hole: NDArray[np.bool_]
    vertices: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The lightest legal shapes around every choice: weights (65536,), and how to take them apart."""

    weights: NDArray[np.int64]
    shape: Choices
    """Of each choice, one of its shapes; the others are those of what that leaves."""

    def shapes(self, choice: int) -> list[int]:
        """The shapes around one choice; together they hold it, and perhaps padding."""
        found = []
        while choice:
            shape = int(self.shape[choice])
            found.append(shape)
            choice &= ~shape
        return found


@cache
def forms() -> Forms:
    """Look at every choice, once a process."""
    lowest = CHOICES & -CHOICES
    first_part = _flood(CHOICES, lowest)
    outside = CHOICES ^ EVERYTHING
    return Forms(
        connected=(first_part == CHOICES) & (CHOICES > 0),
        first_part=first_part,
        hole=_flood(outside, outside & _BORDER) != outside,
        vertices=corners(np.pad(BITS.reshape(-1, GRID, GRID), ((0, 0), (1, 1), (1, 1))) > 0),
    )


def legal_shapes(rules: ShapeRules, narrowest: int) -> Choices:
    """The connected choices that a provider takes as one shape; `narrowest` patches wide everywhere."""
    form = forms()
    legal = form.connected & _filled_by_squares(min(narrowest, GRID))
    if not rules.holes:
        legal &= ~form.hole
    if rules.convex:
        legal &= form.vertices == 4
    if rules.max_vertices is not None:
        legal &= form.vertices <= rules.max_vertices
    return CHOICES[legal]


def is_legal(cells: NDArray[np.bool_], rules: ShapeRules, narrowest: int) -> bool:
    """Whether connected cells (rows, columns) of any lattice are a legal shape."""
    if rules.convex and not cells.all():
        return False
    framed = np.pad(cells, max(1, narrowest - 1))
    if not rules.holes and not _reaches_all(~framed):
        return False
    if rules.max_vertices is not None and corners(framed[None])[0] > rules.max_vertices:
        return False
    return narrowest <= 1 or bool((_opened(framed, narrowest) == cells).all())


def _opened(framed: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """What squares of side x side cells inside the cells fill; the frame is side - 1 cells wide."""
    squares = sliding_window_view(framed, side, axis=0).all(axis=-1)
    squares = sliding_window_view(squares, side, axis=1).all(axis=-1)
    filled = sliding_window_view(squares, side, axis=0).any(axis=-1)
    return np.asarray(sliding_window_view(filled, side, axis=1).any(axis=-1))


def cover_with(shapes: Choices, weights: NDArray[np.int64]) -> Cover:
    """The lightest sets of `shapes` that together hold each choice; shapes (N,), weights (65536,).

    Shapes may overlap: two rectangles that cross can be cheaper than three that do not.
    """
    best, taken = np.full(len(CHOICES), _UNREACHED), np.zeros(len(CHOICES), dtype=np.int64)
    best[0] = 0
    for lowest in reversed(range(PATCHES)):
        choices = CHOICES[(CHOICES & ((2 << lowest) - 1)) == 1 << lowest]
        for shape in shapes[(shapes >> lowest) & 1 == 1]:
            weight = weights[shape] + best[choices & ~shape]
            lighter = weight < best[choices]
            best[choices[lighter]] = weight[lighter]
            taken[choices[lighter]] = shape
    return Cover(weights=best, shape=taken)


def cover_with_parts(weights: NDArray[np.int64]) -> Cover:
    """Every connected part a shape of its own, as it is; weights (65536,) of connected choices."""
    part = forms().first_part
    total, rest = np.zeros(len(CHOICES), dtype=np.int64), CHOICES.copy()
    while rest.any():
        total += np.where(rest > 0, weights[part[rest]], 0)
        rest &= ~part[rest]
    return Cover(weights=total, shape=part)


def _flood(choices: Choices, seeds: Choices) -> Choices:
    """What the seeds reach inside their choices, over shared edges."""
    reached = seeds & choices
    while True:
        grown = reached | (
            choices
            & (
                ((reached & ~_LAST_ROW) << 1)
                | ((reached & ~_FIRST_ROW) >> 1)
                | (reached << GRID)
                | (reached >> GRID)
            )
        )
        if (grown == reached).all():
            return reached
        reached = grown


def corners(framed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Corners (N,) of the outlines of cells (N, rows, columns) with nothing at their border.

    At each lattice point one or three of four cells are one corner, two across are two.
    """
    cells = framed.astype(np.int8)
    around = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
    count = around[0] + around[1] + around[2] + around[3]
    across = (count == 2) & (around[0] == around[3])
    return np.asarray((count % 2 + 2 * across).sum(axis=(1, 2)), dtype=np.int64)


def _reaches_all(cells: NDArray[np.bool_]) -> bool:
    """Whether cells (rows, columns) are all reached from the first one, over shared edges."""
    reached = np.zeros_like(cells)
    reached[0, 0] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= cells
        if (grown == reached).all():
            return bool((reached == cells).all())
        reached = grown


def _filled_by_squares(side: int) -> NDArray[np.bool_]:
    """Whether squares of side x side patches fill the choice: else some part of it is thinner."""
    corner = sum(((1 << side) - 1) << GRID * column for column in range(side))
    places = [GRID * column + row for column in range(GRID - side + 1) for row in range(GRID - side + 1)]
    filled = np.zeros_like(CHOICES)
    for square in (corner << place for place in places):
        filled |= np.where((CHOICES & square) == square, square, 0)
    return np.asarray(filled == CHOICES)
