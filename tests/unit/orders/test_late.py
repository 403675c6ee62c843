"""What late patches settle: the rest of the bill for everything that came, never more."""

from uuid import UUID

import pytest

from service.money import Money
from service.orders.checklist import Place
from service.orders.late import LateArrival, LateCharge, LatePriceNeededError, charge_late
from service.pricing.billing import PriceTerms
from tests.support.prices import terms
from tests.unit.orders.test_final_bill import FAR, FIRST, SECOND, arrived

SHARE = 300_00


def charge(
    prices: PriceTerms,
    before: tuple[Place, ...],
    late: tuple[Place, ...],
    paid: int,
    *,
    price: int | None = None,
    own: bool = False,
    returned: int = 0,
) -> LateCharge:
    """Charge patches of about 0.31 km2 whose shares are 300.00 each."""
    return charge_late(
        LateArrival(
            arrived=arrived(prices, *before, *late, own=own),
            shares={place: Money(SHARE, "USD") for place in late},
            paid=Money(paid, "USD"),
            order_id=UUID(int=7),
            returned=Money(returned, "USD"),
            billed=Money(paid, "USD"),
            price=None if price is None else Money(price, "USD"),
        )
    )


def test_late_patch_pays_what_the_minimum_of_its_shape_adds() -> None:
    prices = terms(minimum="1", scope="shape")  # 10.00 for each shape

    near, far = (charge(prices, (FIRST,), (place,), 10_00) for place in (SECOND, FAR))

    assert (near.total, near.costs[SECOND], near.bill.billed) == (
        Money(0, "USD"), Money(0, "USD"), Money(10_00, "USD"),
    )  # fmt: skip
    assert (far.total, far.costs[FAR], far.bill.billed) == (
        Money(10_00, "USD"), Money(10_00, "USD"), Money(20_00, "USD"),
    )  # fmt: skip


def test_late_patches_pay_their_shares_and_then_the_difference() -> None:
    found = charge(terms(minimum="100"), (), (FIRST, SECOND), 0)

    assert found.costs == {FIRST: Money(SHARE, "USD"), SECOND: Money(SHARE, "USD")}
    assert (found.bill.difference, found.total) == (Money(400_00, "USD"), Money(1_000_00, "USD"))


@pytest.mark.parametrize(("paid", "first", "second"), [(500_00, 300_00, 200_00), (800_00, 200_00, 0)])
def test_shares_end_where_the_bill_does(paid: int, first: int, second: int) -> None:
    found = charge(terms(minimum="100"), (FIRST,), (SECOND, FAR), paid)

    assert found.costs == {SECOND: Money(first, "USD"), FAR: Money(second, "USD")}
    assert found.bill.difference == Money(0, "USD")
    assert found.total == Money(1_000_00 - paid, "USD")


def test_more_than_the_bill_was_paid_and_nothing_is_added() -> None:
    found = charge(terms(minimum="100"), (FIRST,), (SECOND,), 1_200_00)

    assert (found.total, found.bill.difference) == (Money(0, "USD"), Money(0, "USD"))


def test_late_patch_that_refunded_money_would_pay_needs_its_price() -> None:
    minimum = terms(minimum="100")

    with pytest.raises(LatePriceNeededError, match=r"0\.01 USD of what this order paid was refunded"):
        charge(minimum, (FIRST,), (SECOND,), 700_01, returned=1)

    # The bill leaves exactly the share unpaid, or the provider's price is known.
    assert charge(minimum, (FIRST,), (SECOND,), 700_00, returned=700_00).total == Money(SHARE, "USD")
    assert charge(minimum, (FIRST,), (SECOND,), 1_000_00, returned=1, price=0, own=True).total == Money(
        0, "USD"
    )


def test_price_is_added_to_what_was_billed() -> None:
    found = charge(terms(minimum="100"), (FIRST,), (SECOND,), 1_000_00, price=50_00, own=True)

    assert (found.total, found.bill.billed, found.bill.basis) == (
        Money(50_00, "USD"), Money(1_050_00, "USD"), "prices",
    )  # fmt: skip


def test_patch_without_a_price_adds_its_share_to_own_prices() -> None:
    found = charge(terms(minimum="100"), (FIRST,), (SECOND,), 70_00, own=True)

    assert (found.total, found.bill.billed) == (Money(SHARE, "USD"), Money(370_00, "USD"))
