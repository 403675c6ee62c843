"""Invoices on the dashboard: differences from the ledger, each document with its lines, and their import."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.dashboard.exports import json_parts, streamed
from service.dashboard.filter_fields import ANY
from service.dashboard.frame import show
from service.dashboard.rendering import Kind
from service.dashboard.sent_table import SentTableDep, TableInvalidError, outcome
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.invoices.imports import COLUMNS, read_invoices
from service.invoices.reconciling import LineState, Reconciled, order_named_by
from service.invoices.repository import find_invoice, keep_invoice, page_of_invoices
from service.invoices.schemas import DIFFERENCE_COLUMNS, Difference, InvoiceIn, InvoiceOut, difference_row
from service.invoices.tables import Invoice
from service.orders.tables import Order
from service.reports.kept import kept_figures_of
from service.web.paging import Cursor, CursorDep, PageRequest, next_page
from service.web.tabular import file_answer

router = APIRouter(prefix=f"{PATH}/ledger", include_in_schema=False)
PAGE = f"{PATH}/ledger/invoices"
ROWS = 50
"""Differences, and documents, on a page."""
STATES: Mapping[LineState, str] = {
    "not-invoiced": "paid, not invoiced",
    "not-delivered": "invoiced, not paid",
    "amount-differs": "amounts differ",
    "currency-differs": "currencies differ",
    "order-unknown": "no such order",
}
"""Each difference as a page names it."""


@dataclass(frozen=True, kw_only=True)
class DifferenceChoice:
    """The rows that the page of invoices shows."""

    state: LineState | None = None
    after: str | None = None
    cursor: Cursor | None = None


@router.get("/invoices", name="invoices_page")
def show_invoices(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    cursor: CursorDep,
    state: Annotated[LineState | None, ANY, Query()] = None,
    after: Annotated[str | None, ANY, Query(max_length=200)] = None,
) -> Response:
    """Show the differences between invoices and ledger, then the imported documents, newest first."""
    choice = DifferenceChoice(
        state=state, after=after, cursor=None if cursor is None else Cursor.decode(cursor)
    )
    return _page(request, visitor, database, choice)


@router.post("/invoices", name="import_invoices_on_page")
def import_on_page(sent: SentTableDep) -> Response:
    """Import every document of a file, as `POST /v1/invoices` does, and show what differs from the ledger."""
    form = sent.form

    def refuse(error: LoupeError) -> Response:
        return _page(form.request, form.visitor, form.database, DifferenceChoice(), error)

    return sent.import_rows("import_invoices", read_invoices, _import, then=PAGE, refuse=refuse)


def _import(session: Session, visitor: Visitor, documents: Sequence[InvoiceIn]) -> str:
    return outcome([keep_invoice(session, visitor, one)[1] for one in documents], "document", "imported")


def _page(
    request: Request,
    visitor: Visitor,
    database: Database,
    choice: DifferenceChoice,
    error: LoupeError | None = None,
) -> Response:
    compared = kept_figures_of(request).reconciled(database, visitor.workspace_id)
    with database.sessions() as session:
        documents, following = page_of_invoices(
            session, visitor.workspace_id, PageRequest(ROWS, choice.cursor)
        )
        shown = [InvoiceOut.of(row) for row in documents]
        number = session.scalar(
            select(func.count()).select_from(Invoice).where(Invoice.workspace_id == visitor.workspace_id)
        )
    return show(
        request,
        visitor,
        "invoices.html",
        status=200 if error is None else error.status,
        problem=None if error is None else error.problem(),
        faults=error.faults if isinstance(error, TableInvalidError) else [],
        columns=COLUMNS,
        documents=shown,
        number=number,
        older=next_page(request.url, following),
        is_newest=choice.cursor is None,
        **_differences(compared, choice),
    )


def _differences(compared: Sequence[Reconciled], choice: DifferenceChoice) -> dict[str, Any]:
    """Return the values of the page's list of differences."""
    differing = [one for one in compared if one.state != "agrees"]
    counts = Counter(one.state for one in differing)
    chosen = [one for one in differing if choice.state in {None, one.state}]
    rows, later = rows_after(chosen, choice.after)
    return {
        "states": STATES,
        "state": choice.state,
        "counts": {name: counts[name] for name in STATES},
        "agreeing": len(compared) - len(differing),
        "compared": len(compared),
        "differing": len(differing),
        "rows": [(one, Difference.of(one)) for one in rows],
        "later": later,
        "is_first": choice.after is None,
    }


def rows_after(found: Sequence[Reconciled], after: str | None) -> tuple[list[Reconciled], str | None]:
    """Return the rows of a page, which begin after the row of that name, and the name of its last row.

    The name is None on the last page. A row is named by its order, or by its reference if that names none.
    """
    names = [str(one.order_id or one.reference) for one in found]
    start = names.index(after) + 1 if after in names else 0
    rows = list(found[start : start + ROWS])
    return rows, names[start + ROWS - 1] if len(found) > start + ROWS else None


@router.get("/invoices/{invoice_id}", name="invoice_page")
def show_invoice(request: Request, visitor: VisitorDep, database: DatabaseDep, invoice_id: UUID) -> Response:
    """Show one document as it was imported; each line leads to the order that it names."""
    with database.sessions() as session:
        invoice = InvoiceOut.of(find_invoice(session, visitor.workspace_id, invoice_id))
        named = {line.position: order_named_by(line.reference) for line in invoice.lines}
        query = select(Order.id).where(
            Order.workspace_id == visitor.workspace_id, Order.id.in_({one for one in named.values() if one})
        )
        known = set(session.scalars(query))
    orders = {position: order_id for position, order_id in named.items() if order_id in known}
    return show(request, visitor, "invoice.html", invoice=invoice, orders=orders)


@router.get("/differences.{kind}", name="differences_file")
def differences(request: Request, visitor: VisitorDep, database: DatabaseDep, kind: Kind) -> Response:
    """Send every difference."""
    compared = kept_figures_of(request).reconciled(database, visitor.workspace_id)
    found = [one for one in compared if one.state != "agrees"]
    if kind == "csv":
        return file_answer(kind, "differences", DIFFERENCE_COLUMNS, map(difference_row, found))
    return streamed("differences.json", json_parts(map(Difference.of, found)))
