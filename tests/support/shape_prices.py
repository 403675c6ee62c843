"""The price of the cheapest order of any choice of a tile's patches, found without the planner's methods.

Shapes are found by walking from patch to patch and measured by shapely. Their cheapest sets are found by
trying unions until none is cheaper.
"""

import math
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from service.pricing.billing import PriceTerms, bill, tariff_of
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules

CHOICES = 1 << 16
NEVER = 2**60
NOTHING = np.array(None, dtype=object)

Ints = NDArray[np.int64]


def order_amounts(terms: PriceTerms, patch_cm2: int) -> Ints:
    """Return minor units of each of the 65,536 choices; every patch has the same area."""
    weights = np.array([_weight(terms, size * patch_cm2) for size in range(17)])
    if terms.rules == ANY_SHAPE:
        totals = np.array([sum(weights[size] for size in _part_sizes(choice)) for choice in range(CHOICES)])
    else:
        totals = _unions(terms, patch_cm2, weights)
    return totals if not terms.areas_summed else tariff_of(terms).amounts(totals)


def _weight(terms: PriceTerms, area_cm2: int) -> int:
    """Return what one shape adds to an order: billable area on a shared invoice, else its own bill."""
    if not terms.areas_summed:
        return bill([area_cm2], terms).amount.minor
    minimum = int(terms.minimum_km2 * 10**10) if terms.minimum_applies_to == "shape" else 0
    return max(area_cm2, minimum) if area_cm2 else 0


def _unions(terms: PriceTerms, patch_cm2: int, weights: Ints) -> Ints:
    narrowest = math.ceil(float(terms.rules.minimum_width_m) / math.sqrt(patch_cm2 / 1e4) - 1e-6)
    if narrowest > 4:  # a square around the whole tile, whatever is wanted of it
        totals = np.full(CHOICES, _weight(terms, narrowest**2 * patch_cm2))
        totals[0] = 0
        return totals
    totals = np.full(CHOICES, NEVER)
    totals[0] = 0
    everyone = np.arange(CHOICES)
    while True:
        before = totals.copy()
        for shape in _legal(terms.rules, narrowest):
            np.minimum.at(totals, everyone | shape, totals + weights[shape.bit_count()])
        if (totals == before).all():
            break
    for patch in range(16):
        without = everyone[(everyone >> patch) & 1 == 0]
        totals[without] = np.minimum(totals[without], totals[without | 1 << patch])
    return totals


@cache
def _part_sizes(choice: int) -> tuple[int, ...]:
    """Return the sizes of the connected parts, by walking from patch to patch."""
    left = {patch for patch in range(16) if choice >> patch & 1}
    sizes = []
    while left:
        edge, size = [left.pop()], 0
        while edge:
            patch, size = edge.pop(), size + 1
            row, column = patch % 4, patch // 4
            near = [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
            for there in (r + 4 * c for r, c in near if 0 <= r < 4 and 0 <= c < 4):
                if there in left:
                    left.remove(there)
                    edge.append(there)
        sizes.append(size)
    return tuple(sizes)


@cache
def _connected() -> tuple[tuple[int, ...], NDArray[np.object_]]:
    """Return the connected choices and their polygons."""
    choices = tuple(choice for choice in range(1, CHOICES) if len(_part_sizes(choice)) == 1)
    patches = np.arange(16)
    squares = np.array(shapely.box(patches // 4, patches % 4, patches // 4 + 1, patches % 4 + 1))
    held = np.array([[choice >> patch & 1 for patch in range(16)] for choice in choices], dtype=np.bool_)
    return choices, np.asarray(shapely.coverage_union_all(np.where(held, squares, NOTHING), axis=1))


@cache
def _legal(rules: ShapeRules, narrowest: int) -> tuple[int, ...]:
    """Return the connected choices that keep the rules."""
    choices, shapes = _connected()
    legal = np.ones(len(choices), dtype=np.bool_)
    if rules.convex:
        legal &= shapely.equals(shapes, shapely.envelope(shapes))
    if not rules.holes:
        legal &= shapely.get_num_interior_rings(shapes) == 0
    if rules.max_vertices is not None:
        legal &= np.array([_vertices(shape) <= rules.max_vertices for shape in shapes])
    if narrowest > 1:
        legal &= _filled_by_squares(shapes, narrowest)
    return tuple(choice for choice, is_legal in zip(choices, legal, strict=True) if is_legal)


def _filled_by_squares(shapes: NDArray[np.object_], side: int) -> NDArray[np.bool_]:
    """Return which shapes are filled by the squares that fit in them; others have a thinner part."""
    starts = range(5 - side)
    squares = np.array([shapely.box(x, y, x + side, y + side) for x in starts for y in starts])
    inside = shapely.covers(shapes[:, None], squares)
    filled = shapely.union_all(np.where(inside, squares, NOTHING), axis=1)
    return np.asarray(shapely.area(filled) == shapely.area(shapes))


def _vertices(shape: shapely.Polygon) -> int:
    count = 0
    for ring in (shape.exterior, *shape.interiors):
        points = np.array(ring.coords)[:-1]
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        count += int(np.count_nonzero(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]))
    return count
