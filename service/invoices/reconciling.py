"""Invoices compared with the ledger, order by order. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from service.money import Money

LineState = Literal[
    "agrees", "not-invoiced", "not-delivered", "amount-differs", "currency-differs", "order-unknown"
]
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BookedOrder:
    """The payments of an order in the ledger."""

    order_id: UUID
    paid: Money  # payments and later charges
    refunded: Money
    reasons: tuple[str, ...] = ()  # of its refunds and later charges, oldest first


@dataclass(frozen=True, kw_only=True)
class InvoicedLine:
    """One line of an invoice or credit note."""

    number: str
    is_credit: bool
    reference: str
    amount: Money
    invoice_id: UUID
    position: int  # in its document, from 1


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """An order beside its invoices, or the lines of a reference that names no order."""

    order_id: UUID | None
    reference: str | None
    state: LineState
    paid: Money | None
    refunded: Money | None
    invoiced: Money
    credited: Money
    invoices: tuple[str, ...]
    credit_notes: tuple[str, ...]
    lines: tuple[InvoicedLine, ...] = ()  # of its invoices and credit notes
    reasons: tuple[str, ...] = ()  # of refunds and later charges

    @property
    def detail(self) -> str:
        """The difference in a sentence, with what to do."""
        match self.state:
            case "agrees":
                return f"Invoices and ledger agree: {self.invoiced} invoiced, {self.credited} credited."
            case "not-invoiced":
                return f"{self.paid} is paid and on no invoice. Ask the provider for its invoice."
            case "not-delivered":
                return f"{self.invoiced} is invoiced and nothing is paid. Ask for a credit note, or deliver."
            case "currency-differs":
                return (
                    f"The invoice is in {self.invoiced.currency}. Ask for an invoice in the order's currency."
                )
            case "order-unknown":
                return (
                    f"{self.reference!r} contains no full id of an order of the workspace. "
                    "Ask the provider what was sold."
                )
            case "amount-differs":
                return (
                    f"{self.paid} is paid and {self.invoiced} is invoiced; {self.refunded} is refunded and "
                    f"{self.credited} is credited. {self._remedy}"
                )

    @property
    def _remedy(self) -> str:
        """What to do so that payments equal invoices, and refunds equal credit notes."""
        zero = self.invoiced.nothing
        unpaid = self.invoiced - (self.paid or zero)
        unrefunded = self.credited - (self.refunded or zero)
        is_too_much = self.credited > self.invoiced
        instead = f"ask for a credit note of {unpaid}, and post a refund of {unpaid} too"
        steps = {
            f"Ask for an invoice of the other {-unpaid}.": unpaid < zero,
            f"Post a later charge of {unpaid}.": unpaid > zero,
            f"If too much is invoiced, {instead}.": unpaid > zero and unrefunded == zero,
            f"Post a refund of {unrefunded}.": unrefunded > zero and not is_too_much,
            "More is credited than invoiced: ask the provider which document is wrong.": is_too_much,
            f"Ask for a credit note of {-unrefunded}.": unrefunded < zero,
        }
        return " ".join(step for step, applies in steps.items() if applies)


def order_named_by(reference: str) -> UUID | None:
    """Return the id in a reference such as `ORDER/TILE/PATCH`; None when there is none."""
    found = _ID.search(reference)
    return None if found is None else UUID(found[0])


def reconcile(booked: Iterable[BookedOrder], lines: Sequence[InvoicedLine]) -> list[Reconciled]:
    """Compare every order that was paid or invoiced with its lines; unknown references come last."""
    orders = {order.order_id: order for order in booked}
    named: dict[UUID, list[InvoicedLine]] = {}
    unknown: dict[tuple[str, str], list[InvoicedLine]] = {}
    for line in lines:
        order_id = order_named_by(line.reference)
        if order_id in orders:
            named.setdefault(order_id, []).append(line)
        else:
            unknown.setdefault((line.reference, line.amount.currency), []).append(line)
    compared = [
        _compare(order, named.get(order.order_id, ()))
        for order in orders.values()
        if order.paid or order.order_id in named
    ]
    return compared + [_unknown(reference, group) for (reference, _), group in unknown.items()]


def by_order(reconciled: Iterable[Reconciled]) -> Mapping[UUID, Reconciled]:
    """Return the comparisons of known orders by their ids."""
    return {one.order_id: one for one in reconciled if one.order_id is not None}


def _compare(order: BookedOrder, lines: Sequence[InvoicedLine]) -> Reconciled:
    foreign = [line for line in lines if line.amount.currency != order.paid.currency]
    counted = foreign or lines
    currency = counted[0].amount.currency if counted else order.paid.currency
    invoiced, credited = _sums(counted, currency)
    return Reconciled(
        order_id=order.order_id,
        reference=None,
        state="currency-differs" if foreign else _state(order, lines, invoiced, credited),
        paid=order.paid,
        refunded=order.refunded,
        invoiced=invoiced,
        credited=credited,
        invoices=_numbers(lines, is_credit=False),
        credit_notes=_numbers(lines, is_credit=True),
        lines=tuple(lines),
        reasons=order.reasons,
    )


def _state(order: BookedOrder, lines: Sequence[InvoicedLine], invoiced: Money, credited: Money) -> LineState:
    if not lines:
        return "not-invoiced"
    if invoiced and not order.paid:
        return "not-delivered"
    same = (invoiced, credited) == (order.paid, order.refunded)
    return "agrees" if same else "amount-differs"


def _unknown(reference: str, lines: Sequence[InvoicedLine]) -> Reconciled:
    invoiced, credited = _sums(lines, lines[0].amount.currency)
    return Reconciled(
        order_id=None,
        reference=reference,
        state="order-unknown",
        paid=None,
        refunded=None,
        invoiced=invoiced,
        credited=credited,
        invoices=_numbers(lines, is_credit=False),
        credit_notes=_numbers(lines, is_credit=True),
        lines=tuple(lines),
    )


def _sums(lines: Iterable[InvoicedLine], currency: str) -> tuple[Money, Money]:
    """Return the invoiced and the credited amount."""
    sums = {False: Money(0, currency), True: Money(0, currency)}
    for line in lines:
        sums[line.is_credit] += line.amount
    return sums[False], sums[True]


def _numbers(lines: Iterable[InvoicedLine], *, is_credit: bool) -> tuple[str, ...]:
    """Return the numbers of the documents of one kind, each once, in their order."""
    return tuple(dict.fromkeys(line.number for line in lines if line.is_credit == is_credit))
