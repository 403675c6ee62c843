"""Patches that come after their order has expired: what they cost, their hold, and the bill once more.

The end of the order has settled the provider's bill for what had come. A late patch costs what the bill for
everything that came is higher by; under a minimum area that may be nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.database.engine import Database
from service.errors import ConflictError
from service.ledger.book import allocate
from service.ledger.repository import money_of_orders
from service.ledger.writer import reserve, settle
from service.money import Money
from service.orders.approval import check_late_hold
from service.orders.checklist import Checklist, Place
from service.orders.delivered import delivered_counts
from service.orders.ending import complete_order
from service.orders.final_bill import Arrived, ArrivedBill, bill_arrived, bills_of, read_arrived
from service.orders.repository import find_order, plan_of, record_status, standing_order_of
from service.orders.tables import LateBill, Order, OrderStatus
from service.plans.arrays import PlanArrays
from service.plans.repository import lock_plan


class PlanOrderedAgainError(ConflictError):
    """A late delivery for an order whose plan was ordered again."""

    code = "plan-ordered-again"
    title = "The plan was ordered again"


class LatePriceNeededError(ConflictError):
    """Late patches of a refunded order, of which the price list does not tell what they cost."""

    code = "late-price-needed"
    title = "The price of the late patches is needed"


@dataclass(frozen=True, kw_only=True, eq=False)
class LateArrival:
    """Patches that come late, with all that their cost depends on."""

    arrived: Arrived
    """Everything that came, the late patches included; `settled` is what the deliveries before were paid."""
    shares: Mapping[Place, Money]
    """The late patches in plan order, with their shares of the plan's cost."""
    paid: Money
    """Paid before for what had come: by deliveries and by bills."""
    order_id: UUID
    returned: Money
    """The part of `paid` that was refunded, minus later charges."""
    billed: Money
    """Newest bill before, zero without one."""
    price: Money | None
    """Price that was sent for the only late patch."""


@dataclass(frozen=True, kw_only=True)
class LateCharge:
    """The amounts that late patches settle, and the difference to the bill for everything that came."""

    paid: Money
    """Paid before: another amount under the lock means that the charge is out of date."""
    costs: Mapping[Place, Money]
    bill: ArrivedBill

    @property
    def total(self) -> Money:
        """Amount to hold again."""
        return sum(self.costs.values(), start=self.bill.difference)


def charge_late(late: LateArrival) -> LateCharge:
    """Compute what late patches settle.

    A patch settles its share, at most what the bill for everything that came leaves unpaid. Prices that were
    sent with files are added to the bill. Errors: late-price-needed.
    """
    if late.arrived.has_own_prices:
        costs = {place: share if late.price is None else late.price for place, share in late.shares.items()}
        billed = sum(costs.values(), start=late.billed)
    else:
        billed = bill_arrived(late.arrived).billed
        rest, costs = max(Money(0, billed.currency), billed - late.paid), {}
        for place, share in late.shares.items():
            costs[place] = min(share, rest)
            rest -= costs[place]
        _check_not_paid_by_refunded_money(late, max(Money(0, billed.currency), billed - late.paid))
    bill = ArrivedBill(
        patches=int(late.arrived.delivered.sum()),
        billed=billed,
        settled=sum(costs.values(), start=late.paid),
        basis="prices" if late.arrived.has_own_prices else "terms",
    )
    return LateCharge(paid=late.paid, costs=costs, bill=bill)


def _check_not_paid_by_refunded_money(late: LateArrival, cost: Money) -> None:
    """Raise LatePriceNeededError if late patches cost less because of money that came back since.

    Under a minimum, what was paid may cover them. Once it was refunded, only the provider knows the bill.
    """
    if late.returned and cost < sum(late.shares.values(), start=Money(0, cost.currency)):
        raise LatePriceNeededError(
            f"{late.returned} of what this order paid was refunded, so its price list does not tell what "
            "late patches cost. Send each with the provider's price, 0 if it is free: PUT /v1/orders/"
            f"{late.order_id}/tiles/{{tile}}/patches/{{patch}}?accept_late=true&price=12.34 (`loupe deliver "
            "--late --price 12.34`).",
            refunded=late.returned.amount,
            currency=cost.currency,
        )


