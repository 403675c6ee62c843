"""What the cheapest order of any choice of a tile's patches costs, worked out without the planner's methods.

Shapes are found by walking and measured by shapely; their sets by trying unions until none is cheaper.
"""

import math
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from service.pricing.billing import ANY_SHAPE, Terms, bill, tariff_of

CHOICES = 1 << 16
NEVER = 2**60


def order_amounts(terms: Terms, patch_cm2: int) -> NDArray[np.int64]:
    """Minor units of each of the 65,536 choices; every patch of one area."""
    weights = np.array([_weight(terms, size * patch_cm2) for size in range(17)])
    if terms.rules == ANY_SHAPE:
        totals = np.array([sum(weights[size] for size in _part_sizes(choice)) for choice in range(CHOICES)])
    else:
        totals = _unions(terms, patch_cm2, weights)
    return totals if not terms.areas_summed else tariff_of(terms).amounts(totals)


def _weight(terms: Terms, area_cm2: int) -> int:
    """What one shape adds to an order: billable area where areas are summed, else its own bill."""
    if not terms.areas_summed:
        return bill([area_cm2], terms).amount.minor
    return max(area_cm2, terms.minimum_cm2) if area_cm2 and terms.minimum_applies_to == "shape" else area_cm2


def _unions(terms: Terms, patch_cm2: int, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    narrowest = math.ceil(float(terms.rules.minimum_width_m) / math.sqrt(patch_cm2 / 1e4) - 1e-6)
    if narrowest > 4:  # a square around the whole tile, whatever is wanted of it
        totals = np.full(CHOICES, _weight(terms, narrowest**2 * patch_cm2))
        totals[0] = 0
        return totals
    shapes = [(choice, size) for choice, size in _connected() if _is_legal(choice, terms, narrowest)]
    totals = np.full(CHOICES, NEVER)
    totals[0] = 0
    everyone = np.arange(CHOICES)
    while True:
        before = totals.copy()
        for shape, size in shapes:
            np.minimum.at(totals, everyone | shape, totals + weights[size])
        if (totals == before).all():
            break
    for patch in range(16):
        without = everyone[(everyone >> patch) & 1 == 0]
        totals[without] = np.minimum(totals[without], totals[without | 1 << patch])
    return totals


@cache
def _connected() -> list[tuple[int, int]]:
    return [(choice, sizes[0]) for choice in range(CHOICES) if len(sizes := _part_sizes(choice)) == 1]


@cache
def _part_sizes(choice: int) -> tuple[int, ...]:
    """Sizes of the connected parts, by walking from patch to patch."""
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


def _is_legal(choice: int, terms: Terms, narrowest: int) -> bool:
    patches = np.array([patch for patch in range(16) if choice >> patch & 1])
    rules, rows, columns = terms.rules, patches % 4, patches // 4
    shape = shapely.union_all(shapely.box(columns, rows, columns + 1, rows + 1))
    if rules.convex and not shape.equals(shapely.envelope(shape)):
        return False
    if not rules.holes and shape.interiors:
        return False
    if rules.max_vertices is not None and _vertices(shape) > rules.max_vertices:
        return False
    # Squares of the least width, wherever they fit, must fill the shape: else some part is thinner.
    squares = [
        shapely.box(x, y, x + narrowest, y + narrowest)
        for x in range(5 - narrowest)
        for y in range(5 - narrowest)
    ]
    inside = [square for square in squares if shape.covers(square)]
    thick = narrowest <= 1 or (bool(inside) and shapely.union_all(inside).equals(shape))
    return bool(thick)


def _vertices(shape: shapely.Polygon) -> int:
    count = 0
    for ring in (shape.exterior, *shape.interiors):
        points = np.array(ring.coords)[:-1]
        before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        count += int(np.count_nonzero(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]))
    return count
