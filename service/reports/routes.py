"""The savings report over HTTP."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.db import SessionDep
from service.openapi import problems
from service.reports.exports import to_csv
from service.reports.repository import find_figures, order_figures, page_of_figures
from service.reports.savings import OrderFigures, savings_by_currency
from service.reports.schemas import OrderSavings, SavingsReport, currency_savings
from service.schemas import Link, Page, PageDep, page_links
from service.tabular import FormDep

router = APIRouter(prefix="/v1/reports", tags=["money"], responses=problems(401))


@router.get(
    "/savings",
    response_model=SavingsReport,
    summary="Show what was saved: list, billable and realised, each beside its baseline",
    responses={200: {"content": {"text/csv": {}}, "description": "per currency"}, **problems(422)},
)
def get_savings(caller: CallerDep, session: SessionDep, form: FormDep) -> Response:
    """Per currency. CSV, by `Accept: text/csv` or `?format=csv`, has one row per order."""
    figures = order_figures(session, caller.workspace_id)
    if form == "csv":
        return csv_answer(figures)
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


def report_on(figures: list[OrderFigures]) -> SavingsReport:
    """Sum the orders up for JSON."""
    return SavingsReport(
        currencies=[currency_savings(savings) for savings in savings_by_currency(figures)],
        links=[
            Link(rel="self", href="/v1/reports/savings"),
            Link(rel="alternate", href="/v1/reports/savings?format=csv", type="text/csv"),
            Link(rel="orders", href="/v1/reports/savings/orders"),
            Link(rel="ledger", href="/v1/ledger"),
        ],
    )


def csv_answer(figures: list[OrderFigures]) -> Response:
    """Send the orders as a file."""
    name = {"Content-Disposition": 'attachment; filename="savings.csv"'}
    return Response(to_csv(figures), media_type="text/csv", headers=name)
