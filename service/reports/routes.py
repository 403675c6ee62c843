"""The reports over HTTP: what was saved, what was spent."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.database.engine import SessionDep
from service.ledger.routes import seq_of
from service.reports.exports import COLUMNS, row_of
from service.reports.repository import find_figures, order_figures, page_of_figures
from service.reports.savings import OrderFigures, savings_by_currency
from service.reports.schemas import OrderSavings, SavingsReport, currency_savings
from service.reports.spend import COLUMNS as SPEND_COLUMNS
from service.reports.spend import Charge, list_charges
from service.web.openapi import problems
from service.web.paging import Link, Page, PageDep, encode_cursor, page_links
from service.web.tabular import FILE_ROWS, FILES, MEDIA_TYPES, FormDep, file_answer

router = APIRouter(prefix="/v1/reports", tags=["money"], responses=problems(401))


@router.get(
    "/savings",
    response_model=SavingsReport,
    summary="Show what was saved: list, billable and realised, each beside its baseline",
    responses={**FILES, **problems(422)},
)
def get_savings(caller: CallerDep, session: SessionDep, form: FormDep) -> Response:
    """Per currency. CSV and Parquet, by `Accept` or `?format=`, have one row per order."""
    figures = order_figures(session, caller.workspace_id)
    if form != "json":
        return file_answer(form, "savings", COLUMNS, map(row_of, figures))
    return JSONResponse(report_on(figures).model_dump(mode="json"))


@router.get(
    "/savings/orders",
    summary="Show what each order saved, newest first",
    responses=problems(422),
)
def list_order_savings(
    request: Request, caller: CallerDep, session: SessionDep, page: PageDep
) -> Page[OrderSavings]:
    """The lines that the report sums up, from frozen plans and settlements."""
    figures, following = page_of_figures(session, caller.workspace_id, page)
    return Page(items=[OrderSavings.of(order) for order in figures], links=page_links(request, following))


@router.get("/savings/orders/{order_id}", summary="Show what one order saved", responses=problems(404, 422))
def get_order_savings(order_id: UUID, caller: CallerDep, session: SessionDep) -> OrderSavings:
    """One line of the report."""
    return OrderSavings.of(find_figures(session, caller.workspace_id, order_id))


@router.get(
    "/spend",
    response_model=Page[Charge],
    summary="Show every charge, newest first, in the columns of FinOps FOCUS",
    responses={**FILES, **problems(422)},
)
def list_spend(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    form: FormDep,
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """One row for each payment, refund or later charge: JSON, CSV or Parquet, by `Accept` or `?format=`."""
    charges, following = list_charges(
        session,
        caller.workspace_id,
        limit=limit or (10 if form == "json" else FILE_ROWS),
        before_seq=seq_of(cursor),
    )
    links = page_links(request, None if following is None else encode_cursor("seq", str(following)))
    header = {"Link": ", ".join(f'<{link.href}>; rel="{link.rel}"' for link in links)}
    if form != "json":
        return file_answer(form, "spend", SPEND_COLUMNS, (charge.row for charge in charges), header)
    page = Page[Charge](items=charges, links=links)
    return JSONResponse(page.model_dump(mode="json"), headers=header)


def report_on(figures: list[OrderFigures]) -> SavingsReport:
    """Sum the orders up for JSON."""
    return SavingsReport(
        currencies=[currency_savings(savings) for savings in savings_by_currency(figures)],
        links=[
            Link(rel="self", href="/v1/reports/savings"),
            Link(rel="alternate", href="/v1/reports/savings?format=csv", type="text/csv"),
            Link(rel="alternate", href="/v1/reports/savings?format=parquet", type=MEDIA_TYPES["parquet"]),
            Link(rel="orders", href="/v1/reports/savings/orders"),
            Link(rel="ledger", href="/v1/ledger"),
        ],
    )
