"""Choices by polygon on small scenes, against the best of all choices."""

from itertools import product

import numpy as np
import pytest

from training.where.bills import Terms, billed_km2
from training.where.shapes import Scene, choose

TERMS = Terms(patch_km2=0.25, minimum_km2=1.0)
NOTHING = np.zeros((3, 4), np.bool_)


def every_mask() -> list[np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    return [np.array(cells).reshape(3, 4) for cells in product([False, True], repeat=12)]


@pytest.mark.parametrize("minimum", [0.0, 0.5, 1.0, 1.5])
def test_choice_is_near_the_best_of_all_choices(minimum: float) -> None:
    terms = Terms(patch_km2=0.25, minimum_km2=minimum)
    masks = every_mask()
    billed = np.array([billed_km2(mask, terms) for mask in masks])
    flat = np.array([mask.ravel() for mask in masks]).astype(float)
    random = np.random.default_rng(0)
    gained, best = 0.0, 0.0
    for _ in range(5):
        scene = Scene(values=random.gamma(0.3, 3.0, (3, 4)), terms=terms)
        for price in (0.5, 2.0, 6.0):
            gained += scene.gain(choose(scene, price, NOTHING), price)
            best += float((flat @ scene.values.ravel() - price * billed).max())
    assert gained >= 0.98 * best


def test_a_polygon_below_its_minimum_takes_neighbours_that_cost_nothing() -> None:
    values = np.array([[9.0, 0.1, 0.0, 0.0], [0.2, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    chosen = choose(Scene(values=values, terms=TERMS), 1.0, NOTHING)
    assert chosen[:2, :2].all()
    assert chosen.sum() == 4


def test_two_patches_near_each_other_are_joined_to_one_bill() -> None:
    values = np.zeros((3, 4))
    values[1, 0] = values[1, 3] = 5.0
    chosen = choose(Scene(values=values, terms=TERMS), 2.0, NOTHING)
    assert billed_km2(chosen, TERMS) == 1.0
    assert chosen[1].all()


def test_a_polygon_worth_less_than_its_bill_is_dropped() -> None:
    values = np.zeros((3, 4))
    values[0, 0] = 0.9  # more than the price of its own area, less than that of the minimum
    assert not choose(Scene(values=values, terms=TERMS), 1.0, NOTHING).any()


def test_where_the_minimum_exceeds_the_scene_the_whole_scene_is_bought_or_nothing() -> None:
    terms = Terms(patch_km2=0.25, minimum_km2=5.0)
    scene = Scene(values=np.full((3, 4), 1.0), terms=terms)
    assert choose(scene, 2.0, NOTHING).all()
    assert not choose(scene, 3.0, NOTHING).any()
