"""Polygons of chosen patches: merged by edges, with nothing lost."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from service.planner.order_shapes import compile_shapes, lattice_of, move


def choose(tiles: int, *patches: tuple[int, int]) -> NDArray[np.bool_]:
    """Return choices (T, 16) with these (tile, patch) pairs chosen."""
    selected = np.zeros((tiles, 16), dtype=bool)
    for tile, patch in patches:
        selected[tile, patch] = True
    return selected


def areas(tiles: int) -> NDArray[np.float64]:
    return np.full((tiles, 16), 100.0)


def test_lattice_of_reads_patch_ids_column_major() -> None:
    # Tile 1 of a 2-tile row: patch 6 is row 2, column 1, so lattice row 2, column 4 + 1.
    assert np.argwhere(lattice_of(choose(2, (1, 6)), columns=2)).tolist() == [[2, 5]]
    # Tile 2 of two columns starts the second row of tiles.
    assert np.argwhere(lattice_of(choose(4, (2, 3)), columns=2)).tolist() == [[7, 0]]


@pytest.mark.parametrize(
    ("patches", "counts"),
    [
        ([(0, 0), (0, 1)], [2]),  # one above the other
        ([(0, 0), (0, 4)], [2]),  # side by side
        ([(0, 12), (1, 0)], [2]),  # across the edge of two tiles
        ([(0, 0), (0, 5)], [1, 1]),  # a shared corner does not join patches
        ([(0, 0), (0, 2)], [1, 1]),
        ([], []),
    ],
)
def test_compile_shapes_merges_patches_that_share_an_edge(
    patches: list[tuple[int, int]], counts: list[int]
) -> None:
    shapes = compile_shapes(choose(2, *patches), areas(2), columns=2)
    assert [shape.patches for shape in shapes] == counts


def test_compile_shapes_keeps_holes() -> None:
    ring = [(0, patch) for patch in (0, 1, 2, 4, 6, 8, 9, 10)]  # 3 x 3 without its middle
    (shape,) = compile_shapes(choose(1, *ring), areas(1), columns=1)
    assert (shape.patches, shape.area_m2, shape.polygon.area) == (8, 800.0, 8.0)
    assert len(shape.polygon.interiors) == 1


def test_compile_shapes_keeps_every_patch_corner_on_an_outline() -> None:
    (shape,) = compile_shapes(choose(1, (0, 0), (0, 1), (0, 2)), areas(1), columns=1)
    assert len(shape.polygon.exterior.coords) == 9  # eight corners, closed


def test_compile_shapes_sums_the_areas_of_its_patches() -> None:
    sizes = np.arange(16.0)[None]
    shapes = compile_shapes(choose(1, (0, 0), (0, 1), (0, 10), (0, 14)), sizes, columns=1)
    assert [shape.area_m2 for shape in shapes] == [1.0, 24.0]


@given(selected=npst.arrays(np.bool_, (6, 16)), columns=st.sampled_from([1, 2, 3, 6]))
def test_compile_shapes_covers_exactly_the_chosen_patches(selected: NDArray[np.bool_], columns: int) -> None:
    sizes = np.random.default_rng(5).random((6, 16))
    shapes = compile_shapes(selected, sizes, columns)
    assert sum(shape.patches for shape in shapes) == selected.sum()
    assert sum(shape.area_m2 for shape in shapes) == pytest.approx(sizes[selected].sum())
    assert all(shape.polygon.is_valid for shape in shapes)
    polygons = [shape.polygon for shape in shapes]
    together = shapely.union_all(polygons)
    rows, cols = np.nonzero(lattice_of(selected, columns))
    cells = shapely.union_all(shapely.box(cols, rows, cols + 1, rows + 1))
    assert cells.symmetric_difference(together).area == 0
    # Neither areas nor edges in common: they touch in corners at most.
    assert together.area == sum(polygon.area for polygon in polygons)
    assert together.length == sum(polygon.length for polygon in polygons)


def test_move_applies_the_affine_to_each_point() -> None:
    transform = Affine.translation(5, 7) @ Affine.rotation(30) @ Affine.scale(2, -3)
    points = np.array([[0.0, 0.0], [1.0, 2.0], [-4.0, 0.5]])
    expected = [transform @ (float(x), float(y)) for x, y in points]
    assert move(transform, points) == pytest.approx(np.array(expected))
