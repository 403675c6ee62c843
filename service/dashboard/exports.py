"""Files of the savings and of the ledger, and how long lists are streamed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
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
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.ledger.filters import LineFilter
from service.ledger.lines import COLUMNS, LedgerLineOut, row_of
from service.ledger.repository import NEWEST
from service.ledger.transfers import LedgerLine, list_lines
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