def quote_late(
    database: Database, workspace_id: UUID, order_id: UUID, places: Collection[Place], price: str | None
) -> LateCharge | None:
    """Compute what patches of an expired order would settle, without a session; None if it is not expired."""
    with database.sessions() as session:
        order = find_order(session, workspace_id, order_id)
        late = _read_late(session, order, places, price) if order.status == OrderStatus.EXPIRED else None
    return None if late is None else charge_late(late)


def lock_late(session: Session, caller: Caller, order_id: UUID) -> Order:
    """Lock an order that may have expired, its plan first, so that nobody orders the plan meanwhile."""
    order = find_order(session, caller.workspace_id, order_id)
    lock_plan(session, caller.workspace_id, order.plan_id)
    return find_order(session, caller.workspace_id, order_id, lock=True)


def check_not_ordered_again(session: Session, order: Order) -> None:
    """Raise PlanOrderedAgainError if another order buys the plan of an expired one."""
    standing = standing_order_of(session, order.plan_id)
    if standing is not None and standing.id != order.id:
        raise PlanOrderedAgainError(
            f"Order {standing.id} buys the plan of this expired order. Deliver its patches to that order.",
            order=str(order.id),
            standing=str(standing.id),
        )


def hold_late(
    session: Session,
    caller: Caller,
    order: Order,
    places: Collection[Place],
    price: str | None,
    quoted: LateCharge | None,
) -> LateCharge:
    """Hold the cost of late patches on the order's budget again; the caller holds the order's lock.

    `quoted` was computed before the lock. Whatever else came or was paid since, it is computed again.
    Errors: late-price-needed, budget-exceeded, budget-not-valid, self-approval.
    """
    late = _read_late(session, order, places, price)
    if quoted is None or set(quoted.costs) != set(places) or quoted.paid != late.paid:
        quoted = charge_late(late)
    if quoted.total:
        reference = f"late:{order.id}#{_bills(session, order) + 1}"
        order.hold_id = reserve(
            session, caller.workspace_id, order.budget_id, quoted.total, reference, order.hold_id
        )
        check_late_hold(session, caller, order, reference if quoted.bill.basis == "prices" else None)
    return quoted


def settle_late(session: Session, caller: Caller, order: Order, charge: LateCharge) -> None:
    """Bill everything that came once more, after the late deliveries were paid, and record it.

    The order is complete if that was all; otherwise it stays expired.
    """
    number = _bills(session, order) + 1
    session.add(
        LateBill(
            order_id=order.id,
            number=number,
            patches=charge.bill.patches,
            billed_minor=charge.bill.billed.minor,
            settled_minor=charge.bill.difference.minor,
            basis=charge.bill.basis,
            key_id=caller.key_id,
        )
    )
    session.flush()  # first the bill: the evidence of its payment covers it
    settle(session, order.hold_id, charge.bill.difference, f"bill:{order.id}#{number}")
    if delivered_counts(session, [order.id])[order.id] == order.patches:
        complete_order(session, order, caller.key_id)
    else:
        record_status(session, order, OrderStatus.EXPIRED, "delivered_late", key_id=caller.key_id)


def _read_late(session: Session, order: Order, places: Collection[Place], price: str | None) -> LateArrival:
    arrived = read_arrived(session, order, places)
    if arrived is None:
        raise ValueError("no patch comes late")
    ranks = Checklist(selected=PlanArrays.of(plan_of(session, order)).selected).ranks()
    bills = bills_of(session, order)
    priced = price is not None or bool(bills and bills[-1].basis == "prices")
    money = money_of_orders(session, [order.id])[order.id]
    return LateArrival(
        arrived=replace(arrived, has_own_prices=priced),
        shares={one: allocate(order.planned, order.patches, int(ranks[one])) for one in sorted(places)},
        paid=money.settled,
        order_id=order.id,
        returned=max(order.money(0), money.settled - money.net),
        billed=order.money(bills[-1].billed_minor if bills else 0),
        price=None if price is None else Money.parse(price, order.currency),
    )


def _bills(session: Session, order: Order) -> int:
    query = select(func.count()).select_from(LateBill).where(LateBill.order_id == order.id)
    return session.scalar(query) or 0
