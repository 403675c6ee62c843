"""An order's life: placed with a hold on a budget, moved along by deliveries, or cancelled."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.errors import ConflictError
from service.ledger.writer import release, reserve
from service.orders.budgets import choose_budget
from service.orders.repository import (
    find_order,
    open_order_of,
    record_status,
    settled_minor,
)
from service.orders.tables import Order, OrderStatus
from service.plans.repository import lock_plan, superseding
from service.plans.tables import Plan


class NothingToBuyError(ConflictError):
    """The plan bought no patch, so there is nothing to order."""

    code = "nothing-to-buy"
    title = "The plan buys nothing"


class PlanAlreadyOrderedError(ConflictError):
    """The plan has an order that is not cancelled."""

    code = "plan-already-ordered"
    title = "The plan is already ordered"


class PlanSupersededError(ConflictError):
    """The plan was planned anew with other prices or another objective."""

    code = "plan-superseded"
    title = "A newer plan takes the place of this one"


class QuoteExpiredError(ConflictError):
    """The plan's prices were a quote, and it ended."""

    code = "quote-expired"
    title = "The plan's prices do not apply any more"


class OrderCompletedError(ConflictError):
    """Every patch was delivered: nothing is left to cancel."""

    code = "order-completed"
    title = "The order is complete"


def place_order(session: Session, workspace_id: UUID, plan_id: UUID, budget_id: UUID | None) -> Order:
    """Order every bought patch of a plan and hold its cost on a budget.

    Errors: not-found, nothing-to-buy, quote-expired, plan-superseded, plan-already-ordered, no-budget,
    budget-exceeded.
    """
    plan = lock_plan(session, workspace_id, plan_id)
    _check_orderable(session, plan)
    budget = choose_budget(session, workspace_id, budget_id, plan.currency)
    order = _new_order(plan, budget)
    session.add(order)
    session.flush()
    order.hold_id = reserve(session, workspace_id, budget, plan.cost_minor, f"order:{order.id}")
    record_status(session, order, OrderStatus.ACCEPTED, "hold_taken")
    return order


def cancel_order(session: Session, workspace_id: UUID, order_id: UUID) -> Order:
    """Give back what was not delivered. Cancelling again changes nothing; a complete order refuses."""
    order = find_order(session, workspace_id, order_id, lock=True)
    if order.status == OrderStatus.USER_CANCELLED:
        return order
    if order.status == OrderStatus.COMPLETED:
        raise OrderCompletedError("Every patch of this order was delivered.", order=str(order.id))
    _, settled = settled_minor(session, [order.id]).get(order.id, (0, 0))
    release(session, order.hold_id, order.amount_minor - settled, f"cancel:{order.id}")
    record_status(session, order, OrderStatus.USER_CANCELLED, "cancelled_by_user")
    return order


def advance(session: Session, order: Order) -> None:
    """Set the status that the deliveries so far imply; the caller holds the order's lock.

    The shares of all patches add up to the order's amount, so a complete order holds nothing more.
    """
    delivered, _ = settled_minor(session, [order.id]).get(order.id, (0, 0))
    if delivered == order.patches:
        record_status(session, order, OrderStatus.COMPLETED, "all_delivered")
    elif order.status == OrderStatus.ACCEPTED:
        record_status(session, order, OrderStatus.PROCESSING, "partial_delivery")


def _check_orderable(session: Session, plan: Plan) -> None:
    if plan.patches_bought == 0:
        raise NothingToBuyError("This plan decided to buy no patch.", plan=str(plan.id))
    if session.scalar(select(func.now() >= plan.expires_at)):
        raise QuoteExpiredError(
            f"Its prices applied until {plan.expires_at:%Y-%m-%d %H:%M} UTC; plan it again with "
            f"POST /v1/plans/{plan.id}/replan.",
            plan=str(plan.id),
            expires_at=plan.expires_at.isoformat(),
        )
    newer = superseding(session, plan.id)
    if newer is not None:
        raise PlanSupersededError(
            f"Plan {newer} takes its place; order that one.", plan=str(plan.id), superseded_by=str(newer)
        )
    standing = open_order_of(session, plan.id)
    if standing is not None:
        raise PlanAlreadyOrderedError(
            f"Order {standing.id} buys this plan; cancel it first to order the plan again.",
            plan=str(plan.id),
            order=str(standing.id),
        )


def _new_order(plan: Plan, budget_id: UUID) -> Order:
    return Order(
        workspace_id=plan.workspace_id,
        plan_id=plan.id,
        budget_id=budget_id,
        hold_id=None,
        status=OrderStatus.ACCEPTED,
        currency=plan.currency,
        amount_minor=plan.cost_minor,
        patches=plan.patches_bought,
    )
