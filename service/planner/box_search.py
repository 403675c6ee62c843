"""The cheapest rectangles around wanted cells that several divisions lead to. Pure numpy."""

from collections.abc import Iterator

import numpy as np

from service.planner.box_merging import improve_boxes, weights_of
from service.planner.boxes import Boxes, divisions, outline_of, widened
from service.planner.scene_orders import Cells, SceneOrders, ShapeLayout, layout_of

MOST_IMPROVED = 400
"""Number of rectangles up to which every division is improved; of larger ones only the cheapest is."""


def cheapest_boxes(orders: SceneOrders, wanted: Cells, by_tile: ShapeLayout) -> ShapeLayout:
    """Return the cheapest rectangles that cover wanted cells; `by_tile` are other shapes around them."""
    starts = [*_plain(orders, wanted), _around(by_tile)]
    cheapest = min(starts, key=lambda one: int(weights_of(orders, one).sum()))
    improved = [
        improve_boxes(orders, one, wanted) for one in starts if one is cheapest or len(one) <= MOST_IMPROVED
    ]
    return _boxed(orders, min(improved, key=lambda one: int(weights_of(orders, one).sum())))


def plain_boxes(orders: SceneOrders, wanted: Cells) -> list[ShapeLayout]:
    """Return the rectangles of each division, as they are."""
    return [_boxed(orders, one) for one in _plain(orders, wanted)]


def finer_boxes(orders: SceneOrders, wanted: Cells) -> Iterator[ShapeLayout]:
    """Yield the improved rectangles of divisions that also cut between equal rows and columns, if any are."""
    if outline_of(wanted, finely=True).wanted.shape == outline_of(wanted).wanted.shape:
        return
    for one in divisions(orders, wanted, finely=True):
        yield _boxed(orders, improve_boxes(orders, one, wanted) if len(one) <= MOST_IMPROVED else one)


def _plain(orders: SceneOrders, wanted: Cells) -> list[Boxes]:
    return [*divisions(orders, wanted), _runs(wanted), _runs(wanted.T)[:, [1, 0, 3, 2]]]


def _runs(wanted: Cells) -> Boxes:
    """Return the unbroken runs of wanted cells in each row; equal runs of neighbouring rows are one box."""
    steps = np.diff(np.pad(wanted, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, lefts), (_, rights) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    order = np.lexsort((rows, rights, lefts))
    rows, lefts, rights = rows[order], lefts[order], rights[order]
    fresh = np.ones(len(rows), dtype=np.bool_)
    fresh[1:] = (lefts[1:] != lefts[:-1]) | (rights[1:] != rights[:-1]) | (rows[1:] != rows[:-1] + 1)
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(rows)) - 1
    return np.stack((rows[starts], lefts[starts], rows[ends] + 1, rights[starts]), axis=1)


def _around(layout: ShapeLayout) -> Boxes:
    """Return the rectangle around each shape."""
    starts = np.searchsorted(layout.owner, np.arange(len(layout.areas_cm2)))
    sides = (layout.rows, layout.columns)
    lows = [np.minimum.reduceat(side, starts) for side in sides]
    highs = [np.maximum.reduceat(side, starts) + 1 for side in sides]
    return np.stack((*lows, *highs), axis=1)


def _boxed(orders: SceneOrders, boxes: Boxes) -> ShapeLayout:
    """Order rectangles, widened where they are too narrow."""
    legal = widened(boxes, orders.tile.narrowest, orders.cells_cm2.shape)
    heights, widths = legal[:, 2] - legal[:, 0], legal[:, 3] - legal[:, 1]
    sizes = heights * widths
    owner = np.repeat(np.arange(len(legal)), sizes)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows, columns = legal[owner, 0] + within // widths[owner], legal[owner, 1] + within % widths[owner]
    return layout_of(orders, rows, columns, owner)
