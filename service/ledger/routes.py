"""Budgets, the ledger and its adjustments over HTTP."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.access.repository import Caller
from service.database.engine import DatabaseDep, SessionDep
from service.errors import LoupeError
from service.ledger import repository, transfers, writer
from service.ledger.book import Movement
from service.ledger.filters import LineFilterDep
from service.ledger.history import are_renewals
from service.ledger.lines import COLUMNS, LedgerLineOut, row_of
from service.ledger.proposal_schemas import ProposalOut
from service.ledger.proposals import WaitingProposals, newest_proposal, waiting_proposals
from service.ledger.schemas import AdjustmentIn, AdjustmentOut, BudgetChange, BudgetIn, BudgetOut, UsageOut
from service.ledger.terms import FRESH, changed_terms
from service.web.idempotency import (
    Answer,
    KeyedRequest,
    OptionalKeyDep,
    RequiredKeyDep,
    fingerprint,
    store_once,
)
from service.web.openapi import problems
from service.web.paging import CursorDep, Page, PageDep, encode_cursor, page_links, read_place
from service.web.tabular import FILE_ROWS, FormDep, file_answer, files_of

router = APIRouter(prefix="/v1", responses=problems(401, 422))

BudgetPath = Annotated[UUID, Path(description="Id of the budget.")]


class BudgetChangedError(LoupeError):
    """A change of a budget that was changed since the client read it."""

    status: ClassVar[int] = 412
    code = "budget-changed"
    title = "The budget was changed in the meantime"


@router.post(
    "/budgets",
    status_code=201,
    response_model=BudgetOut,
    summary="Open a budget",
    responses=problems(409),
    tags=["budgets"],
)
def open_budget(
    budget: BudgetIn, caller: CallerDep, database: DatabaseDep, key: OptionalKeyDep = None
) -> Response:
    """Open a budget. Orders hold and spend money up to its limit, or beyond if its enforcement allows it."""
    request_print = fingerprint("POST /v1/budgets", budget.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _open_budget(session, caller, budget))


def _open_budget(session: Session, caller: Caller, budget: BudgetIn) -> Answer:
    limit = budget.limit.money()
    terms = changed_terms(FRESH, budget.changes(limit.currency))
    budget_id = writer.create_budget(session, caller.workspace_id, budget.name, limit, terms, caller.key_id)
    opened = repository.get_budget(session, caller.workspace_id, budget_id)
    body = BudgetOut.of(opened, WaitingProposals()).model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/budgets/{budget_id}", "ETag": _etag(opened)})


@router.get(
    "/budgets", tags=["budgets"], response_model_exclude_none=True, summary="List budgets, newest first"
)
def list_budgets(request: Request, caller: CallerDep, session: SessionDep, page: PageDep) -> Page[BudgetOut]:
    """List the budgets of the workspace with their limits, terms and available money."""
    budgets, following = repository.list_budgets(session, caller.workspace_id, page)
    return Page(items=described(session, budgets), links=page_links(request, following))


@router.get(
    "/budgets/{budget_id}",
    tags=["budgets"],
    response_model_exclude_none=True,
    summary="Show a budget",
    responses=problems(404),
)
def get_budget(
    budget_id: BudgetPath, caller: CallerDep, session: SessionDep, response: Response
) -> BudgetOut:
    """Return a budget. Send its ETag as `If-Match` to change the budget that you have read."""
    budget = repository.get_budget(session, caller.workspace_id, budget_id)
    response.headers["ETag"] = _etag(budget)
    return described(session, [budget])[0]


@router.patch(
    "/budgets/{budget_id}",
    tags=["budgets"],
    response_model_exclude_none=True,
    summary="Change a budget's limit or terms",
    responses=problems(404, 409, 412)
    | {202: {"model": BudgetOut, "description": "The change waits for the key of another holder."}},
)
def change_budget(
    budget_id: BudgetPath,
    change: BudgetChange,
    caller: CallerDep,
    session: SessionDep,
    response: Response,
    if_match: Annotated[
        str | None,
        Header(description="ETag of the budget that you have read; otherwise 412 `budget-changed`."),
    ] = None,
) -> BudgetOut:
    """Change limit and terms with a JSON merge patch (RFC 7396).

    Earlier terms stay on record, with the key that changed them; a request that changes nothing makes no new
    version. Where this or another budget of the workspace has `approval_above`, the answer is 202 to a
    change that gives more freedom: a higher limit, a higher or no `approval_above`, a weaker enforcement,
    another period or more days of validity. The whole change is then listed in `waiting`, and another holder
    approves it with `POST /v1/proposals/{id}/approval`.
    """
    shown = repository.get_budget(session, caller.workspace_id, budget_id)
    writer.lock_budget(session, caller.workspace_id, budget_id)
    budget = repository.get_budget(session, caller.workspace_id, budget_id)
    # The lock begins a new period that is due, which makes a version that nobody could have read.
    renewed = if_match == _etag(shown) and are_renewals(session, budget_id, since=shown.version)
    if if_match not in {None, "*", _etag(budget)} and not renewed:
        raise BudgetChangedError(
            f"The budget is at version {budget.version} now. Read it again before you change it.",
            budget=str(budget_id),
            version=budget.version,
        )
    limit = change.new_limit(budget.limit)
    terms = changed_terms(budget.terms, change.changes(budget.currency))
    if (limit, terms) == (budget.limit, budget.terms):  # nothing to keep on record
        response.headers["ETag"] = _etag(budget)
        return described(session, [budget])[0]
    writer.change_budget(session, caller.workspace_id, budget_id, limit, terms, caller.key_id)
    changed = repository.get_budget(session, caller.workspace_id, budget_id)
    response.headers["ETag"] = _etag(changed)
    if changed.version == budget.version:
        response.status_code = 202
    return described(session, [changed])[0]


@router.get(
    "/budgets/{budget_id}/usage", tags=["budgets"], summary="Show a budget's use", responses=problems(404)
)
def get_usage(budget_id: BudgetPath, caller: CallerDep, session: SessionDep) -> UsageOut:
    """Return how much of a budget's limit is held, spent and available in this period."""
    return UsageOut.of(repository.get_budget(session, caller.workspace_id, budget_id))


