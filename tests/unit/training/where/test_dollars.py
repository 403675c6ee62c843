"""Savings along a sweep of hand-made bills, and the sweep of random scenes."""

import numpy as np
import pytest

from tests.support.objects import random_scenes
from training.objects.maps import FACTORS
from training.where import dollars, evidence
from training.where.bills import Terms
from training.where.dollars import BUDGETS, SWEPT, Frontier, frontier, swept, swept_by_shape
from training.where.evidence import bills, row_of
from training.where.orders import OURS
from training.where.rows import PORTFOLIO, Seen

BINS = (1, 10)
TERMS = Terms(patch_km2=0.04, minimum_km2=1.0)


def steps(*points: tuple[float, float]) -> Frontier:
    """Return a frontier of one scene at each of two sites, with these bills and objects found."""
    bills, found = np.array(points).T
    return Frontier(
        sites=("a", "b"),
        bills=np.stack([bills, bills], axis=1),
        found=np.stack([found, found], axis=1),
        whole=np.array([100.0, 100.0]),
        objects=np.array([10.0, 10.0]),
    )


def test_saving_is_that_of_the_cheapest_choice_that_finds_enough() -> None:
    # The larger choice costs less: its polygons have grown together.
    found = steps((0, 0), (50, 9), (40, 9.5), (100, 10)).saving(0.9)
    assert found == pytest.approx((0.6, 0.6, 0.6))


def test_saving_is_zero_where_only_everything_finds_enough() -> None:
    assert steps((0, 0), (50, 8), (100, 10)).saving(0.9)[0] == pytest.approx(0)


def test_saving_of_unlike_sites_has_an_interval() -> None:
    one = Frontier(
        sites=("a", "b"),
        bills=np.array([[0, 0], [10, 60], [100, 100]], float),
        found=np.array([[0, 0], [9, 9], [10, 10]], float),
        whole=np.array([100.0, 100.0]),
        objects=np.array([10.0, 10.0]),
    )
    assert one.saving(0.9) == pytest.approx((0.65, 0.4, 0.9))


def test_found_for_takes_the_best_choice_within_a_bill() -> None:
    one = steps((0, 0), (50, 9), (40, 9.5), (100, 10))
    assert one.found_for(0.45) == pytest.approx(0.95)
    assert one.found_for(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize("factor", FACTORS)
def test_sweeps_go_from_nothing_to_everything(factor: int) -> None:
    seen = [Seen(maps=random_scenes(2))]
    made = frontier(seen, swept(seen, row_of(OURS, PORTFOLIO, BINS), factor), TERMS)
    assert len(made.bills) == len(SWEPT)
    assert made.shares[0].tolist() == [0, 0]
    assert made.shares[-1].tolist() == pytest.approx([1, 1])


def test_choices_that_know_about_polygons_save_more_under_a_minimum() -> None:
    seen = [Seen(maps=random_scenes(2))]
    plain = frontier(seen, swept(seen, row_of(OURS, PORTFOLIO, BINS), 1), TERMS)
    shaped = frontier(seen, swept_by_shape(seen, 1, TERMS), TERMS)
    assert shaped.saving(0.8)[0] > plain.saving(0.8)[0] + 0.05


def test_bills_leave_out_patches_of_which_no_scene_holds_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dollars, evidence):
        monkeypatch.setattr(module, "SWEPT", (0.0, *BUDGETS, 16.0))
    found = bills([Seen(maps=random_scenes(2, side=2))], 200.0, BINS)
    assert {bill["patch_m"] for bill in found} == {200.0, 400.0}
