"""The shapes to order for chosen patches of several tiles: the cheapest of several searches. Pure numpy.

The searches: shapes tile by tile; rectangles, from divisions of the scene by straight cuts; and paths of
cells that join distant shapes where the rules allow it. Where any connected shape is legal and the parts are
few, the last search is exact.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.planner.box_search import cheapest_boxes, finer_boxes, plain_boxes
from service.planner.exact_joins import MOST_PARTS, cheapest_parts
from service.planner.part_joins import join_parts
from service.planner.ruled_joins import join_under_rules
from service.planner.scene_orders import (
    Cells,
    Ints,
    SceneOrders,
    ShapeLayout,
    empty_layout,
    layout_of,
    on_lattice,
)
from service.planner.tile_layouts import arrange_by_tile, merge_touching
from service.pricing.shape_rules import ANY_SHAPE

MOST_REFINED = 40
"""Number of joined shapes that are searched exactly, one by one."""


class Arrange(Protocol):
    """A way to arrange the shapes to order for chosen patches (T, 16)."""

    def __call__(self, orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
        """Return legal shapes that cover the patches. The same patches give the same shapes."""


def arrange_shapes(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Arrange the shapes to order for chosen patches (T, 16). The same patches give the same shapes."""
    found = [arrange_grouped(orders, selected)]
    if selected.any() and orders.tile.narrowest <= min(orders.cells_cm2.shape):
        found += _finer(orders, on_lattice(orders, selected))
    return min(found, key=_rank)


def arrange_grouped(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Arrange as `arrange_shapes`, with rectangles that end between different rows and columns only."""
    if not selected.any():
        return empty_layout(orders.terms)
    found = [arrange_quickly(orders, selected)]
    if orders.tile.narrowest <= min(orders.cells_cm2.shape):
        wanted = on_lattice(orders, selected)
        search = _connected if orders.terms.rules == ANY_SHAPE else _under_rules
        found += search(orders, wanted, arrange_by_tile(orders, selected))
    return min(found, key=_rank)


def arrange_quickly(orders: SceneOrders, selected: NDArray[np.bool_]) -> ShapeLayout:
    """Arrange legal shapes in less time; they may cost more than those of `arrange_shapes`."""
    if not selected.any():
        return empty_layout(orders.terms)
    found = [arrange_by_tile(orders, selected)]
    if orders.terms.rules == ANY_SHAPE:
        wanted = on_lattice(orders, selected)
        found.append(_parts(orders, join_parts(orders, wanted, rounds=1)))
        found += plain_boxes(orders, wanted) if orders.splitting_pays else []
    return min(found, key=_rank)


ARRANGEMENTS: tuple[Arrange, ...] = (arrange_by_tile, arrange_grouped, arrange_shapes)
"""Every arrangement that a stored plan was billed for, by its number. Append; never change one."""
NEWEST = len(ARRANGEMENTS) - 1
"""The arrangement of new plans."""


def _rank(layout: ShapeLayout) -> tuple[int, int]:
    """Return the cost, then the area, which is smaller where less is padding."""
    return layout.amount.minor, int(layout.areas_cm2.sum())


def _connected(orders: SceneOrders, wanted: Cells, _by_tile: ShapeLayout) -> Iterator[ShapeLayout]:
    """Search where any connected shape may be ordered."""
    exact = cheapest_parts(orders, wanted)
    if exact is not None:
        yield _parts(orders, exact)
    else:
        yield _parts(orders, _refined(orders, wanted, join_parts(orders, wanted)))
    if exact is None or orders.splitting_pays:
        yield from plain_boxes(orders, wanted)


def _under_rules(orders: SceneOrders, wanted: Cells, by_tile: ShapeLayout) -> Iterator[ShapeLayout]:
    """Search where shapes have to keep rules."""
    in_boxes = cheapest_boxes(orders, wanted, by_tile)
    yield in_boxes
    if not orders.terms.rules.convex:
        yield from (_joined(orders, one) for one in (in_boxes, by_tile))


def _finer(orders: SceneOrders, wanted: Cells) -> Iterator[ShapeLayout]:
    """Search rectangles that also end between equal rows or columns, as far as they can cost less."""
    rules = orders.terms.rules
    if rules == ANY_SHAPE and not orders.splitting_pays:
        return
    for one in finer_boxes(orders, wanted):
        yield one
        if not (rules.convex or rules == ANY_SHAPE):
            yield _joined(orders, one)


def _joined(orders: SceneOrders, one: ShapeLayout) -> ShapeLayout:
    """Merge the shapes that touch, and join others, where the rules allow it and it costs less."""
    merged = merge_touching(orders, one.rows, one.columns, one.owner)
    return join_under_rules(orders, layout_of(orders, one.rows, one.columns, merged))


def _parts(orders: SceneOrders, cells: Cells) -> ShapeLayout:
    """Order every connected part of some cells as a shape."""
    parts: Ints = ndimage.label(cells)[0]
    rows, columns = np.nonzero(cells)
    return layout_of(orders, rows, columns, parts[rows, columns].astype(np.int64))


def _refined(orders: SceneOrders, wanted: Cells, joined: Cells) -> Cells:
    """Search the first shapes that hold a few wanted parts exactly, each by itself."""
    shapes, count = ndimage.label(joined)
    parts = ndimage.label(wanted)[0]
    first = np.unique(parts[wanted], return_index=True)[1]
    held = np.bincount(shapes[wanted][first], minlength=count + 1)
    places, cells = ndimage.find_objects(shapes), joined.copy()
    for shape in np.flatnonzero((held >= 2) & (held <= MOST_PARTS))[:MOST_REFINED].tolist():
        orders.check()
        place = places[shape - 1]
        own = shapes[place] == shape
        found = cheapest_parts(orders, wanted[place] & own)
        if found is not None:
            cells[place] = cells[place] & ~own | found
    return cells
