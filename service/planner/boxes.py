"""Rectangles around wanted cells: the best division by straight cuts. Pure numpy.

A rectangle that is wide enough keeps every shape rule. Where few rows and columns differ, all guillotine
divisions are compared: cut the scene in two by a straight line, cut the parts again, and so on. They include
every division into rows of rectangles, into columns, and one rectangle around everything. In larger scenes
the best division into bands of rows or of columns is found, one rectangle per band.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.planner.scene_orders import Cells, Ints, SceneOrders
from service.planner.tile_layouts import legal_span

Boxes = Ints
"""(S, 4): first row, first column, and the row and column after the last, of S rectangles."""
MOST_LINES = 32
"""Limit of different rows plus different columns up to which all guillotine divisions are compared."""
TALLEST_BAND = 512
"""Limit of the different rows of one band; bounds the comparison of bands in long scenes."""
_FAR = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Wanted cells whose neighbouring rows and columns are grouped, R x C groups of them."""

    wanted: Cells  # (R, C)
    rows: Ints  # (R + 1,) first row of each group, and the number of rows
    columns: Ints  # (C + 1,)


def outline_of(wanted: Cells, *, finely: bool = False) -> Outline:
    """Group the equal neighbouring rows and columns of wanted cells; `finely`, only the empty ones.

    A rectangle that is billed for a minimum may end between two equal rows that hold wanted cells.
    """
    rows, columns = (
        np.append(np.flatnonzero(np.append(True, _differing(side, finely=finely))), len(side))
        for side in (wanted, wanted.T)
    )
    return Outline(wanted=wanted[np.ix_(rows[:-1], columns[:-1])], rows=rows, columns=columns)


def _differing(side: Cells, *, finely: bool) -> Cells:
    """Say for each row after the first whether a group begins with it."""
    changes = (side[1:] != side[:-1]).any(axis=1)
    return np.asarray(changes | side[1:].any(axis=1) if finely else changes)


def divisions(orders: SceneOrders, wanted: Cells, *, finely: bool = False) -> list[Boxes]:
    """Return divisions of wanted cells into rectangles, each the best of its kind by the sum of weights."""
    outline = outline_of(wanted, finely=finely)
    if sum(outline.wanted.shape) <= MOST_LINES:
        return [cut_by_lines(orders, outline)]
    across = Outline(wanted=outline.wanted.T, rows=outline.columns, columns=outline.rows)
    return [
        bands_of_rows(orders, outline),
        bands_of_rows(orders, across)[:, [1, 0, 3, 2]],
    ]


def widened(boxes: Boxes, narrowest: int, shape: tuple[int, ...]) -> Boxes:
    """Widen rectangles to the least legal width, inside a lattice of this shape."""
    spans = [
        [legal_span(first, after - first, narrowest, extent) for first, after in boxes[:, at::2].tolist()]
        for at, extent in enumerate(shape)
    ]
    return np.array(
        [
            (top, left, top + height, left + width)
            for (top, height), (left, width) in zip(*spans, strict=True)
        ],
        dtype=np.int64,
    ).reshape(-1, 4)


def weights_of_sides(orders: SceneOrders, heights: Ints, widths: Ints) -> Ints:
    """Return the weight of rectangles by their sides in cells, after widening; 0 where there is none."""
    narrowest = orders.tile.narrowest
    cells = np.maximum(heights, narrowest) * np.maximum(widths, narrowest)
    none = (heights <= 0) | (widths <= 0)
    return np.where(none, 0, orders.weight_of[np.clip(cells, 0, len(orders.weight_of) - 1)])


def bands_of_rows(orders: SceneOrders, outline: Outline) -> Boxes:
    """Divide rows into bands, with one rectangle around the wanted cells of each: the best such division."""
    tops, lefts, bottoms, rights = _row_extents(outline)
    count = len(tops)
    best, start = np.full(count + 1, np.iinfo(np.int64).max), np.zeros(count + 1, dtype=np.int64)
    best[0] = 0
    for first in range(count):
        some = slice(first, min(first + TALLEST_BAND, count))
        sides = _running((tops, lefts, bottoms, rights), some)
        total = best[first] + weights_of_sides(orders, sides[2] - sides[0], sides[3] - sides[1])
        after = slice(some.start + 1, some.stop + 1)
        lower = total < best[after]
        best[after][lower], start[after][lower] = total[lower], first
    found, end = [], count
    while end:
        some = slice(int(start[end]), end)
        found.append([int(side[-1]) for side in _running((tops, lefts, bottoms, rights), some)])
        end = some.start
    boxes = np.array(found, dtype=np.int64)
    return boxes[boxes[:, 0] < boxes[:, 2]]


