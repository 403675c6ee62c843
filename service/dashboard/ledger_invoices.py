"""Invoices on the dashboard: differences from the ledger, and each document with its lines. Reads only."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func, select

from service.dashboard.exports import json_parts, streamed
from service.dashboard.frame import show
from service.dashboard.order_rows import ANY
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.invoices.reconciling import LineState, Reconciled, order_named_by
from service.invoices.repository import find_invoice, page_of_invoices, read_reconciled
from service.invoices.schemas import DIFFERENCE_COLUMNS, Difference, InvoiceOut, difference_row
from service.invoices.tables import Invoice
from service.orders.tables import Order
from service.web.paging import Cursor, CursorQuery, PageRequest, page_links
from service.web.tabular import file_answer

router = APIRouter(prefix=f"{PATH}/ledger", include_in_schema=False)
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


@router.get("/invoices", name="invoices_page")
def show_invoices(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    state: Annotated[LineState | None, ANY, Query()] = None,
    after: Annotated[str | None, ANY, Query(max_length=200)] = None,
    cursor: CursorQuery = None,
) -> Response:
    """Show the differences between invoices and ledger, then the imported documents, newest first."""
    page = PageRequest(ROWS, None if cursor is None else Cursor.decode(cursor))
    with database.sessions() as session:
        compared = read_reconciled(session, visitor.workspace_id)
        documents, following = page_of_invoices(session, visitor.workspace_id, page)
        shown = [InvoiceOut.of(row) for row in documents]
        number = session.scalar(
            select(func.count()).select_from(Invoice).where(Invoice.workspace_id == visitor.workspace_id)
        )
    differing = [one for one in compared if one.state != "agrees"]
    chosen = [one for one in differing if state in {None, one.state}]
    rows, later = rows_after(chosen, after)
    links = {link.rel: link.href for link in page_links(request, following)}
    return show(
        request,
        visitor,
        "invoices.html",
        states=STATES,
        state=state,
        counts={name: sum(one.state == name for one in differing) for name in STATES},
        agreeing=len(compared) - len(differing),
        compared=len(compared),
        differing=len(differing),
        rows=[(one, Difference.of(one)) for one in rows],
        later=later,
        is_first=after is None,
        documents=shown,
        number=number,
        older=links.get("next"),
        is_newest=cursor is None,
    )


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
def differences(visitor: VisitorDep, database: DatabaseDep, kind: Kind) -> Response:
    """Send every difference."""
    with database.sessions() as session:
        found = [one for one in read_reconciled(session, visitor.workspace_id) if one.state != "agrees"]
    if kind == "csv":
        return file_answer(kind, "differences", DIFFERENCE_COLUMNS, map(difference_row, found))
    return streamed("differences.json", json_parts(map(Difference.of, found)))
