"""Better rectangles from given ones: merged in pairs, and shrunk to the cells that only they cover. Pure."""

import numpy as np
from scipy.spatial import cKDTree

from service.planner.boxes import Boxes, weights_of_sides, widened
from service.planner.scene_orders import Cells, Ints, SceneOrders

NEIGHBOURS = 8
"""Nearest rectangles with which each may merge."""
MOST_SHRUNK = 2000
"""Limit of the number of rectangles that are shrunk one after the other."""


def improve_boxes(orders: SceneOrders, boxes: Boxes, wanted: Cells) -> Boxes:
    """Merge and shrink rectangles that cover the wanted cells as long as that lowers the sum of weights."""
    while True:
        merged = _shrunk(orders, _merged(orders, boxes), wanted)
        lighter = weights_of(orders, merged).sum() < weights_of(orders, boxes).sum()
        # A cell that only the widening of a shrunk rectangle covers may be lost when that one merges.
        if not lighter or (wanted & ~_covered(orders, merged, wanted.shape)).any():
            return boxes
        boxes = merged


def _covered(orders: SceneOrders, boxes: Boxes, shape: tuple[int, ...]) -> Cells:
    """Return the cells that rectangles cover after widening."""
    covered = np.zeros(shape, dtype=np.bool_)
    for top, left, bottom, right in widened(boxes, orders.tile.narrowest, shape).tolist():
        covered[top:bottom, left:right] = True
    return covered


def weights_of(orders: SceneOrders, boxes: Boxes) -> Ints:
    """Return the weight of each rectangle (S,), after widening."""
    return weights_of_sides(orders, boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])


def _merged(orders: SceneOrders, boxes: Boxes) -> Boxes:
    """Merge pairs, the largest saving first, until none saves anything."""
    while len(boxes) > 1:
        orders.check()
        pairs, unions, savings = _candidates(orders, boxes)
        order = np.lexsort((np.arange(len(pairs)), -savings))
        order = order[savings[order] > 0]
        if not len(order):
            return boxes
        boxes = _apply(boxes, pairs[order], unions[order])
    return boxes


def _candidates(orders: SceneOrders, boxes: Boxes) -> tuple[Ints, Boxes, Ints]:
    """Return pairs (E, 2) of neighbours, the rectangles around them (E, 4) and what these save (E,)."""
    near = _nearest(boxes)
    pairs = np.stack((np.repeat(np.arange(len(boxes)), near.shape[1]), near.ravel()), axis=1)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    one, other = boxes[pairs[:, 0]], boxes[pairs[:, 1]]
    unions = np.concatenate(
        (np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])), axis=1
    )
    weights = weights_of(orders, boxes)
    # The new rectangle also replaces the neighbours that lie inside it.
    around = np.concatenate((near[pairs[:, 0]], near[pairs[:, 1]], pairs), axis=1)
    around.sort(axis=1)
    fresh = np.ones(around.shape, dtype=np.bool_)
    fresh[:, 1:] = around[:, 1:] != around[:, :-1]
    inside = fresh & _within(boxes[around], unions[:, None])
    replaced = np.where(inside, weights[around], 0).sum(axis=1)
    return pairs, unions, replaced - weights_of(orders, unions)


def _nearest(boxes: Boxes) -> Ints:
    """Return the nearest rectangles (S, K) of each, by the distance of their middles."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    count = min(NEIGHBOURS + 1, len(boxes))
    return np.asarray(cKDTree(middles).query(middles, k=count)[1], dtype=np.int64).reshape(len(boxes), count)


def _within(boxes: Boxes, around: Boxes) -> Cells:
    starts = (boxes[..., :2] >= around[..., :2]).all(axis=-1)
    return np.asarray(starts & (boxes[..., 2:] <= around[..., 2:]).all(axis=-1))


def _apply(boxes: Boxes, pairs: Ints, unions: Boxes) -> Boxes:
    """Replace pairs by the rectangles around them, each rectangle in one pair at most."""
    left = np.ones(len(boxes), dtype=np.bool_)
    new = []
    for at, (one, other) in enumerate(pairs.tolist()):
        if left[one] and left[other]:
            left[[one, other]] = False
            new.append(unions[at])
    return np.concatenate((boxes[left], np.stack(new)))


def _shrunk(orders: SceneOrders, boxes: Boxes, wanted: Cells) -> Boxes:
    """Drop rectangles that others make needless, and shrink the others to what they have to cover."""
    if len(boxes) > MOST_SHRUNK:
        return boxes
    legal = widened(boxes, orders.tile.narrowest, wanted.shape)
    covers = np.zeros(wanted.shape, dtype=np.int64)
    for top, left, bottom, right in legal.tolist():
        covers[top:bottom, left:right] += 1
    kept = []
    for at in np.argsort(weights_of(orders, boxes), kind="stable").tolist():
        top, left, bottom, right = legal[at].tolist()
        part = np.s_[top:bottom, left:right]
        rows, columns = np.nonzero(wanted[part] & (covers[part] == 1))
        covers[part] -= 1
        if len(rows):
            box = np.array(
                [[top + rows.min(), left + columns.min(), top + rows.max() + 1, left + columns.max() + 1]]
            )
            ((first, second, third, fourth),) = widened(box, orders.tile.narrowest, wanted.shape).tolist()
            covers[first:third, second:fourth] += 1
            kept.append(box[0])
    return np.stack(kept)
