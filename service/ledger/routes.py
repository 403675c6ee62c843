"""Budgets and the ledger over HTTP."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.access.repository import Caller
from service.database.engine import DatabaseDep, SessionDep
from service.errors import InvalidInputError, LoupeError
from service.ledger import repository, writer
from service.ledger.changing import changed_terms, new_terms
from service.ledger.schemas import (
    COLUMNS,
    BudgetChange,
    BudgetIn,
    BudgetOut,
    LedgerLineOut,
    UsageOut,
    row_of,
)
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, fingerprint, store_once
from service.web.openapi import problems
from service.web.paging import Page, PageDep, decode_cursor, encode_cursor, page_links
from service.web.tabular import FILE_ROWS, FILES, FormDep, file_answer

router = APIRouter(prefix="/v1", tags=["money"], responses=problems(401, 422))


class BudgetChangedError(LoupeError):
    """The budget is not any more what the client had read."""

    status: ClassVar[int] = 412
    code = "budget-changed"
    title = "The budget was changed meanwhile"


@router.post("/budgets", status_code=201, response_model=BudgetOut, responses=problems(409))
def open_budget(
    budget: BudgetIn, caller: CallerDep, database: DatabaseDep, key: OptionalKeyDep = None
) -> Response:
    """Open a budget: orders may hold and spend up to its limit, and never more unless its terms say so."""
    request_print = fingerprint("POST /v1/budgets", budget.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _open_budget(session, caller, budget))


def _open_budget(session: Session, caller: Caller, budget: BudgetIn) -> Answer:
    budget_id = writer.create_budget(
        session, caller.workspace_id, budget.name, budget.limit.money(), new_terms(budget), caller.key_id
    )
    opened = repository.get_budget(session, caller.workspace_id, budget_id)
    body = BudgetOut.of(opened).model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/budgets/{budget_id}", "ETag": _etag(opened)})


@router.get("/budgets", response_model_exclude_none=True)
def list_budgets(request: Request, caller: CallerDep, session: SessionDep, page: PageDep) -> Page[BudgetOut]:
    """List budgets, newest first."""
    budgets, following = repository.list_budgets(session, caller.workspace_id, page)
    return Page(items=[BudgetOut.of(budget) for budget in budgets], links=page_links(request, following))


@router.get("/budgets/{budget_id}", response_model_exclude_none=True, responses=problems(404))
def get_budget(budget_id: UUID, caller: CallerDep, session: SessionDep, response: Response) -> BudgetOut:
    """Return one budget; the ETag is the version of its terms."""
    budget = repository.get_budget(session, caller.workspace_id, budget_id)
    response.headers["ETag"] = _etag(budget)
    return BudgetOut.of(budget)


@router.patch("/budgets/{budget_id}", response_model_exclude_none=True, responses=problems(404, 409, 412))
def change_budget(
    budget_id: UUID,
    change: BudgetChange,
    caller: CallerDep,
    session: SessionDep,
    response: Response,
    if_match: Annotated[str | None, Header(description="the ETag that the change is meant for")] = None,
) -> BudgetOut:
    """Change limit and terms by a JSON merge patch. Earlier terms stay on record, with who changed them."""
    writer.lock_budget(session, caller.workspace_id, budget_id)
    budget = repository.get_budget(session, caller.workspace_id, budget_id)
    if if_match not in {None, "*", _etag(budget)}:
        raise BudgetChangedError("Read it again.", budget=str(budget_id), version=budget.version)
    limit, terms = changed_terms(budget, change)
    writer.change_budget(session, caller.workspace_id, budget_id, limit, terms, caller.key_id)
    changed = repository.get_budget(session, caller.workspace_id, budget_id)
    response.headers["ETag"] = _etag(changed)
    return BudgetOut.of(changed)


@router.get("/budgets/{budget_id}/usage", responses=problems(404))
def get_usage(budget_id: UUID, caller: CallerDep, session: SessionDep) -> UsageOut:
    """Say where a budget's money is: held, spent, available."""
    return UsageOut.of(repository.get_budget(session, caller.workspace_id, budget_id))


@router.get(
    "/ledger",
    response_model=Page[LedgerLineOut],
    responses=FILES,
)
def list_ledger(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    form: FormDep,
    budget: Annotated[UUID | None, Query(description="only this budget's")] = None,
    hold: Annotated[UUID | None, Query(description="only this hold's, from its order's link")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Every movement of money, newest first: JSON, CSV or Parquet, by `Accept` or `?format=`."""
    lines, following = repository.list_lines(
        session,
        caller.workspace_id,
        limit=limit or (10 if form == "json" else FILE_ROWS),
        before_seq=seq_of(cursor),
        budget_id=budget,
        hold_id=hold,
    )
    links = page_links(request, None if following is None else encode_cursor("seq", str(following)))
    header = {"Link": ", ".join(f'<{link.href}>; rel="{link.rel}"' for link in links)}
    if form != "json":
        return file_answer(form, "ledger", COLUMNS, map(row_of, lines), header)
    page = Page[LedgerLineOut](items=[LedgerLineOut.of(line) for line in lines], links=links)
    return JSONResponse(page.model_dump(mode="json"), headers=header)


def _etag(budget: repository.Budget) -> str:
    return f'"{budget.version}"'


@router.get("/ledger/{transfer}", responses=problems(404))
def get_transfer(transfer: int | UUID, caller: CallerDep, session: SessionDep) -> LedgerLineOut:
    """Return one movement of money, by its seq or its id."""
    return LedgerLineOut.of(repository.find_line(session, caller.workspace_id, transfer))


def seq_of(cursor: str | None) -> int:
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
