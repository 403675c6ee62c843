"""An order's life: placed with a hold on a budget, and moved along by deliveries."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError
from service.ledger.repository import get_budget
from service.ledger.writer import reserve
from service.money import Money
from service.orders.budgets import choose_budget, needs_approval, warnings_of
from service.orders.ending import end_order
from service.orders.repository import delivered_counts, record_status, standing_order_of
from service.orders.schemas import OrderWarning
from service.orders.tables import Order, OrderStatus
from service.plans.repository import lock_plan, superseding
from service.plans.tables import Plan


class NothingToBuyError(ConflictError):
    """The plan bought no patch, so there is nothing to order."""

    code = "nothing-to-buy"
    title = "The plan buys nothing"


class PlanAlreadyOrderedError(ConflictError):
    """The plan has an order that was not given up."""

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


def place_order(
    session: Session, caller: Caller, plan_id: UUID, budget_id: UUID | None, days: int
) -> tuple[Order, list[OrderWarning]]:
    """Order every bought patch of a plan and hold its cost on a budget; returns what the budget says of it.

    Above the budget's `approval_above` the order waits for another key. It expires after `days`.
    Errors: not-found, nothing-to-buy, quote-expired, plan-superseded, plan-already-ordered, no-budget,
    budget-not-valid, budget-exceeded.
    """
    plan = lock_plan(session, caller.workspace_id, plan_id)
    _check_orderable(session, plan)
    paying = choose_budget(session, caller.workspace_id, budget_id, plan.currency)
    order = _new_order(plan, paying, caller, days)
    session.add(order)
    session.flush()
    cost = Money(plan.cost_minor, plan.currency)
    order.hold_id = reserve(session, caller.workspace_id, paying, cost, f"order:{order.id}")
    budget = get_budget(session, caller.workspace_id, paying)  # locked by the hold: nobody else moves it
    if needs_approval(budget, cost):
        record_status(session, order, OrderStatus.HELD, "approval_required", key_id=caller.key_id)
    else:
        record_status(session, order, OrderStatus.ACCEPTED, "hold_taken", key_id=caller.key_id)
    return order, warnings_of(budget, cost)


def advance(session: Session, order: Order, key_id: str) -> None:
    """Set the status that the deliveries so far imply; the caller holds the order's lock.

    A complete order releases what its patches cost less than planned.
    """
    delivered = delivered_counts(session, [order.id])[order.id]
    if delivered == order.patches:
        end_order(session, order, OrderStatus.COMPLETED, "all_delivered", key_id)
    elif order.status == OrderStatus.ACCEPTED:
        record_status(session, order, OrderStatus.PROCESSING, "partial_delivery", key_id=key_id)


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
    standing = standing_order_of(session, plan.id)
    if standing is not None:
        raise PlanAlreadyOrderedError(
            f"Order {standing.id} buys this plan; cancel it first to order the plan again.",
            plan=str(plan.id),
            order=str(standing.id),
        )


def _new_order(plan: Plan, budget_id: UUID, caller: Caller, days: int) -> Order:
    return Order(
        workspace_id=plan.workspace_id,
        plan_id=plan.id,
        budget_id=budget_id,
        hold_id=None,
        status=OrderStatus.ACCEPTED,
        currency=plan.currency,
        amount_minor=plan.cost_minor,
        patches=plan.patches_bought,
        key_id=caller.key_id,
        expires_at=func.now() + timedelta(days=days),
    )
