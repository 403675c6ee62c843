"""Placement of an order: which budget pays, whether the plan can be ordered, and the hold on its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import ConflictError, InvalidInputError, LoupeWarning
from service.ledger.proposals import needs_approval
from service.ledger.repository import Budget, get_budget, list_budgets
from service.ledger.terms import Enforcement, crossed
from service.ledger.writer import reserve
from service.money import Money
from service.orders.duplicates import check_ground, check_newer_ground, check_product
from service.orders.ending import end_order
from service.orders.repository import record_status, standing_order_of
from service.orders.tables import Order, OrderStatus, OrderStatusChange
from service.plans.arrays import PlanArrays
from service.plans.naming import tags_of_plan
from service.plans.pixels import check_plan_pixels
from service.plans.repository import lock_plan, superseding
from service.plans.tables import Plan
from service.web.paging import PageRequest

MOST_BUDGETS = 1_000
"""Budgets among which the only one of a currency is looked for."""


@dataclass(frozen=True, kw_only=True)
class OrderLabels:
    """The client's own names for an order: tags and a cost centre, its name and its external id."""

    name: str | None = None
    external_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    cost_center: str | None = None


UNLABELLED = OrderLabels()


class NoBudgetError(ConflictError):
    """An order in a currency for which the workspace has no budget."""

    code = "no-budget"
    title = "There is no budget to pay from"


class BudgetAmbiguousError(InvalidInputError):
    """An order that names no budget although several could pay."""

    code = "budget-ambiguous"
    title = "Several budgets could pay"


class BudgetCurrencyError(InvalidInputError):
    """A budget in another currency than the plan; money is never converted."""

    code = "budget-currency"
    title = "The budget has another currency"


class NothingToBuyError(ConflictError):
    """An order of a plan that neither buys a patch nor reuses one."""

    code = "nothing-to-buy"
    title = "The plan buys nothing"


class PlanAlreadyOrderedError(ConflictError):
    """An order of a plan whose order stands or is complete."""

    code = "plan-already-ordered"
    title = "The plan is already ordered"


class PlanSupersededError(ConflictError):
    """An order of a plan that a re-plan has replaced."""

    code = "plan-superseded"
    title = "A newer plan replaces this one"


class QuoteExpiredError(ConflictError):
    """An order of a plan whose prices no longer apply."""

    code = "quote-expired"
    title = "The plan's prices have expired"


@dataclass(frozen=True, kw_only=True)
class PlacedOrder:
    """A new order with the first step of its history."""

    order: Order
    step: OrderStatusChange
    warnings: Sequence[LoupeWarning]


def place_order(
    session: Session,
    caller: Caller,
    plan_id: UUID,
    budget_id: UUID | None,
    days: int,
    labels: OrderLabels = UNLABELLED,
    order_id: UUID | None = None,
) -> PlacedOrder:
    """Order every bought patch of a plan and hold its cost on a budget.

    An order waits for another key if it brings what its holder ordered and charged within 24 hours without
    approval above the budget's `approval_above`. The order expires after `days`.
    An order of a plan that only reuses ground costs nothing and is complete at once.
    Errors: not-found, nothing-to-buy, product-too-coarse, order-limits-exceeded, quote-expired,
    pixels-deleted, plan-superseded, plan-already-ordered, ground-already-bought, reused-ground-lost,
    no-budget, budget-ambiguous, budget-currency, budget-not-valid, budget-exceeded.
    """
    plan = lock_plan(session, caller.workspace_id, plan_id)
    _check_orderable(session, plan)
    ground = check_ground(session, plan)
    paying = _choose_budget(session, caller.workspace_id, budget_id, plan.currency)
    until = session.scalars(select(func.now() + timedelta(days=days))).one()
    order = _new_order(plan, paying, caller, until, labels, order_id or uuid4())
    session.add(order)
    session.flush()  # its evidence locks the workspace's chain
    warnings = check_newer_ground(session, ground, order.id)
    if not plan.patches_bought:
        step = end_order(session, order, OrderStatus.COMPLETED, "nothing_to_deliver", caller.key_id)
        return PlacedOrder(order=order, step=step, warnings=warnings)
    order.hold_id = reserve(session, caller.workspace_id, paying, order.planned, f"order:{order.id}")
    with session.no_autoflush:  # hold and status are written together
        budget = get_budget(session, caller.workspace_id, paying)  # locked: nobody else moves its money
    held = budget.terms.approval_above is not None and _needs_approval(session, paying, caller)
    status, reason = (OrderStatus.HELD, "approval_required") if held else (OrderStatus.ACCEPTED, "hold_taken")
    step = record_status(session, order, status, reason, key_id=caller.key_id, sets_deadline=True)
    return PlacedOrder(order=order, step=step, warnings=warnings + _warnings(budget, order.planned))


