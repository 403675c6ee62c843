"""Legal choices of a tile as they can be counted, and the lightest covers against trying everything."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.planner.tile_orders import (
    BITS,
    CHOICES,
    EVERYTHING,
    cover_with,
    cover_with_parts,
    legal_shapes,
)
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules

SAMPLE = np.random.default_rng(5).integers(1, 1 << 16, 3000)


@pytest.mark.parametrize(
    ("rules", "narrowest", "count"),
    [
        (ANY_SHAPE, 1, 11_506),  # OEIS A059525 without the empty one: connected subgraphs of the 4 x 4 grid
        (ShapeRules(convex=True), 1, 100),  # rectangles of a 4 x 4 grid
        (ShapeRules(max_vertices=4), 1, 100),
        (ShapeRules(convex=True), 2, 36),
        (ShapeRules(convex=True), 4, 1),
        (ShapeRules(), 9, 1),
    ],
)
def test_legal_shapes_are_as_many_as_the_literature_counts(
    rules: ShapeRules, narrowest: int, count: int
) -> None:
    assert len(legal_shapes(rules, narrowest)) == count


def test_legal_shapes_include_a_ring_only_where_holes_are_accepted() -> None:
    ring = EVERYTHING & ~(1 << 5)
    assert ring in legal_shapes(ShapeRules(), 1)
    assert ring not in legal_shapes(ShapeRules(holes=False), 1)


def weights_of(minimum: int) -> NDArray[np.int64]:
    """Return the number of patches of each choice, at least `minimum`; 0 for no patch."""
    return np.asarray(np.maximum(BITS.sum(axis=1), minimum) * (CHOICES > 0))


@pytest.mark.parametrize("minimum", [1, 3, 6])
def test_cover_with_is_no_heavier_than_any_three_rectangles(minimum: int) -> None:
    rectangles, weights = legal_shapes(ShapeRules(convex=True), 1), weights_of(minimum)
    cover = cover_with(rectangles, weights)
    lightest = np.full(1 << 16, 10**9)
    for size in (1, 2, 3):
        groups = np.array(list(combinations(rectangles.tolist(), size)))
        held, total = np.bitwise_or.reduce(groups, axis=1), weights[groups].sum(axis=1)
        np.minimum.at(lightest, held, total)
    for patch in range(16):  # a set that contains more contains this choice too
        without = CHOICES[(CHOICES >> patch) & 1 == 0]
        lightest[without] = np.minimum(lightest[without], lightest[without | 1 << patch])
    reached = lightest < 10**9
    few = np.array([len(cover.shapes(choice)) <= 3 for choice in CHOICES.tolist()])
    assert (cover.weights[1:] <= lightest[1:])[reached[1:]].all()
    assert (cover.weights[1:] == lightest[1:])[few[1:]].all()


@pytest.mark.parametrize(
    "rules", [ShapeRules(convex=True), ShapeRules(max_vertices=6)], ids=["convex", "six"]
)
def test_cover_with_lists_legal_shapes_that_contain_the_choice(
    rules: ShapeRules,
) -> None:
    shapes, weights = legal_shapes(rules, 1), weights_of(2)
    cover = cover_with(shapes, weights)
    for choice in SAMPLE[:500].tolist():
        taken = cover.shapes(choice)
        assert set(taken) <= set(shapes.tolist())
        assert np.bitwise_or.reduce(taken) & choice == choice
        assert sum(weights[shape] for shape in taken) == cover.weights[choice]


def test_cover_with_parts_covers_each_part_separately() -> None:
    weights = weights_of(3)
    cover = cover_with_parts(weights)
    choice = 0b1_0000_0000_0011  # two patches that touch, and one that does not
    assert sorted(cover.shapes(choice)) == [0b11, 0b1_0000_0000_0000]
    assert cover.weights[choice] == 6
    assert cover.weights[0] == 0


def test_cover_with_parts_is_no_lighter_than_the_cover_with_small_shapes() -> None:
    """`make prove-planner` compares all choices and all shapes."""
    weights, size = weights_of(3), BITS.sum(axis=1)
    connected = legal_shapes(ANY_SHAPE, 1)
    small = cover_with(connected[size[connected] <= 5], weights)
    assert (small.weights <= cover_with_parts(weights).weights)[size <= 5].all()
