"""Every choice of a tile against shapely, and the lightest covers against trying everything."""

from itertools import combinations

import numpy as np
import pytest
import shapely

from service.planner.tile_shapes import (
    BITS,
    CHOICES,
    EVERYTHING,
    cover_with,
    cover_with_parts,
    forms,
    legal_shapes,
)
from service.pricing.billing import ShapeRules

SAMPLE = np.random.default_rng(5).integers(1, 1 << 16, 3000)


def outline(choice: int) -> shapely.Geometry:
    """The union of a choice's unit squares, without needless vertices."""
    patches = np.flatnonzero(BITS[choice])
    squares = shapely.box(patches // 4, patches % 4, patches // 4 + 1, patches % 4 + 1)
    return shapely.union_all(squares).simplify(0)


def test_connected_choices_are_counted_as_the_literature_counts_them() -> None:
    # OEIS A059525: connected induced subgraphs of the 4 x 4 grid, the empty one left out.
    assert forms().connected.sum() == 11_506


@pytest.mark.parametrize("part", np.array_split(SAMPLE, 10), ids=range(10))
def test_shapes_are_what_shapely_sees(part: np.ndarray) -> None:
    form = forms()
    for choice in part.tolist():
        shape = outline(choice)
        connected = shape.geom_type == "Polygon"
        assert form.connected[choice] == connected, choice
        if connected:
            rings = [shape.exterior, *shape.interiors]
            assert form.hole[choice] == bool(shape.interiors), choice
            assert form.vertices[choice] == sum(corners(ring) for ring in rings), choice


def corners(ring: shapely.LinearRing) -> int:
    """Points of a closed ring at which it turns; simplify leaves its first point even on a straight."""
    points = np.array(ring.coords)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return int(np.count_nonzero(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]))


@pytest.mark.parametrize(
    ("rows", "width"),
    [
        ("#... .... .... ....", 1),
        ("##.. ##.. .... ....", 2),
        ("##.. ##.. #... ....", 1),
        ("..## .### ##.. ##..", 1),  # every row and column has two and more, yet it is thin across
        ("###. ###. ###. ....", 3),
        ("#### #### #### ####", 4),
    ],
)
def test_a_shape_is_as_wide_as_the_squares_that_fill_it(rows: str, width: int) -> None:
    marks = rows.split()
    choice = sum(
        1 << row + 4 * column for row in range(4) for column in range(4) if marks[row][column] == "#"
    )
    wide = [narrowest for narrowest in range(1, 5) if choice in legal_shapes(ShapeRules(), narrowest)]
    assert wide == list(range(1, width + 1))


@pytest.mark.parametrize(
    ("rules", "narrowest", "count"),
    [
        (ShapeRules(), 1, 11_506),
        (ShapeRules(convex=True), 1, 100),  # rectangles of a 4 x 4 grid
        (ShapeRules(max_vertices=4), 1, 100),
        (ShapeRules(convex=True), 2, 36),
        (ShapeRules(convex=True), 4, 1),
        (ShapeRules(), 9, 1),
    ],
)
def test_legal_shapes_are_as_many_as_can_be_counted(rules: ShapeRules, narrowest: int, count: int) -> None:
    assert len(legal_shapes(rules, narrowest)) == count


def test_a_ring_is_legal_only_where_holes_are() -> None:
    ring = EVERYTHING & ~(1 << 5)
    assert ring in legal_shapes(ShapeRules(), 1)
    assert ring not in legal_shapes(ShapeRules(holes=False), 1)


def weights_of(minimum: int) -> np.ndarray:
    """Patches, at least `minimum`."""
    return np.maximum(BITS.sum(axis=1), minimum) * (CHOICES > 0)


@pytest.mark.parametrize("minimum", [1, 3, 6])
def test_no_three_rectangles_are_lighter_than_the_cover(minimum: int) -> None:
    rectangles, weights = legal_shapes(ShapeRules(convex=True), 1), weights_of(minimum)
    cover = cover_with(rectangles, weights)
    lightest = np.full(1 << 16, 10**9)
    for size in (1, 2, 3):
        groups = np.array(list(combinations(rectangles.tolist(), size)))
        held, total = np.bitwise_or.reduce(groups, axis=1), weights[groups].sum(axis=1)
        np.minimum.at(lightest, held, total)
    for patch in range(16):  # a lighter set that holds more holds this too
        without = CHOICES[(CHOICES >> patch) & 1 == 0]
        lightest[without] = np.minimum(lightest[without], lightest[without | 1 << patch])
    reached = lightest < 10**9
    few = np.array([len(cover.shapes(choice)) <= 3 for choice in CHOICES.tolist()])
    assert (cover.weights[1:] <= lightest[1:])[reached[1:]].all()
    assert (cover.weights[1:] == lightest[1:])[few[1:]].all()


@pytest.mark.parametrize(
    "rules", [ShapeRules(convex=True), ShapeRules(max_vertices=6)], ids=["convex", "six"]
)
def test_a_cover_is_made_of_legal_shapes_that_hold_the_choice_and_weigh_what_it_says(
    rules: ShapeRules,
) -> None:
    shapes, weights = legal_shapes(rules, 1), weights_of(2)
    cover = cover_with(shapes, weights)
    for choice in SAMPLE[:500].tolist():
        taken = cover.shapes(choice)
        assert set(taken) <= set(shapes.tolist())
        assert np.bitwise_or.reduce(taken) & choice == choice
        assert sum(weights[shape] for shape in taken) == cover.weights[choice]


def test_parts_are_covered_one_by_one() -> None:
    weights = weights_of(3)
    cover = cover_with_parts(weights)
    choice = 0b1_0000_0000_0011  # two patches that touch, and one that does not
    assert sorted(cover.shapes(choice)) == [0b11, 0b1_0000_0000_0000]
    assert cover.weights[choice] == 6
    assert cover.weights[0] == 0
    assert (cover_with(CHOICES[forms().connected], weights).weights <= cover.weights).all()
