"""What a delivery is paid: its share of the plan's cost, or the provider's own price where that differs."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError
from service.ledger.book import allocate
from service.ledger.repository import get_budget, money_of_orders
from service.ledger.writer import reserve
from service.money import Money
from service.orders.approval import check_other_key
from service.orders.checklist import Checklist, Place
from service.orders.repository import delivered_patches
from service.orders.tables import Order


class PriceExceedsHoldError(ConflictError):
    """A delivery costs more than its order holds for it."""

    code = "price-exceeds-hold"
    title = "This costs more than was held for it"


@dataclass(frozen=True, kw_only=True)
class Price:
    """What the provider asks for one patch, such as "12.34"; `accepted` even beyond the hold."""

    amount: str
    accepted: bool = False


def price_of(
    session: Session, caller: Caller, order: Order, checklist: Checklist, place: Place, price: Price | None
) -> Money:
    """Return what to settle for a patch; what the hold lacks for it is held first.

    Errors: price-exceeds-hold, and if that was accepted budget-exceeded, budget-not-valid, self-approval.
    """
    share = allocate(_planned(order), order.patches, checklist.rank(*place))
    if price is None:
        return share
    asked, nothing = Money.parse(price.amount, order.currency), Money(0, order.currency)
    missing = asked - _free(session, order, checklist, place) if asked > share else nothing
    if missing > nothing and not price.accepted:
        raise _beyond_the_hold(order, place, share, asked, missing)
    if missing > nothing:
        _hold_more(session, caller, order, missing, f"price:{order.id}/{place[0]}/{place[1]}")
    return asked


def _free(session: Session, order: Order, checklist: Checklist, place: Place) -> Money:
    """What the hold has left beyond the shares of the other awaited patches."""
    came = [(one.tile, one.patch) for one in delivered_patches(session, order.id)]
    others = _planned(order) - _shares(order, checklist, [*came, place])
    return money_of_orders(session, [order.id])[order.id].held - others


def _shares(order: Order, checklist: Checklist, places: Iterable[Place]) -> Money:
    ranks = checklist.ranks()
    shares = (allocate(_planned(order), order.patches, int(ranks[place])) for place in places)
    return sum(shares, start=Money(0, order.currency))


def _planned(order: Order) -> Money:
    return Money(order.amount_minor, order.currency)


def _beyond_the_hold(
    order: Order, place: Place, share: Money, asked: Money, missing: Money
) -> PriceExceedsHoldError:
    return PriceExceedsHoldError(
        f"{share} was planned for it and it costs {asked}; the order's hold lacks {missing}. "
        "Send it with accept_price=true to hold that as well.",
        order=str(order.id), tile=place[0], patch=place[1], share=share.amount, price=asked.amount,
        missing=missing.amount, currency=order.currency,
    )  # fmt: skip


def _hold_more(session: Session, caller: Caller, order: Order, missing: Money, reference: str) -> None:
    """Make the hold larger. What a new order would need a second key for, this needs one for as well."""
    order.hold_id = reserve(session, caller.workspace_id, order.budget_id, missing, reference, order.hold_id)
    above = get_budget(session, caller.workspace_id, order.budget_id).terms.approval_above
    if above is not None and money_of_orders(session, [order.id])[order.id].total > above:
        check_other_key(session, order, caller)
