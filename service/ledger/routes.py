"""Budgets and the ledger over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.db import SessionDep
from service.errors import InvalidInputError
from service.idempotency import OptionalKeyDep, fingerprint, remember, replay_or_claim
from service.ledger import repository, writer
from service.ledger.schemas import BudgetIn, BudgetOut, LedgerLineOut, UsageOut, to_csv
from service.openapi import problems
from service.schemas import Page, PageDep, decode_cursor, encode_cursor, page_links

router = APIRouter(prefix="/v1", tags=["money"], responses=problems(401, 422))
CSV_ROWS = 10_000
"""Rows of one CSV answer; the link `next` goes on."""


@router.post("/budgets", status_code=201, response_model=BudgetOut, responses=problems(409))
def open_budget(
    budget: BudgetIn, caller: CallerDep, session: SessionDep, key: OptionalKeyDep = None
) -> Response:
    """Open a budget: orders may hold and spend up to its limit, and never more."""
    if key is not None:
        request_print = fingerprint("POST /v1/budgets", budget.model_dump_json())
        if stored := replay_or_claim(session, caller.workspace_id, key, request_print):
            return stored.response()
    budget_id = writer.create_budget(session, caller.workspace_id, budget.name, budget.limit.money())
    opened = BudgetOut.of(repository.get_budget(session, caller.workspace_id, budget_id))
    body = opened.model_dump(mode="json", exclude_none=True)
    if key is not None:
        remember(session, caller.workspace_id, key, 201, body)
    return JSONResponse(body, 201, headers={"Location": f"/v1/budgets/{budget_id}"})


@router.get("/budgets", response_model_exclude_none=True)
def list_budgets(request: Request, caller: CallerDep, session: SessionDep, page: PageDep) -> Page[BudgetOut]:
    """List budgets, newest first."""
    budgets, following = repository.list_budgets(session, caller.workspace_id, page)
    return Page(items=[BudgetOut.of(budget) for budget in budgets], links=page_links(request, following))


@router.get("/budgets/{budget_id}", response_model_exclude_none=True, responses=problems(404))
def get_budget(budget_id: UUID, caller: CallerDep, session: SessionDep) -> BudgetOut:
    """Return one budget."""
    return BudgetOut.of(repository.get_budget(session, caller.workspace_id, budget_id))


@router.get("/budgets/{budget_id}/usage", responses=problems(404))
def get_usage(budget_id: UUID, caller: CallerDep, session: SessionDep) -> UsageOut:
    """Say where a budget's money is: held, spent, available."""
    return UsageOut.of(repository.get_budget(session, caller.workspace_id, budget_id))


@router.get(
    "/ledger",
    response_model=Page[LedgerLineOut],
    responses={200: {"content": {"text/csv": {}}}},
)
def list_ledger(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    budget: Annotated[UUID | None, Query(description="only this budget's")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    wanted: Annotated[Literal["json", "csv"] | None, Query(alias="format")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Response:
    """Every movement of money, newest first: JSON, or CSV by `Accept: text/csv` or `?format=csv`."""
    as_csv = wanted == "csv" or (wanted is None and accept.startswith("text/csv"))
    lines, following = repository.list_lines(
        session,
        caller.workspace_id,
        limit=limit or (CSV_ROWS if as_csv else 10),
        before_seq=_seq(cursor),
        budget_id=budget,
    )
    links = page_links(request, None if following is None else encode_cursor("seq", str(following)))
    header = {"Link": ", ".join(f'<{link.href}>; rel="{link.rel}"' for link in links)}
    if as_csv:
        name = {"Content-Disposition": 'attachment; filename="ledger.csv"'}
        return Response(to_csv(lines), media_type="text/csv", headers=header | name)
    page = Page[LedgerLineOut](items=[LedgerLineOut.of(line) for line in lines], links=links)
    return JSONResponse(page.model_dump(mode="json"), headers=header)


def _seq(cursor: str | None) -> int:
    """Read a ledger cursor, which orders by seq; InvalidInputError when it is another list's."""
    if cursor is None:
        return repository.NEWEST
    try:
        kind, seq = decode_cursor(cursor)
        if kind != "seq":
            raise ValueError(kind)
        return min(int(seq), repository.NEWEST)
    except ValueError as error:
        raise InvalidInputError("This cursor did not come from this list.", cursor=cursor) from error
