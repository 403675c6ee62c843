"""Savings over orders: the price of a ground counts once, and every payment counts."""

import pytest

from service.money import Money
from service.reports.proven import proven_by, proven_by_all
from service.reports.savings import count_orders, savings_by_currency
from service.reports.schemas import SAVINGS_COLUMNS, CurrencySavings, OrderSavings, savings_row
from service.truth.scoring import LabelScore
from service.web.tabular import to_csv
from tests.support.figures import make_ground, make_order, total
from tests.support.money import cents


def test_savings_realise_the_baseline_minus_what_was_paid() -> None:
    savings = total(make_order(status="completed", settled=40_00, refunded=5_00, charged=1_00))

    assert (savings.realised_saving, savings.ordered_saving) == (cents(64_00), cents(60_00))
    assert savings.list_saving == cents(75_00)
    assert (savings.orders, savings.completed, savings.open) == (1, 1, 0)


def test_savings_count_a_ground_once_however_many_orders_buy_it() -> None:
    orders = [make_order(number, "completed", cost=1_00, settled=1_00) for number in (1, 2, 3)]

    savings = total(*orders)

    assert savings.baseline == savings.realised_baseline == cents(100_00)
    assert savings.realised_saving == savings.ordered_saving == cents(97_00)


def test_savings_count_a_ground_once_for_all_versions_of_a_price_list_and_again_for_another_list() -> None:
    dearer = make_order(2, baseline=120_00)

    assert total(make_order(), dearer).baseline == cents(100_00)
    assert total(make_order(), make_order(2, price_list="other")).baseline == cents(200_00)


def test_savings_count_overlapping_scenes_by_the_area_that_is_new() -> None:
    half_new = make_order(2, ground=make_ground(column=1))
    beside = make_order(3, ground=make_ground(column=3))

    first, second, third = count_orders([make_order(), half_new, beside])

    assert abs(second.baseline.minor - 50_00) <= 1
    assert (first.baseline, third.baseline) == (cents(100_00), cents(100_00))


def test_held_order_moves_neither_ordered_nor_realised() -> None:
    before = total(make_order(2, status="completed", settled=40_00))
    after = total(make_order(1, "held"), make_order(2, status="completed", settled=40_00))

    assert after.held_saving == cents(-40_00)  # the ground is ordered already: approval only costs
    assert (after.ordered_saving, after.realised_saving) == (before.ordered_saving, before.realised_saving)
    assert total(make_order(status="held")).held_saving == cents(60_00)
    assert total(make_order(status="held")).ordered_saving == cents(0)


def test_ended_orders_save_nothing_and_what_was_paid_on_them_stays_a_cost() -> None:
    for status in ("user_cancelled", "rejected", "expired"):
        savings = total(make_order(status=status, settled=10_00, refunded=3_00))

        assert (savings.baseline, savings.ordered_saving) == (cents(0), cents(-7_00))
        assert savings.realised_saving == cents(-7_00)
        assert savings.settled == savings.settled_on_cancelled == cents(7_00)
        assert savings.cancelled == 1


def test_patches_refunded_as_unusable_leave_both_sides() -> None:
    kept = make_order(status="completed", delivered=4, settled=40_00)
    returned = {"refunded": 10_00, "returned": 10_00, "returned_patches": 1}
    for_good = make_order(status="completed", delivered=4, settled=40_00, **returned, returned_for_good=10_00)
    replaced = make_order(status="completed", delivered=4, settled=40_00, **returned)

    assert total(for_good).realised_saving == total(kept).realised_saving == cents(60_00)
    assert total(for_good).realised_baseline == cents(90_00)
    assert total(replaced).realised_saving == cents(70_00)  # another order pays for the patch
    assert (total(for_good).returned_patches, total(for_good).returned) == (1, cents(10_00))


def test_order_whose_patches_all_came_back_brings_no_ground() -> None:
    useless = make_order(
        status="completed", delivered=4, settled=40_00, refunded=40_00, returned=40_00,
        returned_for_good=40_00, returned_patches=4,
    )  # fmt: skip
    again = make_order(2, "completed", delivered=4, settled=30_00)

    assert (total(useless).realised_saving, total(useless).baseline) == (None, cents(0))
    assert total(useless, again).realised_saving == cents(70_00)
    assert [one.outside for one in count_orders([useless, again])] == ["returned", None]


def test_example_prices_stay_out_of_the_realised_saving() -> None:
    example = make_order(status="completed", delivered=4, settled=40_00, example=True)
    real = make_order(2, "completed", delivered=4, settled=30_00)

    savings = total(example, real)

    assert (savings.realised_saving, savings.example_saving) == (cents(70_00), cents(60_00))
    assert (savings.realised_baseline, savings.realised_cost) == (cents(100_00), cents(30_00))
    assert total(example).realised_saving is None


