"""Shape rules against shapely, over shapes of a 4 x 4 lattice."""

from decimal import Decimal
from functools import cache

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from service.pricing.shape_rules import (
    ANY_SHAPE,
    Convexity,
    MinimumWidth,
    NoHoles,
    ShapeRules,
    VertexLimit,
    count_corners,
)

SAMPLE = np.random.default_rng(5).integers(1, 1 << 16, 3000)


@cache
def connected() -> tuple[NDArray[np.bool_], list[shapely.Polygon]]:
    """Return the connected shapes of the sample: framed cells (N, 6, 6), and their polygons."""
    cells = (SAMPLE[:, None] >> np.arange(16) & 1).reshape(-1, 4, 4).astype(np.bool_)  # column, row
    polygons = []
    kept = []
    for at, shape in enumerate(cells):
        columns, rows = np.nonzero(shape)
        outline = shapely.union_all(shapely.box(columns, rows, columns + 1, rows + 1)).simplify(0)
        if isinstance(outline, shapely.Polygon):
            polygons.append(outline)
            kept.append(at)
    return np.pad(cells[kept], ((0, 0), (1, 1), (1, 1))), polygons


def corners(ring: shapely.LinearRing) -> int:
    """Count the points of a closed ring at which it turns; simplify() keeps its first point."""
    points = np.array(ring.coords)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return int(np.count_nonzero(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]))


def test_count_corners_agrees_with_shapely() -> None:
    cells, polygons = connected()
    expected = [sum(corners(ring) for ring in (one.exterior, *one.interiors)) for one in polygons]
    assert count_corners(cells).tolist() == expected


def test_no_holes_agrees_with_shapely() -> None:
    cells, polygons = connected()
    assert NoHoles().admits(cells).tolist() == [not one.interiors for one in polygons]


def test_convexity_agrees_with_shapely() -> None:
    cells, polygons = connected()
    assert Convexity().admits(cells).tolist() == [one.equals(one.convex_hull) for one in polygons]


@pytest.mark.parametrize(
    ("rows", "width"),
    [
        ("#... .... .... ....", 1),
        ("##.. ##.. .... ....", 2),
        ("##.. ##.. #... ....", 1),
        ("..## .### ##.. ##..", 1),  # every row and column has two cells or more, yet it is thin across
        ("###. ###. ###. ....", 3),
        ("#### #### #### ####", 4),
    ],
)
def test_minimum_width_admits_shapes_that_squares_fill(rows: str, width: int) -> None:
    cells = np.pad(np.array([[mark == "#" for mark in row] for row in rows.split()]), 1)[None]
    widths = [side for side in range(1, 5) if MinimumWidth(metres=Decimal(0), cells=side).admits(cells)[0]]
    assert widths == list(range(1, width + 1))


def test_minimum_width_bounds_the_number_of_cells_from_below() -> None:
    assert ShapeRules(minimum_width_m=Decimal(1000)).least_cells(2) == 4
    assert ShapeRules(convex=True, max_vertices=4).least_cells(1) == 1


@pytest.mark.parametrize(("metres", "cells"), [("0", 1), ("560", 1), ("560.1", 2), ("1120", 2), ("2000", 4)])
def test_narrowest_counts_cells_of_the_mean_area(metres: str, cells: int) -> None:
    assert ShapeRules(minimum_width_m=Decimal(metres)).narrowest(560.0**2 * 10**4) == cells


def test_explain_names_every_rule() -> None:
    rules = ShapeRules(minimum_width_m=Decimal("40.0"), convex=True, holes=False, max_vertices=6)
    assert rules.explain() == (
        "a shape must be at least 40 m wide, be convex, have no holes and have at most 6 vertices"
    )
    assert ANY_SHAPE.explain() is None


def test_active_rules_are_those_of_the_price_list() -> None:
    assert ANY_SHAPE.active() == ()
    assert ShapeRules(max_vertices=6).active() == (VertexLimit(vertices=6),)
