"""Payment of a delivered patch: its share of the plan's cost, or the provider's own price."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.deliveries.uploads import AskedPrice
from service.errors import ConflictError
from service.ledger.book import allocate
from service.ledger.proposals import needs_approval
from service.ledger.repository import get_budget, money_of_orders
from service.ledger.writer import reserve, settle
from service.money import Money
from service.orders.approval import check_accepted_price, check_approver
from service.orders.checklist import Checklist, Place
from service.orders.delivered import delivered_patches
from service.orders.tables import Delivery, Order


class PriceExceedsHoldError(ConflictError):
    """A delivery that costs more than its order holds for it."""

    code = "price-exceeds-hold"
    title = "The price exceeds the order's hold"


def price_patch(
    session: Session,
    caller: Caller,
    order: Order,
    checklist: Checklist,
    place: Place,
    price: AskedPrice | None,
) -> Money:
    """Return what a patch costs, with the order's hold enlarged for an accepted price.

    The caller holds the order's lock. Errors: price-exceeds-hold; for an accepted price also
    budget-exceeded, budget-not-valid, self-approval and role-needed.
    """
    share = allocate(order.planned, order.patches, checklist.rank(*place))
    asked = share if price is None else Money.parse(price.amount, order.currency)
    if price is not None and asked > share:
        _cover(session, caller, order, checklist, place, price)
    return asked


def pay_delivery(session: Session, order: Order, delivery: Delivery) -> None:
    """Settle a delivery from the order's hold.

    Its rows are stored before, so that the payment's evidence covers them.
    """
    reference = f"delivery:{order.id}/{delivery.tile}/{delivery.patch}"
    settle(session, order.hold_id, order.money(delivery.settled_minor), reference)


def _cover(
    session: Session, caller: Caller, order: Order, checklist: Checklist, place: Place, price: AskedPrice
) -> None:
    """Hold the money that a price above the patch's share lacks, or refuse it."""
    asked = Money.parse(price.amount, order.currency)
    missing = asked - _free(session, order, checklist, place)
    if missing <= Money(0, order.currency):
        return
    if not price.accepted:
        share = allocate(order.planned, order.patches, checklist.rank(*place))
        raise _exceeds_hold(order, place, share, asked, missing)
    _hold_more(session, caller, order, missing, f"price:{order.id}/{place[0]}/{place[1]}")


def _free(session: Session, order: Order, checklist: Checklist, place: Place) -> Money:
    """Return the rest of the hold beyond the shares of the other awaited patches."""
    came = [(one.tile, one.patch) for one in delivered_patches(session, order)]
    others = order.planned - _shares(order, checklist, [*came, place])
    return money_of_orders(session, [order.id])[order.id].held - others


def _shares(order: Order, checklist: Checklist, places: Iterable[Place]) -> Money:
    ranks = checklist.ranks()
    shares = (allocate(order.planned, order.patches, int(ranks[place])) for place in places)
    return sum(shares, start=Money(0, order.currency))


def _exceeds_hold(
    order: Order, place: Place, share: Money, asked: Money, missing: Money
) -> PriceExceedsHoldError:
    return PriceExceedsHoldError(
        f"This patch costs {asked} instead of the planned {share}, so the order's hold lacks {missing}. "
        "Send it again with accept_price=true (`loupe deliver --accept-price`) to hold that as well.",
        order=str(order.id), tile=place[0], patch=place[1], share=share.amount, price=asked.amount,
        missing=missing.amount, currency=order.currency,
    )  # fmt: skip


def _hold_more(session: Session, caller: Caller, order: Order, missing: Money, reference: str) -> None:
    """Enlarge the hold. Beyond the budget's `approval_above` it needs a key that may approve the order.

    Both the order's total and what its holder has ordered and charged within 24 hours are compared, and what
    the caller has accepted for orders of others.
    """
    order.hold_id = reserve(session, caller.workspace_id, order.budget_id, missing, reference, order.hold_id)
    above = get_budget(session, caller.workspace_id, order.budget_id).terms.approval_above
    session.flush()  # the hold of an order that cost nothing so far
    if above is not None and (
        money_of_orders(session, [order.id])[order.id].total > above
        or needs_approval(session, order.budget_id, order.key_id)
    ):
        check_approver(session, caller, order)
    check_accepted_price(session, caller, order, reference)
