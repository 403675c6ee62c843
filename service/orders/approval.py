"""Approval: a held order waits until the key of another holder decides on it."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.delegations import check_approves
from service.access.repository import Caller, holder_of
from service.errors import ConflictError
from service.ledger.proposal_schemas import ApprovalIn
from service.ledger.proposals import needs_approval
from service.ledger.refusals import SelfApprovalError
from service.ledger.repository import get_budget, money_of_orders
from service.orders.ending import end_order
from service.orders.expiry import check_in_time
from service.orders.repository import find_order, history, record_status
from service.orders.tables import Order, OrderStatus

APPROVED = "approved"
"""Reason of the step that approves an order."""


class ApprovalRequiredError(ConflictError):
    """A delivery against an order that another key has not approved yet."""

    code = "approval-required"
    title = "The order is not approved yet"


class OrderNotHeldError(ConflictError):
    """A decision on an order that does not wait for one."""

    code = "order-not-held"
    title = "The order does not wait for approval"


def decide_approval(session: Session, caller: Caller, order_id: UUID, wanted: ApprovalIn) -> Order:
    """Accept a held order, or reject it and release its money.

    Errors: not-found, order-expired, order-not-held, self-approval, role-needed.
    """
    order = find_order(session, caller.workspace_id, order_id, lock=True)
    check_in_time(session, order)
    if order.status != OrderStatus.HELD:
        raise OrderNotHeldError(
            f"The order is {order.status.removeprefix('user_')}, and only a held order can be decided on.",
            order=str(order.id),
            order_status=order.status,
        )
    check_approver(session, caller, order)
    if wanted.approves:
        record_status(session, order, OrderStatus.ACCEPTED, APPROVED, key_id=caller.key_id, note=wanted.note)
    else:
        end_order(session, order, OrderStatus.REJECTED, "approval_refused", caller.key_id, wanted.note)
    return order


def check_approved(order: Order) -> None:
    """Raise ApprovalRequiredError while the order waits for another key."""
    if order.status == OrderStatus.HELD:
        raise ApprovalRequiredError(
            f"The order waits for approval by another key: POST /v1/orders/{order.id}/approval.",
            order=str(order.id),
        )


def was_accepted(session: Session, order: Order) -> bool:
    """Say whether an order was accepted: when it was placed, or by another key."""
    return any(step.status == OrderStatus.ACCEPTED for step in history(session, order.id))


def check_was_accepted(session: Session, order: Order) -> None:
    """Raise ApprovalRequiredError if an order expired before another key approved it."""
    if not was_accepted(session, order):
        raise ApprovalRequiredError(
            "The order expired before another key approved it, so it takes no patches. Order its plan again.",
            order=str(order.id),
        )


def check_late_hold(session: Session, caller: Caller, order: Order, accepted: str | None) -> None:
    """Refuse a late delivery that needs the key of another holder than the one who ordered.

    With it the order costs more than another holder approved, and more than `approval_above`; or what it
    exceeds the approval by brings its holder's sum within 24 hours above. `accepted` is the reference of the
    hold if the delivery's price was sent with it. Errors: self-approval, role-needed.
    """
    above = get_budget(session, caller.workspace_id, order.budget_id).terms.approval_above
    money = money_of_orders(session, [order.id])[order.id]
    cost = money.held + money.settled
    approved = any(step.reason_code == APPROVED for step in history(session, order.id))
    if above is None or (approved and cost <= order.planned):
        return
    session.flush()  # the hold of an order that cost nothing so far
    if cost > above or needs_approval(session, order.budget_id, order.key_id):
        check_approver(session, caller, order)
    if accepted is not None:
        check_accepted_price(session, caller, order, accepted)


def check_accepted_price(session: Session, caller: Caller, order: Order, reference: str) -> None:
    """Refuse a price that the caller would accept alone for an order of another holder.

    Nobody else has seen the price. So what its hold (`reference`) adds beyond the approved cost counts for
    the caller as a purchase of their own. The caller holds the budget's lock. Errors: self-approval.
    """
    if order.key_id is None or holder_of(session, order.key_id) == caller.holder:
        return  # it counts for the holder who ordered
    query = text("SELECT minor FROM ledger.enlarged_hold WHERE order_id = :order AND reference = :reference")
    more = session.execute(query, {"order": order.id, "reference": reference}).scalar_one()
    if needs_approval(session, order.budget_id, caller.key_id, more):
        above = get_budget(session, caller.workspace_id, order.budget_id).terms.approval_above
        raise SelfApprovalError(
            f"With this price your key {caller.key_id} would accept {order.money(more)} that nobody else has "
            f"seen. Its holder orders, charges and accepts at most {above} alone within 24 hours. Deliver "
            "the patch at its share, and post the rest as a later charge (`loupe ledger adjust`), which the "
            "holder of another key approves.",
            order=str(order.id),
            key=caller.key_id,
        )


def check_approver(session: Session, caller: Caller, order: Order) -> None:
    """Refuse a caller who may not approve an order, or what it costs beyond its plan.

    Errors: self-approval; role-needed when the caller's role may not approve and nobody lends it approval.
    """
    check_other_key(session, order, caller)
    asking = None if order.key_id is None else holder_of(session, order.key_id)
    check_approves(session, caller, asking, str(order.id))


def check_other_key(session: Session, order: Order, caller: Caller) -> None:
    """Raise SelfApprovalError when the caller holds the key that placed the order."""
    if order.key_id is not None and holder_of(session, order.key_id) == caller.holder:
        raise SelfApprovalError(
            f"Key {order.key_id} placed this order, and your key {caller.key_id} has the same holder. Ask "
            "the holder of another key of the workspace.",
            order=str(order.id),
            key=caller.key_id,
        )
