"""Lists behind the figures, as files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from service.dashboard.filter_fields import ANY
from service.dashboard.ledger_filter import LedgerFilter, read_ledger_filter
from service.dashboard.periods import DayRange
from service.dashboard.plan_list import PlanFiltersDep
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.ledger.filters import LineFilter
from service.ledger.lines import COLUMNS, LedgerLineOut, row_of
from service.ledger.repository import NEWEST, Budget, list_budgets
from service.ledger.routes import described
from service.ledger.schemas import BudgetOut
from service.ledger.transfers import LedgerLine, list_lines
from service.plans.repository import page_of_plans
from service.plans.schemas import PlanSummary
from service.reports.kept import KeptFiguresDep
from service.reports.schemas import SAVINGS_COLUMNS, SavingsReport, savings_row
from service.web.days import read_days
from service.web.negotiation import GEO_JSON, JSON
from service.web.paging import Cursor, PageRequest
from service.web.tabular import Columns, file_answer, to_csv
from service.web.values import Day

router = APIRouter(prefix=PATH, include_in_schema=False)
MEDIA_TYPES = {"csv": "text/csv", "json": JSON, "geojson": GEO_JSON}
"""Media type of a file by its ending."""
READ_AT_ONCE = 1_000
"""Rows of a list that are in memory at a time."""
BUDGET_COLUMNS: Columns = {
    "id": "text", "name": "text", "currency": "text", "limit": "money", "spent": "money", "held": "money",
    "available": "money", "created_at": "time",
}  # fmt: skip
PLAN_COLUMNS: Columns = {
    "id": "text", "created_at": "time", "decision": "text", "patches_bought": "integer",
    "patches": "integer", "currency": "text", "cost": "money", "baseline": "money", "list_saving": "money",
    "billable_saving": "money", "reuse_saving": "money", "area_km2": "text", "billable_km2": "text",
    "bundle": "text", "price_list": "text", "price_list_version": "integer", "input_sha256": "text",
    "task": "text", "objects": "text", "expected_objects": "text", "expected_in_bought": "text",
    "share_in_bought": "text",
}  # fmt: skip
Row = TypeVar("Row")


@router.get("/savings.{kind}")
def savings(
    visitor: VisitorDep,
    database: DatabaseDep,
    kept: KeptFiguresDep,
    kind: Kind,
    first: Annotated[Day | None, ANY, Query(alias="from")] = None,
    last: Annotated[Day | None, ANY, Query(alias="to")] = None,
) -> Response:
    """Send the orders of the first page's savings, those placed in a period if it is given."""
    read_days(first, last)
    period = DayRange(first=first, last=last)
    orders = kept.counted(database, visitor.workspace_id).orders
    counted = [one for one in orders if period.holds(one.order.created_at.date())]
    if kind == "csv":
        return file_answer(kind, "savings", SAVINGS_COLUMNS, map(savings_row, counted))
    return JSONResponse(SavingsReport.of(counted).model_dump(mode="json"))


@router.get("/ledger.{form}")
def ledger(
    visitor: VisitorDep,
    database: DatabaseDep,
    form: Kind,
    wanted: Annotated[LedgerFilter, Depends(read_ledger_filter)],
) -> Response:
    """Send every movement that the filters choose."""
    lines = lines_of_ledger(database, visitor.workspace_id, wanted.limits())
    if form == "csv":
        return streamed("ledger.csv", csv_parts(COLUMNS, map(row_of, lines)))
    return streamed("ledger.json", json_parts(map(LedgerLineOut.of, lines)))


@router.get("/budgets.{kind}")
def budgets(visitor: VisitorDep, database: DatabaseDep, kind: Kind) -> Response:
    """Send every budget, in CSV with amounts in major units."""
    if kind == "csv":

        def read(session: Session, page: PageRequest) -> tuple[Sequence[Budget], Cursor | None]:
            return list_budgets(session, visitor.workspace_id, page)

        return streamed("budgets.csv", csv_parts(BUDGET_COLUMNS, map(_budget_row, every(database, read))))

    def describe(session: Session, page: PageRequest) -> tuple[Sequence[BudgetOut], Cursor | None]:
        rows, following = list_budgets(session, visitor.workspace_id, page)
        return described(session, rows), following

    return streamed("budgets.json", json_parts(every(database, describe)))


