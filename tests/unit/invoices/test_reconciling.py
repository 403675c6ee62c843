"""Invoices compared with the ledger, order by order."""

from dataclasses import replace
from uuid import UUID

import pytest

from service.invoices.reconciling import (
    BookedOrder,
    InvoicedLine,
    LineState,
    Reconciled,
    order_named_by,
    reconcile,
)
from service.money import Money
from tests.support.money import cents

ORDER, INVOICE = UUID(int=7), UUID(int=8)


def booked(paid: int = 10_00, refunded: int = 0) -> BookedOrder:
    return BookedOrder(order_id=ORDER, paid=cents(paid), refunded=cents(refunded))


def line(
    minor: int, number: str = "R-1", *, is_credit: bool = False, reference: str = str(ORDER)
) -> InvoicedLine:
    return InvoicedLine(
        number=number,
        is_credit=is_credit,
        reference=reference,
        amount=cents(minor),
        invoice_id=INVOICE,
        position=1,
    )


def compare(order: BookedOrder, *lines: InvoicedLine) -> Reconciled:
    (found,) = reconcile([order], lines)
    return found


@pytest.mark.parametrize(
    ("order", "lines", "state"),
    [
        (booked(), [line(4_00), line(6_00)], "agrees"),
        (booked(10_00, 2_00), [line(10_00), line(2_00, "G-1", is_credit=True)], "agrees"),
        (booked(), [], "not-invoiced"),
        (booked(0), [line(10_00)], "not-delivered"),
        (booked(), [line(9_99)], "amount-differs"),
        (booked(10_00, 2_00), [line(10_00)], "amount-differs"),
        (booked(), [line(10_00), line(1_00, is_credit=True)], "amount-differs"),
    ],
)
def test_order_is_compared_with_its_lines(
    order: BookedOrder, lines: list[InvoicedLine], state: LineState
) -> None:
    assert compare(order, *lines).state == state


@pytest.mark.parametrize(
    ("order", "lines", "todo"),
    [
        (booked(), [line(4_00)], "Ask for an invoice of the other 6.00 USD."),
        (booked(10_00, 2_00), [line(10_00)], "Ask for a credit note of 2.00 USD."),
        (
            booked(), [line(12_00)],
            "Post a later charge of 2.00 USD. If too much is invoiced, ask for a credit note of 2.00 USD, "
            "and post a refund of 2.00 USD too.",
        ),
        (
            booked(10_00, 2_00), [line(12_00)],
            "Post a later charge of 2.00 USD. Ask for a credit note of 2.00 USD.",
        ),
        (
            booked(), [line(10_00), line(15_00, is_credit=True)],
            "More is credited than invoiced: ask the provider which document is wrong.",
        ),
        (booked(), [line(10_00), line(1_00, is_credit=True)], "Post a refund of 1.00 USD."),
        (
            booked(), [line(12_00), line(2_00, is_credit=True)],
            "Post a later charge of 2.00 USD. Post a refund of 2.00 USD.",
        ),
        (
            booked(10_00, 2_00), [line(4_00)],
            "Ask for an invoice of the other 6.00 USD. Ask for a credit note of 2.00 USD.",
        ),
    ],
)  # fmt: skip
def test_difference_says_what_makes_both_agree(
    order: BookedOrder, lines: list[InvoicedLine], todo: str
) -> None:
    assert compare(order, *lines).detail.endswith(f"credited. {todo}")


def test_order_names_its_documents_once() -> None:
    found = compare(booked(), line(4_00), line(6_00), line(1_00, "G-1", is_credit=True))

    assert (found.invoices, found.credit_notes) == (("R-1",), ("G-1",))


def test_order_in_another_currency_is_not_added_up() -> None:
    euros = replace(line(10_00), number="R-2", amount=Money(10_00, "EUR"))

    found = compare(booked(), euros)

    assert (found.state, found.invoiced) == ("currency-differs", Money(10_00, "EUR"))


def test_order_without_money_and_lines_is_left_out() -> None:
    assert reconcile([booked(0)], []) == []


def test_lines_that_name_no_order_come_last() -> None:
    stray = [line(5_00, reference="PO 4711"), line(6_00, reference=str(UUID(int=9)))]

    known, *unknown = reconcile([booked()], [*stray, line(10_00)])

    assert known.state == "agrees"
    assert [(one.order_id, one.state, one.invoiced) for one in unknown] == [
        (None, "order-unknown", cents(5_00)), (None, "order-unknown", cents(6_00)),
    ]  # fmt: skip
    assert "PO 4711" in unknown[0].detail


@pytest.mark.parametrize(
    "reference", [str(ORDER), f"{ORDER}/3/15", f"Order {ORDER}, May", str(ORDER).upper()]
)
def test_order_is_named_anywhere_in_a_reference(reference: str) -> None:
    assert order_named_by(reference) == ORDER
