"""Savings of orders that rely on the ground of other orders."""

from typing import Any
from uuid import UUID

from service.reports.figures import OrderFigures, ReusedFrom
from tests.support.figures import make_ground, make_order, total
from tests.support.money import cents

EVERYTHING = ReusedFrom(order_id=UUID(int=1), owned=0, on_order=4)


def reuse_only(status: str = "completed", reuses: ReusedFrom = EVERYTHING, **overrides: Any) -> OrderFigures:
    """Make order 2, which buys nothing because order 1 buys its four patches; they are worth 40.00."""
    values = {"cost": 0, "list_cost": 0, "patches_bought": 0, "reused": 40_00, "list_reused": 25_00}
    return make_order(2, status, reuses=(reuses,), **(values | overrides))


def test_order_realises_nothing_while_patches_that_it_reuses_are_awaited() -> None:
    waiting = total(make_order(), reuse_only())
    half = total(make_order(delivered=2, settled=20_00), reuse_only())
    came = total(make_order(status="completed", delivered=4, settled=40_00), reuse_only())

    assert (waiting.realised_saving, half.realised_saving) == (None, None)
    assert came.realised_saving == cents(60_00)
    assert (waiting.ordered_saving, came.ordered_saving) == (cents(60_00), cents(60_00))
    assert (waiting.completed, waiting.open) == (1, 1)


def test_order_of_ground_that_never_comes_saves_nothing() -> None:
    for status in ("user_cancelled", "rejected", "expired"):
        savings = total(make_order(status=status), reuse_only())

        assert savings.realised_saving is None
        assert (savings.ordered_saving, savings.reused_saving) == (cents(0), cents(0))


def test_order_of_ground_that_awaits_approval_is_held_like_it() -> None:
    savings = total(make_order(status="held"), reuse_only())

    assert (savings.ordered_saving, savings.realised_saving) == (cents(0), None)
    assert savings.held_saving == cents(60_00)
    assert savings.reused_saving == cents(0)


def test_saving_by_reuse_leaves_out_patches_that_never_came() -> None:
    cancelled = make_order(status="user_cancelled", delivered=3, settled=30_00)

    assert total(make_order(), reuse_only()).reused_saving == cents(40_00)
    assert total(cancelled, reuse_only()).reused_saving == cents(30_00)
    owned = ReusedFrom(order_id=UUID(int=1), owned=4, on_order=0)
    assert total(cancelled, reuse_only(reuses=owned)).reused_saving == cents(40_00)


def test_saving_by_reuse_counts_once_per_ground() -> None:
    source = make_order(status="completed", delivered=4, settled=40_00)
    same, larger = (reuse_only(order_id=UUID(int=n), reused=worth) for n, worth in ((3, 40_00), (4, 55_00)))

    assert total(source, reuse_only(), same).reused_saving == cents(40_00)
    assert total(source, reuse_only(), same, larger).reused_saving == cents(55_00)


def test_saving_by_reuse_of_overlapping_scenes_counts_by_the_area_that_is_new() -> None:
    source = make_order(status="completed", delivered=4, settled=40_00)
    beside = reuse_only(order_id=UUID(int=3), ground=make_ground(column=1))

    assert abs(total(source, reuse_only(), beside).reused_saving.minor - 60_00) <= 1


def test_ground_of_another_price_list_saves_by_reuse_only() -> None:
    source = make_order(status="completed", delivered=4, settled=40_00)
    alone = total(source)
    dear: dict[str, Any] = {
        "baseline": 900_00,
        "list_baseline": 900_00,
        "reused": 900_00,
        "list_reused": 900_00,
    }

    half = dear | {"reused": 450_00, "list_reused": 450_00}
    some = total(source, reuse_only(price_list="dear", **half))
    assert (some.realised_saving, some.ordered_saving) == (alone.realised_saving, alone.ordered_saving)
    assert (some.list_saving, some.reused_saving) == (alone.list_saving, cents(450_00))

    once = total(source, reuse_only(price_list="dear", **dear))
    twice = total(source, *(reuse_only(price_list="dear", order_id=UUID(int=n), **dear) for n in (2, 3)))

    for savings in (once, twice):
        assert savings.realised_saving == alone.realised_saving
        assert savings.ordered_saving == alone.ordered_saving
        assert savings.list_saving == alone.list_saving
        assert savings.reused_saving == cents(900_00)


def test_reuse_from_another_price_list_is_a_cost_of_an_order_that_buys_as_well() -> None:
    source = make_order(status="completed", delivered=4, settled=40_00)
    order = reuse_only(
        price_list="dear", patches_bought=1, delivered=1, cost=10_00, settled=10_00, list_cost=10_00
    )

    savings, alone = total(source, order), total(source)

    assert savings.realised_saving == cents(60_00 + 100_00 - 10_00 - 40_00)
    assert savings.realised_saving - (alone.realised_saving or cents(0)) == order.planned_saving
    assert savings.reused_saving == cents(40_00)
