"""The first page: savings, accuracy, budgets, plans and movements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.bundle import Manifest
from models.grid import PATCHES
from service.bundles.registry import Bundles
from service.classification.repository import counted_objects
from service.classification.schemas import CountedObjects
from service.dashboard.changes import PageWatch, waiting_mark
from service.dashboard.frame import show
from service.dashboard.order_rows import WorkspaceNames, read_waiting, time_now
from service.dashboard.orders import may_approve
from service.dashboard.periods import TITLES, DayRange, period_of
from service.dashboard.plan_page import described
from service.dashboard.savings_view import Chosen, read_chosen, read_planned, view_savings
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.ledger.lines import LedgerLineOut
from service.ledger.repository import Budget, list_budgets
from service.ledger.transfers import list_lines
from service.money import Money
from service.orders.delivered import delivered_counts, warned_counts
from service.orders.tables import STATUS_NOW, Order
from service.plans.objects import PlanObjects
from service.plans.repository import page_of_plans
from service.plans.rounds import PlanRound
from service.plans.schemas import PlanSummary
from service.pricing.tables import PriceList
from service.reports.kept import KeptFigures, KeptFiguresDep
from service.web.licences import licence_note
from service.web.money import MoneyOut
from service.web.paging import PageRequest

router = APIRouter(prefix=PATH, include_in_schema=False)
PLANS, BUDGETS, ENTRIES, ORDERS = 6, 20, 12, 12
"""Number of plans, budgets, movements and orders on the page; its links lead to all of them."""


@router.get("")
def overview(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    kept: KeptFiguresDep,
    chosen: Annotated[Chosen, Depends(read_chosen)],
) -> Response:
    """Show the savings of a period, what waits for the visitor, budgets, plans and movements."""
    bundles = cast(Bundles, request.state.bundles)
    quality = bundle_accuracy(bundles.default.manifest) if bundles else None
    with database.sessions() as session:
        names, now = WorkspaceNames.of(session, visitor.workspace_id), time_now(session)
        approves = may_approve(visitor, database)
        watch = PageWatch.at(PATH, waiting_mark(session, visitor.workspace_id))
        waiting = read_waiting(session, visitor, names, now, may_approve=approves)
    page = read_page(database, kept, visitor.workspace_id, chosen)
    return show(
        request,
        visitor,
        "overview.html",
        quality=quality,
        bundles=len(bundles),
        chosen=chosen,
        titles=TITLES,
        waiting=waiting,
        watch=watch,
        **page,
    )


@dataclass(frozen=True, kw_only=True)
class BudgetBar:
    """A budget as a bar of 0 to 100: spent, then held, then available."""

    id: UUID
    name: str
    limit: MoneyOut
    spent: MoneyOut
    held: MoneyOut
    available: MoneyOut
    spent_percent: float
    held_percent: float

    @property
    def words(self) -> str:
        """The text that screen readers read for the bar."""
        return f"{self.spent_percent:g} % spent, {self.held_percent:g} % held"


@dataclass(frozen=True, kw_only=True)
class PlanCard:
    """A plan with the status of its latest order and its price list."""

    id: UUID
    created_at: datetime
    reason: str
    standing: str
    patches_bought: int
    patches: int
    cost: MoneyOut
    baseline: MoneyOut
    billable_saving: MoneyOut
    reused: int
    """Patches that are not bought because they are owned or on order."""
    reuse_saving: MoneyOut | None
    """The amount that reuse saves; None where no patch is reused."""
    task: str
    objects: PlanObjects | None
    """The objects that the plan expects; None for a bundle that counts nothing."""
    round: PlanRound | None
    """Gain of a plan of a later round; None for a first plan."""
    guarantee: str
    """The guarantee of the plan as a sentence; empty without one."""
    bundle: str
    licence: str
    """Licence of the bundle as a note; empty if it states none."""
    price_list: str
    warnings: list[str]
    """Doubts about how the scene was read, as sentences."""
    order: "OrderProgress | None"


@dataclass(frozen=True, kw_only=True)
class OrderProgress:
    """The latest order of a plan: how many of its patches came, and how many of them draw a warning."""

    id: UUID
    status: str
    patches: int
    delivered: int
    warned: int
    counted: CountedObjects | None
    """The objects in the order's latest classification; None without one, or if nothing is counted."""


def read_page(database: Database, kept: KeptFigures, workspace_id: UUID, chosen: Chosen) -> dict[str, Any]:
    """Return the values of the template `overview.html`."""
    with database.sessions() as session:
        budgets, _ = list_budgets(session, workspace_id, PageRequest(BUDGETS, None))
        lines, _ = list_lines(session, workspace_id, limit=ENTRIES)
        values = {
            "budgets": [budget_bar(budget) for budget in budgets],
            "plans": plan_cards(session, workspace_id),
            "entries": [LedgerLineOut.of(line) for line in lines],
        }
        period = period_of(chosen.name, time_now(session).date(), chosen.first, chosen.last)
    counted = kept.counted(database, workspace_id)
    view = counted.derived(
        (chosen, period),
        lambda orders: view_savings(orders, chosen, period, ORDERS),
        lambda shown: sum(len(one.groups) for one in shown.currencies) + len(shown.groups),
    )
    planned = counted.of_plans(("planned", period), lambda: planned_now(database, workspace_id, period))
    shown = [one.report.currency for one in view.currencies]
    amounts = {one: planned.get(one, Money(0, one)) for one in [*shown, *sorted(planned)]}
    return values | {
        "view": view,
        "orders": view.orders,
        "planned": {currency: MoneyOut.of(amount) for currency, amount in amounts.items()},
        "only_planned": [currency for currency in amounts if currency not in shown],
    }


