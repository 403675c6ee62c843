"""Views of budgets and of the ledger."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import RenderableType

from loupe.answers.base import Json
from service.terminal.blocks import money
from service.terminal.tables import columns, facts


def budgets_view(budgets: Sequence[Json]) -> RenderableType:
    """Return budgets with their limit, spent, held and available money."""
    names = ("limit", "spent", "held", "available")
    rows = [(item["name"], *(money(item[name]) for name in names), item["id"]) for item in budgets]
    return columns(("Budget", "Limit", "Spent", "Held", "Available", "Id"), rows, set(map(str.title, names)))


def terms_view(budget: Json) -> RenderableType:
    """Return a budget's limit and current terms."""
    days = _validity(budget.get("starts_on"), budget.get("ends_on"))
    tags = ", ".join(f"{name}={value}" for name, value in budget["tags"].items())
    above = budget.get("approval_above")
    rows = [
        ("Budget", f"{budget['name']}, terms version {budget['version']}"),
        ("Limit", f"{money(budget['limit'])}, {_renewal(budget['period'])}"),
        ("Beyond the limit", str(budget["enforcement"])),
        ("Valid", days),
        ("Warnings at", ", ".join(f"{percent}%" for percent in budget["thresholds"]) or "none"),
        ("Approval", f"by a second key for orders above {money(above)}" if above else "not required"),
        ("Tags", tags or "none"),
    ]
    return facts(rows)


def _renewal(period: str) -> str:
    return "never renewed" if period == "none" else f"renewed every {period}"


def _validity(starts_on: str | None, ends_on: str | None) -> str:
    parts = [f"from {starts_on}" if starts_on else "", f"until {ends_on}" if ends_on else ""]
    return " ".join(filter(None, parts)) or "always"


def ledger_view(entries: Sequence[Json]) -> RenderableType:
    """Return ledger entries, newest first."""
    rows = [
        (
            str(entry["seq"]),
            entry["at"][:19].replace("T", " "),
            entry["kind"],
            money(entry["amount"]),
            entry["budget"],
            entry["reference"],
        )
        for entry in entries
    ]
    titles = ("Seq", "When (UTC)", "Movement", "Amount", "Budget", "Reference")
    return columns(titles, rows, right={"Seq", "Amount"})


def closes_view(closed: Sequence[Json]) -> RenderableType:
    """Return closed months with the opening and closing balances of their budgets."""
    rows = [
        (
            month["month"],
            one["name"],
            moment,
            *(money(one[moment][name]) for name in ("granted", "available", "held", "spent")),
        )
        for month in closed
        for one in month["budgets"]
        for moment in ("opening", "closing")
    ]
    amounts = ("Granted", "Available", "Held", "Spent")
    return columns(("Month", "Budget", "Balance", *amounts), rows, right=set(amounts))


def findings_view(findings: Iterable[Any]) -> RenderableType:
    """Return the broken rules of `loupe ledger verify`, each with its row."""
    return columns(("Broken rule", "Row"), [(one.rule, one.subject) for one in findings])
