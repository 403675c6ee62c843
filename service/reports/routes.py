"""The savings report over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.db import SessionDep
from service.openapi import problems
from service.reports.exports import to_csv
from service.reports.repository import order_figures
from service.reports.savings import OrderFigures, savings_by_currency
from service.reports.schemas import SavingsReport, currency_savings
from service.schemas import Link

router = APIRouter(prefix="/v1/reports", tags=["money"], responses=problems(401))


@router.get(
    "/savings",
    response_model=SavingsReport,
    summary="Show what was saved: list, billable and realised, each beside its baseline",
    responses={200: {"content": {"text/csv": {}}, "description": "per currency"}, **problems(422)},
)
def get_savings(
    caller: CallerDep,
    session: SessionDep,
    wanted: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Per currency. CSV, by `Accept: text/csv` or `?format=csv`, has one row per order."""
    figures = order_figures(session, caller.workspace_id)
    if wanted == "csv" or (wanted is None and accept.startswith("text/csv")):
        return csv_answer(figures)
    return JSONResponse(report_on(figures).model_dump(mode="json"))


def report_on(figures: list[OrderFigures]) -> SavingsReport:
    """Sum the orders up for JSON."""
    return SavingsReport(
        currencies=[currency_savings(savings) for savings in savings_by_currency(figures)],
        links=[
            Link(rel="self", href="/v1/reports/savings"),
            Link(rel="alternate", href="/v1/reports/savings?format=csv", type="text/csv"),
            Link(rel="ledger", href="/v1/ledger"),
        ],
    )


def csv_answer(figures: list[OrderFigures]) -> Response:
    """Send the orders as a file."""
    name = {"Content-Disposition": 'attachment; filename="savings.csv"'}
    return Response(to_csv(figures), media_type="text/csv", headers=name)