def _check_orderable(session: Session, plan: Plan) -> None:
    if plan.patches_bought == 0 and not PlanArrays.of(plan).taken.any():
        raise NothingToBuyError("This plan buys no patch, so there is nothing to order.", plan=str(plan.id))
    check_plan_pixels(session, plan)
    check_product(plan)
    if session.scalar(select(func.now() >= plan.expires_at)):
        raise QuoteExpiredError(
            f"The plan's prices applied until {plan.expires_at:%Y-%m-%d %H:%M} UTC. "
            f"Plan the scene again with POST /v1/plans/{plan.id}/replan.",
            plan=str(plan.id),
            expires_at=plan.expires_at.isoformat(),
        )
    newer = superseding(session, plan.id)
    if newer is not None:
        raise PlanSupersededError(
            f"Plan {newer} replaces this plan. Order that one.",
            plan=str(plan.id),
            superseded_by=str(newer),
        )
    standing = standing_order_of(session, plan.id)
    if standing is not None:
        _refuse_second_order(plan, standing)


def _refuse_second_order(plan: Plan, standing: Order) -> NoReturn:
    named = {"plan": str(plan.id), "order": str(standing.id)}
    if standing.status == OrderStatus.COMPLETED:
        raise PlanAlreadyOrderedError(
            f"Order {standing.id} has bought this plan. Plan the scene again to buy more of it.", **named
        )
    raise PlanAlreadyOrderedError(
        f"Order {standing.id} buys this plan. Cancel that order to order the plan again.", **named
    )


def _choose_budget(session: Session, workspace_id: UUID, wanted: UUID | None, currency: str) -> UUID:
    """Return the wanted budget, or the workspace's only one of `currency`."""
    if wanted is None:
        return _only_budget(session, workspace_id, currency)
    budget = get_budget(session, workspace_id, wanted)
    if budget.currency != currency:
        raise BudgetCurrencyError(
            f"The plan is in {currency} and the budget {budget.name!r} is in {budget.currency}. "
            f"Name a budget in {currency}.",
            budget=str(wanted),
            currency=currency,
        )
    return wanted


def _only_budget(session: Session, workspace_id: UUID, currency: str) -> UUID:
    budgets, _ = list_budgets(session, workspace_id, PageRequest(MOST_BUDGETS, None))
    fitting = [budget for budget in budgets if budget.currency == currency]
    if not fitting:
        raise NoBudgetError(
            f"No budget of this workspace is in {currency}. Open one with POST /v1/budgets.",
            currency=currency,
        )
    if len(fitting) > 1:
        shown = fitting[:10]
        more = len(fitting) - len(shown)
        names = ", ".join(budget.name for budget in shown) + (f" and {more} more" if more else "")
        raise BudgetAmbiguousError(
            f"{len(fitting)} budgets of this workspace are in {currency}: {names}. "
            "Name one of them as `budget`.",
            budgets=[{"id": str(budget.id), "name": budget.name} for budget in shown],
        )
    return fitting[0].id


def _new_order(
    plan: Plan, budget_id: UUID, caller: Caller, expires_at: datetime, labels: OrderLabels, order_id: UUID
) -> Order:
    return Order(
        id=order_id,
        workspace_id=plan.workspace_id,
        plan_id=plan.id,
        budget_id=budget_id,
        hold_id=None,
        status=OrderStatus.ACCEPTED,
        currency=plan.currency,
        amount_minor=plan.cost_minor,
        patches=plan.patches_bought,
        key_id=caller.key_id,
        expires_at=expires_at,
        tags={**tags_of_plan(plan), **labels.tags},
        name=labels.name or (plan.naming and plan.naming.name),
        external_id=labels.external_id or (plan.naming and plan.naming.external_id),
        cost_center=labels.cost_center,
    )


def _needs_approval(session: Session, budget_id: UUID, caller: Caller) -> bool:
    session.flush()  # with its hold, the order counts among what its holder has ordered
    return needs_approval(session, budget_id, caller.key_id)


def _warnings(budget: Budget, cost: Money) -> list[LoupeWarning]:
    """Return the warnings about a budget whose balances count the hold on `cost` already."""
    before = budget.used - cost
    warnings = [
        LoupeWarning(code="threshold-reached", detail=f"{percent} % of the budget {budget.name!r} is in use.")
        for percent in crossed(budget.terms.thresholds, budget.limit, before, budget.used)
    ]
    beyond = min(cost, budget.beyond)
    if beyond and budget.terms.enforcement == Enforcement.WARN:
        detail = f"{beyond} of this order exceeds the limit of {budget.limit} of the budget {budget.name!r}."
        warnings.append(LoupeWarning(code="limit-exceeded", detail=detail))
    return warnings