@router.get("/plans.{kind}")
def plans(visitor: VisitorDep, database: DatabaseDep, kind: Kind, filters: PlanFiltersDep) -> Response:
    """Send every plan that the filters choose, in CSV with amounts in major units."""
    with database.sessions() as session:
        conditions = filters.conditions(session, visitor.workspace_id)

    def read(session: Session, page: PageRequest) -> tuple[Sequence[PlanSummary], Cursor | None]:
        rows, following = page_of_plans(session, visitor.workspace_id, page, conditions)
        return [PlanSummary.summarise(plan, scene) for plan, scene in rows], following

    items = every(database, read)
    if kind == "csv":
        return streamed("plans.csv", csv_parts(PLAN_COLUMNS, map(_plan_row, items)))
    return streamed("plans.json", json_parts(items))


def every(
    database: Database, read: Callable[[Session, PageRequest], tuple[Sequence[Row], Cursor | None]]
) -> Iterator[Row]:
    """Yield every row of a list, newest first; each page is read in a short session of its own."""
    page: PageRequest | None = PageRequest(READ_AT_ONCE, None)
    while page is not None:
        with database.sessions() as session:
            rows, following = read(session, page)
        yield from rows
        page = None if following is None else replace(page, after=following)


def lines_of_ledger(database: Database, workspace_id: UUID, chosen: LineFilter) -> Iterator[LedgerLine]:
    """Yield the chosen movements, newest first; each page is read in a short session of its own."""
    before: int | None = NEWEST
    while before is not None:
        with database.sessions() as session:
            lines, before = list_lines(session, workspace_id, chosen, limit=READ_AT_ONCE, before_seq=before)
        yield from lines


def streamed(name: str, parts: Iterator[str]) -> StreamingResponse:
    """Send a file while its rows are read from the database."""
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type=media_type, headers=headers)


def csv_parts(columns: Columns, rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield CSV with a header row."""
    left = iter(rows)
    yield to_csv(columns, ())
    while part := list(islice(left, READ_AT_ONCE)):
        yield to_csv(columns, part).partition("\r\n")[2]


def json_parts(items: Iterable[BaseModel]) -> Iterator[str]:
    """Yield a JSON object whose `items` are all rows."""
    yield '{"items":['
    for number, item in enumerate(items):
        yield ("," if number else "") + item.model_dump_json(exclude_none=True)
    yield "]}"


def _budget_row(budget: Budget) -> Sequence[object]:
    balances = (budget.limit, budget.spent, budget.held, budget.available)
    amounts = (Decimal(balance.amount) for balance in balances)
    return (str(budget.id), budget.name, budget.currency, *amounts, budget.created_at)


def _plan_row(plan: PlanSummary) -> Sequence[object]:
    bundle, prices = plan.provenance["bundle"], plan.provenance["price_list"]
    money = (plan.cost, plan.baseline, plan.savings.list, plan.savings.billable)
    return (
        str(plan.id), plan.created_at, plan.decision, plan.patches.bought, plan.patches.total,
        plan.cost.currency, *(Decimal(one.amount) for one in money),
        Decimal(plan.reuse.saved.amount) if plan.reuse else None, plan.area_km2, plan.billable_km2,
        bundle["sha256"], prices["name"], prices["version"], plan.provenance["input_sha256"],
        plan.task, *_objects(plan),
    )  # fmt: skip


def _objects(plan: PlanSummary) -> Sequence[object]:
    """Return the objects that a plan expects; empty cells for a bundle that counts nothing."""
    objects = plan.objects
    if objects is None:
        return [None] * 4
    return objects.name, objects.scene.expected, objects.in_bought, objects.share