def test_invoices_confirm_a_share_of_the_payments() -> None:
    confirmed = make_order(1, "completed", settled=40_00, refunded=5_00, confirmed=True)
    other = make_order(2, "completed", settled=20_00, charged=0)
    example = make_order(3, "completed", settled=90_00, example=True, confirmed=True)

    savings = total(confirmed, other, example)

    assert (savings.confirmed, savings.confirmed_percent) == (cents(40_00), 66.6)
    assert CurrencySavings.of(savings, None).definition.endswith("; confirmed by invoices to 66.6 %.")
    assert total(make_order()).confirmed_percent is None


def test_orders_are_marked_with_why_their_ground_does_not_count() -> None:
    orders = [
        make_order(1, "held"), make_order(2), make_order(3, "processing", delivered=1),
        make_order(4, "user_cancelled", delivered=1), make_order(5, "expired"),
        make_order(6, "completed", delivered=4), make_order(7, "completed", example=True),
    ]  # fmt: skip

    assert [one.outside for one in count_orders(orders)] == [
        "awaits-approval", "nothing-delivered", "not-complete", "ended-early", "nothing-delivered", None,
        "example-prices",
    ]  # fmt: skip


def test_realised_saving_is_unknown_before_an_order_is_complete_or_paid_in_vain() -> None:
    assert total(make_order(status="processing", settled=10_00)).realised_saving is None
    assert total(make_order(status="user_cancelled")).realised_saving is None


def test_realised_saving_counts_the_payments_of_open_orders_on_completed_ground() -> None:
    completed = make_order(1, "completed", settled=40_00)

    same = total(completed, make_order(2, "processing", settled=10_00))
    half = total(completed, make_order(2, "processing", settled=10_00, ground=make_ground(column=1)))
    apart = total(completed, make_order(2, "processing", settled=10_00, ground=make_ground(column=9)))

    assert (same.realised_saving, apart.realised_saving) == (cents(50_00), cents(60_00))
    assert half.realised_saving in {cents(55_00), cents(55_01)}


def test_saving_by_reuse_is_a_figure_of_its_own() -> None:
    savings = total(make_order(reused=30_00), make_order(2, "held", reused=10_00, price_list="other"))

    assert (savings.reused_saving, savings.ordered_saving) == (cents(30_00), cents(60_00))


def test_savings_never_add_two_currencies() -> None:
    orders = [make_order(), make_order(2, currency="EUR"), make_order(3, currency="EUR")]
    totals = savings_by_currency(count_orders(orders))

    assert [(one.currency, one.orders, one.baseline.amount) for one in totals] == [
        ("EUR", 2, "100.00"),
        ("USD", 1, "100.00"),
    ]


def test_savings_lead_with_the_realised_one_and_name_their_baselines() -> None:
    document = CurrencySavings.of(total(make_order(status="completed", settled=40_00)), None)
    savings = document.model_dump()["savings"]

    assert list(savings) == ["realised", "ordered", "held", "billable", "list", "reused", "example"]
    assert savings.pop("example") is None
    assert all(one["baseline"] and one["meaning"] for one in savings.values())


def test_savings_row_leaves_the_unknown_empty_in_csv() -> None:
    (counted,) = count_orders([make_order()])
    header, line = to_csv(SAVINGS_COLUMNS, [savings_row(counted)]).splitlines()

    assert header == ",".join(SAVINGS_COLUMNS)
    assert line == (
        "00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,"
        "2026-11-22T00:00:01+00:00,accepted,4,USD,,60.00,0.00,60.00,75.00,0.00,60.00,100.00,40.00,0.00,"
        "100.00,40.00,0.00,0.00,0.00,0.00,,0,0.00,nothing-delivered,no,,,{},,,,,"
    )
    assert OrderSavings.of(counted).savings.realised is None


def test_proven_labels_add_up_where_truth_is_known_and_prices_are_offers() -> None:
    known = LabelScore(tiles=10, right=9, lr_right=4)
    orders = [
        make_order(status="completed", settled=40_00, score=known),
        make_order(status="completed", settled=5_00, score=LabelScore(tiles=2, right=1, lr_right=1)),
        make_order(status="completed", settled=100_00),
        make_order(status="completed", settled=70_00, score=known, example=True),
    ]
    proven = proven_by_all(orders)
    assert proven is not None
    assert (proven.score, proven.paid) == (LabelScore(tiles=12, right=10, lr_right=5), Money(45_00, "USD"))
    assert proven.right_per_unit == pytest.approx(10 / 45)
    assert proven_by(orders[2]) is None
    free = proven_by(make_order(status="completed", settled=0, score=known))
    assert free is not None
    assert free.right_per_unit is None
    assert proven_by_all(orders[2:]) is None
