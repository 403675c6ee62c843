"""The routes of `/v1/invoices`: import, list, and compare with the ledger."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.database.engine import SessionDep
from service.invoices.imports import COLUMNS, InvoicesDep
from service.invoices.repository import find_invoice, keep_invoice, page_of_invoices, read_reconciled
from service.invoices.schemas import (
    DIFFERENCE_COLUMNS,
    Difference,
    InvoiceOut,
    InvoicesImported,
    difference_row,
    invoices_schema,
)
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.tabular import FormDep, file_answer, files_of

router = APIRouter(prefix="/v1/invoices", tags=["invoices"], responses=problems(401))


@router.post(
    "",
    status_code=201,
    summary="Import invoices and credit notes",
    responses=problems(409, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": invoices_schema()},
                "text/csv": {"schema": {"type": "string"}, "example": ",".join(COLUMNS)},
            },
        }
    },
)
def import_invoices(caller: CallerDep, documents: InvoicesDep, session: SessionDep) -> InvoicesImported:
    """Import all documents of the body, or none if one is invalid.

    JSON is one document or an array. CSV has one row for each line, and repeats the cells about the document
    in every row. Importing the same document again changes nothing; 409 `invoice-number-taken` says that its
    number was imported with other content. No entry of the ledger is made: `GET /v1/invoices/differences`
    compares the documents with it.
    """
    kept = [keep_invoice(session, caller, one) for one in documents]
    return InvoicesImported(
        imported=sum(is_new for _, is_new in kept),
        unchanged=sum(not is_new for _, is_new in kept),
        items=[InvoiceOut.of(row) for row, _ in kept],
    )


@router.get("", summary="List invoices and credit notes", responses=problems(422))
def list_invoices(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    page: PageDep,
    order: Annotated[
        UUID | None, Query(description="Id of an order: only documents with a line that names it.")
    ] = None,
) -> Page[InvoiceOut]:
    """List the documents of the workspace, newest import first."""
    rows, following = page_of_invoices(session, caller.workspace_id, page, order)
    return Page(items=[InvoiceOut.of(row) for row in rows], links=page_links(request, following))


@router.get(
    "/differences",
    summary="List the differences between invoices and ledger",
    response_model=Page[Difference],
    responses={**files_of(DIFFERENCE_COLUMNS), **problems(422)},
)
def list_differences(request: Request, caller: CallerDep, session: SessionDep, form: FormDep) -> Response:
    """List every order whose payments and invoices differ, and every line that names no order.

    An order agrees when its invoices sum to its payments and later charges, and its credit notes to its
    refunds, without tax. CSV and Parquet, chosen by the header `Accept` or by `?format=`, have the same rows.
    """
    found = [one for one in read_reconciled(session, caller.workspace_id) if one.state != "agrees"]
    if form != "json":
        return file_answer(form, "differences", DIFFERENCE_COLUMNS, map(difference_row, found))
    page = Page[Difference](items=[Difference.of(one) for one in found], links=page_links(request, None))
    return JSONResponse(page.model_dump(mode="json"))


@router.get("/{invoice_id}", summary="Show an invoice or credit note", responses=problems(404, 422))
def get_invoice(
    invoice_id: Annotated[UUID, Path(description="Id of the document.")],
    caller: CallerDep,
    session: SessionDep,
) -> InvoiceOut:
    """Show one document as it was imported."""
    return InvoiceOut.of(find_invoice(session, caller.workspace_id, invoice_id))
