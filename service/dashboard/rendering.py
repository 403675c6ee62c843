"""Pages, assets and CSV files of the dashboard, and the formats of the figures in them."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.errors import NotFoundError
from service.ledger.repository import Budget
from service.plans.schemas import PlanSummary
from service.web.money import MoneyOut
from service.web.tabular import harmless

HERE = Path(__file__).parent
ASSETS = {"dashboard.css": "text/css; charset=utf-8", "loupe.svg": "image/svg+xml"}
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cache-Control": "no-store",
    # Without it browsers send the sign-in form with `Origin: null`, as they do for a hostile page.
    "Referrer-Policy": "same-origin",
}

BUDGET_COLUMNS = ("id", "name", "currency", "limit", "spent", "held", "available", "created_at")
PLAN_COLUMNS = (
    "id", "created_at", "decision", "patches_bought", "patches", "currency", "cost", "baseline",
    "list_saving", "billable_saving", "reuse_saving", "area_km2", "billable_km2", "bundle", "price_list",
    "price_list_version", "input_sha256", "task", "objects", "expected_objects", "expected_in_bought",
    "share_in_bought",
)  # fmt: skip


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a template as a page. Values are escaped; the page runs no script and loads only from here."""
    page = _environment().get_template(template).render(**values)
    return HTMLResponse(page, status, headers=HEADERS)


def read_asset(name: str) -> tuple[bytes, str]:
    """Return an asset's bytes and media type. NotFoundError for an unknown name."""
    if name not in ASSETS:
        raise NotFoundError("The dashboard has no asset of this name.", asset=name)
    return _bytes_of(name), ASSETS[name]


def asset_url(name: str) -> str:
    """Return a URL that changes with the asset's content, so that browsers can cache it for ever."""
    return f"/dashboard/assets/{name}?v={hashlib.sha256(_bytes_of(name)).hexdigest()[:12]}"


def budgets_csv(budgets: Iterable[Budget]) -> Response:
    """Return a CSV file with one row per budget, amounts in major units."""
    return _csv_file("budgets", BUDGET_COLUMNS, (_budget_row(budget) for budget in budgets))


def plans_csv(plans: Iterable[PlanSummary]) -> Response:
    """Return a CSV file with one row per plan, amounts in major units."""
    return _csv_file("plans", PLAN_COLUMNS, (_plan_row(plan) for plan in plans))


def _budget_row(budget: Budget) -> Sequence[object]:
    balances = (budget.limit, budget.spent, budget.held, budget.available)
    amounts = (balance.amount for balance in balances)
    return (budget.id, harmless(budget.name), budget.currency, *amounts, budget.created_at.isoformat())


def _plan_row(plan: PlanSummary) -> Sequence[object]:
    bundle, prices = plan.provenance["bundle"], plan.provenance["price_list"]
    return (
        plan.id, plan.created_at.isoformat(), harmless(plan.decision), plan.patches.bought,
        plan.patches.total, plan.cost.currency, plan.cost.amount, plan.baseline.amount,
        plan.savings.list.amount, plan.savings.billable.amount, plan.reuse.saved.amount if plan.reuse else "",
        plan.area_km2, plan.billable_km2,
        bundle["sha256"], harmless(prices["name"]), prices["version"], plan.provenance["input_sha256"],
        plan.task, *_objects(plan),
    )  # fmt: skip


def _objects(plan: PlanSummary) -> Sequence[object]:
    """Return the objects that a plan expects; empty cells for a bundle that counts nothing."""
    objects = plan.objects
    if objects is None:
        return [""] * 4
    return harmless(objects.name), objects.scene.expected, objects.in_bought, objects.share


def _csv_file(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), media_type="text/csv", headers=headers)


def amount(money: MoneyOut) -> str:
    """Format 1234567.50 as 1,234,567.50."""
    return f"{Decimal(money.amount):,}"


def percent(share: float) -> str:
    """Format 0.8125 as 81.2 %."""
    return f"{100 * share:.1f}\u202f%"


def share_of(part: MoneyOut, whole: MoneyOut) -> str:
    """Format a saving as its share of `whole`: "2.5 % of 1,000.00 USD"."""
    total = Decimal(whole.amount)
    if not total:
        return f"of {amount(whole)} {whole.currency}"
    return f"{percent(float(Decimal(part.amount) / total))} of {amount(whole)} {whole.currency}"


def count_of(number: int, noun: str) -> str:
    """Format a count and a noun: "1 order", "2 patches"."""
    ending = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def when(moment: datetime) -> str:
    """Format a time in UTC for people: "2 Nov 2026, 23:30"."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M}"


def iso(moment: datetime) -> str:
    """Format a time in UTC as RFC 3339."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def short(identifier: UUID) -> str:
    """Format an id by its first eight digits, for a link whose title has all of them."""
    return str(identifier)[:8]


@cache
def _bytes_of(name: str) -> bytes:
    return (HERE / "assets" / name).read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (amount, percent, share_of, count_of, when, iso, short)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals["asset"] = asset_url
    return environment
