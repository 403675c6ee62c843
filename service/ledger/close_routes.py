"""Closed months over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.database.engine import SessionDep
from service.ledger import writer
from service.ledger.close_schemas import CLOSE_COLUMNS, CloseIn, CloseOut, close_rows
from service.ledger.closes import list_closed
from service.web.openapi import problems
from service.web.paging import CursorDep, Page, encode_cursor, page_links, read_place
from service.web.tabular import FormDep, file_answer, files_of

router = APIRouter(prefix="/v1/ledger/closes", tags=["ledger"], responses=problems(401, 422))


@router.post(
    "",
    status_code=201,
    summary="Close a month",
    responses=problems(409)
    | {200: {"model": CloseOut, "description": "The month was closed before; nothing changed."}},
)
def close_month(wanted: CloseIn, caller: CallerDep, session: SessionDep, response: Response) -> CloseOut:
    """Close a month of the workspace that is over, and state the opening and closing balances of each budget.

    No entry is made in a closed month any more: refunds and later charges of its orders are entries of the
    month in which they are posted. Months are closed one after the other, from that of the first entry (409
    `month-not-next` names the one that is due).
    """
    month = wanted.first_day
    if not writer.close_month(session, caller.workspace_id, month, caller.key_id):
        response.status_code = 200
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    (closed,), _ = list_closed(session, caller.workspace_id, limit=1, before=following)
    return CloseOut.of(closed)


@router.get(
    "",
    response_model=Page[CloseOut],
    summary="List the closed months, newest first",
    responses=files_of(CLOSE_COLUMNS),
)
def list_closes(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    form: FormDep,
    cursor: CursorDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Most months in the page.")] = 12,
) -> Response:
    """List closed months with their balances, as JSON, or as CSV or Parquet with a row for each budget."""
    before = None if cursor is None else read_place(cursor, date.fromisoformat)
    found, following = list_closed(session, caller.workspace_id, limit=limit, before=before)
    links = page_links(request, None if following is None else encode_cursor(following.isoformat()))
    if form != "json":
        rows = (row for one in found for row in close_rows(one))
        return file_answer(form, "closes", CLOSE_COLUMNS, rows)
    page = Page[CloseOut](items=[CloseOut.of(one) for one in found], links=links)
    return JSONResponse(page.model_dump(mode="json"))