def described(session: Session, budgets: Sequence[repository.Budget]) -> list[BudgetOut]:
    """Write budgets of one workspace for JSON, with their proposals that wait."""
    if not budgets:
        return []
    waiting = waiting_proposals(session, budgets[0].workspace_id, [budget.id for budget in budgets])
    return [BudgetOut.of(budget, waiting[budget.id]) for budget in budgets]


def _etag(budget: repository.Budget) -> str:
    return f'"{budget.version}"'


@router.get(
    "/ledger",
    tags=["ledger"],
    response_model=Page[LedgerLineOut],
    summary="List movements of money, newest first",
    responses=files_of(COLUMNS),
)
def list_ledger(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    form: FormDep,
    chosen: LineFilterDep,
    cursor: CursorDep,
    limit: Annotated[
        int | None,
        Query(ge=1, le=100, description="Most rows in the page; 10 as JSON and 10,000 as a file by default."),
    ] = None,
) -> Response:
    """List every movement of money in the workspace as JSON, CSV or Parquet."""
    lines, following = transfers.list_lines(
        session,
        caller.workspace_id,
        chosen,
        limit=limit or (10 if form == "json" else FILE_ROWS),
        before_seq=seq_of(cursor),
    )
    links = page_links(request, None if following is None else encode_cursor(str(following)))
    if form != "json":
        return file_answer(form, "ledger", COLUMNS, map(row_of, lines))
    page = Page[LedgerLineOut](items=[LedgerLineOut.of(line) for line in lines], links=links)
    return JSONResponse(page.model_dump(mode="json"))


@router.post(
    "/ledger/adjustments",
    tags=["ledger"],
    status_code=201,
    response_model=AdjustmentOut,
    summary="Post a refund or a later charge",
    openapi_extra={"x-billable": True},
    responses=problems(400, 402, 404, 409)
    | {202: {"model": ProposalOut, "description": "The charge waits for the key of another holder."}},
)
def post_adjustment(
    adjustment: AdjustmentIn, caller: CallerDep, database: DatabaseDep, key: RequiredKeyDep
) -> Response:
    """Post a refund or a later charge of an order, with its reason.

    The request needs an Idempotency-Key. All refunds of an order or a patch together never exceed what was
    paid for it (409 `refund-exceeds-payment`); a charge needs available money (402 `budget-exceeded`).
    A charge that needs the key of another holder moves no money yet: the answer is 202 with a proposal, which
    another holder approves with `POST /v1/proposals/{id}/approval`.
    """
    request_print = fingerprint("POST /v1/ledger/adjustments", adjustment.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _adjust(session, caller, adjustment))


def _adjust(session: Session, caller: Caller, wanted: AdjustmentIn) -> Answer:
    number = writer.adjust(
        session,
        caller.workspace_id,
        wanted.order,
        Movement(wanted.kind),
        wanted.amount.money(),
        wanted.reason,
        place=wanted.place,
        key_id=caller.key_id,
    )
    if number is None:
        budget_id = repository.find_order_money(session, caller.workspace_id, wanted.order).budget_id
        proposed = ProposalOut.of(newest_proposal(session, caller.workspace_id, budget_id))
        body = proposed.model_dump(mode="json", exclude_none=True)
        return Answer(202, body, {"Location": f"/v1/proposals/{proposed.id}"})
    (newest,), _ = repository.list_adjustments(
        session, caller.workspace_id, limit=1, before_seq=repository.NEWEST, order_id=wanted.order
    )
    return Answer(201, AdjustmentOut.of(newest).model_dump(mode="json", exclude_none=True))


@router.get(
    "/ledger/adjustments",
    tags=["ledger"],
    response_model_exclude_none=True,
    summary="List refunds and later charges, newest first",
)
def list_adjustments(
    request: Request,
    caller: CallerDep,
    session: SessionDep,
    cursor: CursorDep,
    order: Annotated[UUID | None, Query(description="Id of an order: only its adjustments.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Most rows in the page.")] = 10,
) -> Page[AdjustmentOut]:
    """List the refunds and later charges of the workspace with their reasons."""
    found, following = repository.list_adjustments(
        session, caller.workspace_id, limit=limit, before_seq=seq_of(cursor), order_id=order
    )
    onward = None if following is None else encode_cursor(str(following))
    return Page(items=[AdjustmentOut.of(one) for one in found], links=page_links(request, onward))


# After the adjustments, whose path would otherwise be read as a transfer named "adjustments".
@router.get(
    "/ledger/{transfer}", tags=["ledger"], summary="Show a movement of money", responses=problems(404)
)
def get_transfer(
    transfer: Annotated[int | UUID, Path(description="Place in the ledger (`seq`), or id of the movement.")],
    caller: CallerDep,
    session: SessionDep,
) -> LedgerLineOut:
    """Return one movement of money."""
    return LedgerLineOut.of(transfers.find_line(session, caller.workspace_id, transfer))


def seq_of(cursor: str | None) -> int:
    """Read a cursor of movements, which are ordered by seq. InvalidInputError for a text that is none."""
    return repository.NEWEST if cursor is None else min(read_place(cursor, int), repository.NEWEST)
