"""The budgets and plans of the page as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from service.ledger.repository import Budget
from service.plans.schemas import PlanSummary
from service.web.tabular import harmless

BUDGET_COLUMNS = ("id", "name", "currency", "limit", "spent", "held", "available", "created_at")
PLAN_COLUMNS = (
    "id", "created_at", "decision", "patches_bought", "patches", "currency", "cost", "baseline",
    "list_saving", "billable_saving", "area_km2", "billable_km2", "bundle", "price_list",
    "price_list_version", "input_sha256",
)  # fmt: skip


def budgets_csv(budgets: Iterable[Budget]) -> str:
    """Write one row per budget, amounts in major units."""
    return _write(BUDGET_COLUMNS, (_budget_row(budget) for budget in budgets))


def plans_csv(plans: Iterable[PlanSummary]) -> str:
    """Write one row per plan, amounts in major units."""
    return _write(PLAN_COLUMNS, (_plan_row(plan) for plan in plans))


def _budget_row(budget: Budget) -> Sequence[object]:
    balances = (budget.limit, budget.spent, budget.held, budget.available)
    amounts = (balance.amount for balance in balances)
    return (budget.id, harmless(budget.name), budget.currency, *amounts, budget.created_at.isoformat())


def _plan_row(plan: PlanSummary) -> Sequence[object]:
    bundle, prices = plan.provenance["bundle"], plan.provenance["price_list"]
    return (
        plan.id, plan.created_at.isoformat(), harmless(plan.decision), plan.patches.bought,
        plan.patches.total, plan.cost.currency, plan.cost.amount, plan.baseline.amount,
        plan.savings.list.amount, plan.savings.billable.amount, plan.area_km2, plan.billable_km2,
        bundle["sha256"], harmless(prices["name"]), prices["version"], plan.provenance["input_sha256"],
    )  # fmt: skip


def _write(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
