"""Properties of savings over any orders: bounded by prices, unmoved by duplicates, summed by rows."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.reports.figures import OrderFigures, ReusedFrom
from service.reports.savings import count_orders
from tests.support.figures import STATUSES, make_ground, make_order, total
from tests.support.money import cents


@st.composite
def some_reuse(draw: st.DrawFn, number: int) -> ReusedFrom:
    """Draw patches of one of the orders before an order's number."""
    source = UUID(int=draw(st.integers(0, max(number - 1, 0))))
    return ReusedFrom(order_id=source, owned=draw(st.integers(0, 2)), on_order=draw(st.integers(0, 2)))


@st.composite
def some_orders(draw: st.DrawFn) -> list[OrderFigures]:
    """Draw orders of a few overlapping grounds, of two lists, paid in part."""
    orders = []
    for number in range(draw(st.integers(1, 8))):
        settled = draw(st.integers(0, 200_00))
        order = make_order(
            number, draw(st.sampled_from(STATUSES)), settled=settled, cost=draw(st.integers(0, 100_00)),
            refunded=draw(st.integers(0, settled)), charged=draw(st.integers(0, 9_99)),
            ground=make_ground(draw(st.integers(0, 3))), price_list=draw(st.sampled_from("ab")),
            patches_bought=draw(st.integers(0, 2)), reused=draw(st.integers(0, 100_00)),
            reuses=draw(st.lists(some_reuse(number), max_size=2 if number else 0)),
        )  # fmt: skip
        orders.append(order)
    return orders


@given(orders=some_orders())
def test_saving_never_exceeds_the_price_of_the_ground(orders: Sequence[OrderFigures]) -> None:
    savings = total(*orders)
    columns = {
        (order.price_list, order.ground.bounds[0] + step) for order in orders for step in (0, 80)
    }  # each of the half scenes costs 50.00
    price = cents(50_00 * len(columns) + len(orders))

    assert savings.ordered_saving <= price
    assert savings.reused_saving <= price
    assert savings.realised_saving is None or savings.realised_saving <= price


@given(orders=some_orders(), again=st.sampled_from(STATUSES))
def test_duplicate_order_never_raises_a_saving(orders: Sequence[OrderFigures], again: str) -> None:
    repeated = make_order(
        99, again, ground=orders[0].ground, price_list=orders[0].price_list, settled=1_00, cost=1_00
    )
    before = total(
        make_order(0, "completed", price_list=orders[0].price_list, ground=orders[0].ground), *orders
    )
    after = total(
        make_order(0, "completed", price_list=orders[0].price_list, ground=orders[0].ground),
        *orders,
        repeated,
    )

    assert after.ordered_saving <= before.ordered_saving
    assert before.realised_saving is not None
    assert after.realised_saving is not None
    assert after.realised_saving <= before.realised_saving


@given(orders=some_orders())
def test_rows_of_the_orders_add_up_to_the_totals(orders: Sequence[OrderFigures]) -> None:
    counted = count_orders(orders)
    savings = total(*orders)
    sums = {
        name: sum((getattr(one, name) for one in counted), start=cents(0))
        for name in (
            "baseline", "cost", "held_baseline", "held_cost", "realised_baseline", "realised_cost",
            "ordered_saving", "held_saving", "list_saving", "reused_saving",
        )
    }  # fmt: skip
    realised = [one.realised_saving for one in counted if one.realised_saving is not None]

    assert sums == {name: getattr(savings, name) for name in sums}
    assert sum(realised, start=cents(0)) == (savings.realised_saving or cents(0))
    assert savings.orders == savings.completed + savings.open + savings.held + savings.cancelled