def planned_now(database: Database, workspace_id: UUID, period: DayRange) -> dict[str, Money]:
    """Read the planned saving of a period."""
    with database.sessions() as session:
        return read_planned(session, workspace_id, period)


def budget_bar(budget: Budget) -> BudgetBar:
    """Return a budget's balances as a bar."""

    def percent(part: Money) -> float:
        # A budget that only warns can be used beyond its limit; its bar is then full.
        whole = max(budget.limit, budget.used)
        return round(100 * max(0, part.minor) / whole.minor, 2) if whole else 0.0

    return BudgetBar(
        id=budget.id,
        name=budget.name,
        limit=MoneyOut.of(budget.limit),
        spent=MoneyOut.of(budget.spent),
        held=MoneyOut.of(budget.held),
        available=MoneyOut.of(budget.available),
        spent_percent=percent(budget.spent),
        held_percent=percent(budget.held),
    )


def plan_cards(session: Session, workspace_id: UUID) -> list[PlanCard]:
    """Return the newest plans, each with the status of its latest order and its price list."""
    rows, _ = page_of_plans(session, workspace_id, PageRequest(PLANS, None))
    plans = [plan for plan, _ in rows]
    standing = latest_orders(session, [plan.id for plan in plans])
    prices_query = select(PriceList).where(PriceList.id.in_([plan.price_list_id for plan in plans]))
    prices = {price_list.id: price_list for price_list in session.scalars(prices_query)}
    return [
        _card(PlanSummary.summarise(plan, scene), standing.get(plan.id), prices[plan.price_list_id])
        for plan, scene in rows
    ]


def latest_orders(session: Session, plan_ids: Sequence[UUID]) -> dict[UUID, OrderProgress]:
    """Return the latest order of each plan that was ordered."""
    query = select(Order.plan_id, Order.id, STATUS_NOW, Order.patches).where(Order.plan_id.in_(plan_ids))
    rows = {row[0]: row for row in session.execute(query.order_by(Order.created_at))}
    order_ids = [order_id for _, order_id, _, _ in rows.values()]
    delivered, warned = delivered_counts(session, order_ids), warned_counts(session, order_ids)
    counted = counted_objects(session, order_ids)
    return {
        plan_id: OrderProgress(
            id=order_id,
            status=status.replace("_", " "),
            patches=patches,
            delivered=delivered.get(order_id, 0),
            warned=warned.get(order_id, 0),
            counted=CountedObjects(**counted[order_id]) if order_id in counted else None,
        )
        for plan_id, order_id, status, patches in rows.values()
    }


def _card(plan: PlanSummary, order: OrderProgress | None, price_list: PriceList) -> PlanCard:
    status = order.status if order else "not ordered"
    reuse = plan.reuse if plan.reuse is not None and plan.reuse.mode == "owned" else None
    reused = reuse.owned + reuse.on_order if reuse is not None else 0
    return PlanCard(
        id=plan.id,
        created_at=plan.created_at,
        reason=plan.decision,
        standing=status if plan.patches.bought or order else "buys nothing",
        patches_bought=plan.patches.bought,
        patches=plan.patches.total,
        cost=plan.cost,
        baseline=plan.baseline,
        billable_saving=MoneyOut(
            amount=plan.savings.billable.amount, currency=plan.savings.billable.currency
        ),
        reused=reused,
        reuse_saving=reuse.saved if reuse is not None and reused else None,
        task=plan.task,
        objects=plan.objects,
        guarantee=plan.guarantee.promise if plan.guarantee is not None else "",
        round=plan.round,
        bundle=f"{plan.provenance['bundle']['name']} {plan.provenance['bundle']['version']}",
        licence=licence_note(plan.licence),
        price_list=described(price_list),
        warnings=[warning.detail for warning in plan.warnings],
        order=order,
    )


@dataclass(frozen=True, kw_only=True)
class BundleAccuracy:
    """Accuracies from 0 to 1 on the bundle's evaluation split; None if the curve has no such point."""

    bundle: str
    split: str
    accuracy: float
    mean_patches: float
    none: float | None
    """Accuracy with no patch bought, from low resolution only."""
    all: float | None
    """Accuracy with all 16 patches bought."""


def bundle_accuracy(manifest: Manifest) -> BundleAccuracy | None:
    """Read a bundle's evaluation curve at its threshold and at both ends. Return None without a curve."""
    threshold, curve = (
        manifest.threshold_for(manifest.default_task),
        manifest.curve_for(manifest.default_task),
    )
    if not curve:
        return None
    chosen = min(curve, key=lambda point: abs(point.threshold - threshold))
    accuracy_at = {point.mean_patches: point.accuracy for point in curve}
    return BundleAccuracy(
        bundle=f"{manifest.name} {manifest.version}",
        split=manifest.curve_split or "not named",
        accuracy=chosen.accuracy,
        mean_patches=chosen.mean_patches,
        none=accuracy_at.get(0),
        all=accuracy_at.get(PATCHES),
    )