def _row_extents(outline: Outline) -> tuple[Ints, Ints, Ints, Ints]:
    """Return top, left, bottom and right (R,) of the wanted cells of each row; far apart where none is."""
    some, rows, columns = outline.wanted.any(axis=1), outline.rows, outline.columns
    last = outline.wanted.shape[1] - outline.wanted[:, ::-1].argmax(axis=1)
    return (
        np.where(some, rows[:-1], _FAR),
        np.where(some, columns[outline.wanted.argmax(axis=1)], _FAR),
        np.where(some, rows[1:], -_FAR),
        np.where(some, columns[last], -_FAR),
    )


def _running(sides: tuple[Ints, Ints, Ints, Ints], some: slice) -> tuple[Ints, ...]:
    """Return the extents of the first, the first two, ... of some rows."""
    lowest = [np.minimum.accumulate(side[some]) for side in sides[:2]]
    return (*lowest, *(np.maximum.accumulate(side[some]) for side in sides[2:]))


def cut_by_lines(orders: SceneOrders, outline: Outline) -> Boxes:
    """Compare all guillotine divisions; a part that is not cut has one rectangle around its wanted cells."""
    height, width = outline.wanted.shape
    extents = _extents_of_parts(outline)
    best: dict[tuple[int, int], Ints] = {}
    cuts: dict[tuple[int, int], NDArray[np.int64]] = {}
    for h in range(1, height + 1):
        for w in range(1, width + 1):
            top, left, bottom, right = extents[h, w]
            options = [weights_of_sides(orders, bottom - top, right - left)]
            options += [
                best[cut, w][: height - h + 1] + best[h - cut, w][cut : cut + height - h + 1]
                for cut in range(1, h)
            ]
            options += [
                best[h, cut][:, : width - w + 1] + best[h, w - cut][:, cut : cut + width - w + 1]
                for cut in range(1, w)
            ]
            stack = np.stack(options)
            cuts[h, w] = stack.argmin(axis=0)
            best[h, w] = stack.min(axis=0)
    return _uncut(cuts, extents, height, width)


def _extents_of_parts(outline: Outline) -> dict[tuple[int, int], Ints]:
    """Return by size top, left, bottom and right (4, ...) of the wanted cells of all parts of that size."""
    height, width = outline.wanted.shape
    signs = np.array([1, 1, -1, -1])[:, None, None]
    rows, columns = outline.rows[:, None], outline.columns[None]
    single = np.stack(np.broadcast_arrays(rows[:-1], columns[:, :-1], -rows[1:], -columns[:, 1:]))
    found = {(1, 1): np.where(outline.wanted, single, _FAR)}  # all four as minima
    for w in range(2, width + 1):
        found[1, w] = np.minimum(found[1, w - 1][:, :, :-1], found[1, 1][:, :, w - 1 :])
    for h in range(2, height + 1):
        for w in range(1, width + 1):
            found[h, w] = np.minimum(found[h - 1, w][:, :-1], found[1, w][:, h - 1 :])
    return {size: signs * extents for size, extents in found.items()}


def _uncut(
    cuts: dict[tuple[int, int], NDArray[np.int64]],
    extents: dict[tuple[int, int], Ints],
    height: int,
    width: int,
) -> Boxes:
    """Follow the best cuts to the rectangles of the parts that are not cut."""
    found, pending = [], [(0, 0, height, width)]
    while pending:
        row, column, h, w = pending.pop()
        cut = int(cuts[h, w][row, column])
        if cut == 0:
            found.append(extents[h, w][:, row, column])
        elif cut < h:
            pending += [(row, column, cut, w), (row + cut, column, h - cut, w)]
        else:
            cut -= h - 1
            pending += [(row, column, h, cut), (row, column + cut, h, w - cut)]
    boxes = np.stack(found)
    return boxes[boxes[:, 0] < boxes[:, 2]]
