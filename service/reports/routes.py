"""The reports over HTTP: savings and spending."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep, SessionDep
from service.errors import InvalidInputError
from service.ledger.routes import seq_of
from service.reports.alternatives_schemas import OrderAlternatives
from service.reports.counterfactuals import read_counterfactuals
from service.reports.filters import FilterDep
from service.reports.group_schemas import SAVINGS_GROUP_COLUMNS, GroupedSavings, groups_of
from service.reports.grouping import GroupingDep
from service.reports.kept import KeptFiguresDep
from service.reports.repository import find_counted, page_of_counted
from service.reports.schemas import SAVINGS_COLUMNS, OrderSavings, savings_row
from service.reports.spend import SPEND_COLUMNS, Charge, list_charges
from service.reports.spend_totals import SPEND_GROUP_COLUMNS, SpendReport, spend_report
from service.web.openapi import problems
from service.web.paging import CursorDep, Page, PageDep, encode_cursor, page_links
from service.web.tabular import FILE_ROWS, Form, FormDep, file_answer, files_of
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1/reports", tags=["reports"], responses=problems(401))


@router.get(
    "/savings",
    response_model=GroupedSavings,
    summary="Show the savings",
    responses={**files_of(SAVINGS_COLUMNS, SAVINGS_GROUP_COLUMNS), **problems(422)},
)
def get_savings(
    caller: CallerDep,
    database: DatabaseDep,
    kept: KeptFiguresDep,
    form: FormDep,
    chosen: FilterDep,
    grouping: GroupingDep,
) -> Response:
    """Show the realised, ordered, held, billable and list saving per currency, each with its baseline.

    The price of a ground counts once per price list, however many orders buy it; cancelled, rejected and
    expired orders save nothing, and what was paid on them is a cost. A plan's own saving is not part of any
    sum. CSV and Parquet, chosen by the header `Accept` or by `?format=`, have one row per order.

    `from`, `to`, `budget`, `provider` and `tag` choose the orders that the report is about, by the day of
    placing. Each ground counts once among them.

    `group_by` and `step` add the same sums by group, to the minor unit; a file then has one row per group.
    """
    counted = kept.counted(database, caller.workspace_id, chosen)
    if form != "json" and grouping:
        rows = (one.row for one in groups_of(counted.orders, grouping))
        return file_answer(form, "savings-by-group", SAVINGS_GROUP_COLUMNS, rows)
    if form != "json":
        return file_answer(form, "savings", SAVINGS_COLUMNS, map(savings_row, counted.orders))
    report = counted.derived(
        grouping,
        lambda orders: GroupedSavings.divided(orders, grouping),
        lambda divided: len(divided.groups or ()),
    )
    return JSONResponse(report.model_dump(mode="json"))


@router.get(
    "/savings/orders",
    summary="List the savings of each order",
    responses=problems(422),
)
def list_order_savings(
    request: Request,
    caller: CallerDep,
    database: DatabaseDep,
    kept: KeptFiguresDep,
    page: PageDep,
    chosen: FilterDep,
) -> Page[OrderSavings]:
    """List the orders that the report adds up, newest first, from frozen plans and settlements."""
    shown, following = page_of_counted(kept.counted(database, caller.workspace_id, chosen).orders, page)
    return Page(items=[OrderSavings.of(one) for one in shown], links=page_links(request, following))


@router.get(
    "/savings/orders/{order_id}",
    summary="Show the savings of one order",
    responses=problems(404, 422),
)
def get_order_savings(
    order_id: Annotated[UUID, Path(description="Id of the order.")],
    caller: CallerDep,
    database: DatabaseDep,
    kept: KeptFiguresDep,
) -> OrderSavings:
    """Show one order of the report."""
    return OrderSavings.of(find_counted(kept.counted(database, caller.workspace_id).orders, order_id))


@router.get(
    "/savings/orders/{order_id}/alternatives",
    summary="Compare an order with other ways to spend its money, and with other price lists",
    responses=problems(404, 422, 503),
)
def get_order_alternatives(
    order_id: Annotated[UUID, Path(description="Id of the order.")],
    caller: CallerDep,
    database: DatabaseDep,
    _turn: TurnDep,
    kept: KeptFiguresDep,  # after the turn to compute, for which nobody waits who counts
    bundles: BundlesDep,
) -> OrderAlternatives:
    """Return the realised saving beside fairer counterfactuals than buying everything.

    They are: buying nothing, the same money spent on central or random patches, and the bills of the price
    lists that were valid on the day of the order for exactly the same patches. Nothing is stored, and no
    saving changes.
    """
    counted = find_counted(kept.counted(database, caller.workspace_id).orders, order_id)
    with database.sessions() as session:
        read = read_counterfactuals(session, caller.workspace_id, counted.order, bundles)
    return OrderAlternatives.of_order(counted, read, read.found.compare(read.others))


@router.get(
    "/spend",
    response_model=Page[Charge] | SpendReport,
    summary="List every charge in the columns of FinOps FOCUS",
    responses={**files_of(SPEND_COLUMNS, SPEND_GROUP_COLUMNS), **problems(422)},
)
def list_spend(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    form: FormDep,
    chosen: FilterDep,
    grouping: GroupingDep,
    cursor: CursorDep,
    limit: Annotated[
        int | None,
        Query(ge=1, le=100, description="Rows of a page. Default: 10 in JSON, 10,000 in CSV and Parquet."),
    ] = None,
) -> Response:
    """List one row for each payment, refund and later charge, newest first.

    The answer is JSON, CSV or Parquet, chosen by the header `Accept` or by `?format=`. `from`, `to`,
    `budget`, `provider` and `tag` choose the charges by their day, budget and price list.

    With `group_by` or `step` the answer has no rows but their sums, by group and per currency. It is whole,
    so `limit` and `cursor` have no place in it.
    """
    if grouping:
        if limit is not None or cursor is not None:
            raise InvalidInputError("A report by group has no pages. Leave out limit and cursor.")
        return _grouped_spend(spend_report(session, caller.workspace_id, grouping, chosen), form)
    charges, following = list_charges(
        session,
        caller.workspace_id,
        limit=limit or (10 if form == "json" else FILE_ROWS),
        before_seq=seq_of(cursor),
        chosen=chosen,
    )
    links = page_links(request, None if following is None else encode_cursor(str(following)))
    if form != "json":
        return file_answer(form, "spend", SPEND_COLUMNS, (charge.row for charge in charges))
    page = Page[Charge](items=charges, links=links)
    return JSONResponse(page.model_dump(mode="json"))


def _grouped_spend(report: SpendReport, form: Form) -> Response:
    if form != "json":
        return file_answer(form, "spend-by-group", SPEND_GROUP_COLUMNS, (one.row for one in report.groups))
    return JSONResponse(report.model_dump(mode="json"))
