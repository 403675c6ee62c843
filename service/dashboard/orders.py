"""Orders on the dashboard: the list with its filters, one order, and the decisions on it."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.datastructures import URL

from service.access.caller import lent_approval
from service.access.roles import Right
from service.dashboard.changes import PageWatch, list_mark
from service.dashboard.forms import FormDep, SentForm, read_fields
from service.dashboard.frame import show
from service.dashboard.order_filter import STATUSES, OrderFilter, read_order_filter
from service.dashboard.order_page import read_order_page
from service.dashboard.order_rows import WorkspaceNames, read_waiting, rows_of, time_now
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.ledger.proposal_routes import decide_proposal
from service.ledger.proposal_schemas import ApprovalIn
from service.orders.approval import decide_approval
from service.orders.cancelling import preview_cancel
from service.orders.deadline import put_off_deadline
from service.orders.expiry import expire_orders
from service.orders.repository import page_of_orders
from service.orders.routes import cancel_order
from service.orders.schemas import DeadlineIn
from service.reports.kept import kept_figures_of
from service.web.paging import Cursor as PageCursor
from service.web.paging import CursorDep, PageRequest, next_page
from service.web.turns import CountingTurnDep

router = APIRouter(prefix=f"{PATH}/orders", include_in_schema=False)
ROWS = 50
"""Orders on a page of the list."""
FilterDep = Annotated[OrderFilter, Depends(read_order_filter)]
NoteField = Annotated[str, Form(max_length=500)]
PatchesFrom = Annotated[int, Query(ge=0, alias="patches")]
TilesFrom = Annotated[int, Query(ge=0, alias="tiles")]


def may_approve(visitor: Visitor, database: Database) -> bool:
    """Return whether the visitor may decide on requests of other holders, by its role or a lent right."""
    return visitor.may(Right.APPROVE) or lent_approval(database, visitor)


@router.get("", name="orders_page")
def list_orders(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    wanted: FilterDep,
    cursor: CursorDep,
) -> Response:
    """Show what waits for the visitor, then the orders of the workspace, newest first."""
    return orders_page(request, visitor, database, wanted, cursor)


def orders_page(
    request: Request,
    visitor: Visitor,
    database: Database,
    wanted: OrderFilter,
    cursor: str | None = None,
    problem: LoupeError | None = None,
) -> Response:
    """Return the list, with the reason why a form of it was refused."""
    approves = may_approve(visitor, database)
    page = PageRequest(ROWS, None if cursor is None else PageCursor.decode(cursor))
    with database.sessions() as session:
        watch = PageWatch.at(f"{PATH}/orders", list_mark(session, visitor.workspace_id))
        names, now = WorkspaceNames.of(session, visitor.workspace_id), time_now(session)
        orders, following = page_of_orders(session, visitor.workspace_id, page, wanted.conditions())
        rows = rows_of(session, orders, names, now)
        waiting = read_waiting(session, visitor, names, now, may_approve=approves)
    # A refused form was sent to another address than that of the list.
    address = request.url if problem is None else URL(f"{PATH}/orders")
    return show(
        request,
        visitor,
        "orders.html",
        status=200 if problem is None else problem.status,
        problem=None if problem is None else problem.problem(),
        rows=rows,
        waiting=waiting,
        watch=watch,
        wanted=wanted,
        statuses=list(STATUSES),
        budgets=names.budgets,
        currencies=names.currencies,
        older=next_page(address, following),
        is_first=cursor is None,
        now=now,
    )


@router.get("/{order_id}", name="order_page")
def show_order(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    _turn: CountingTurnDep,
    order_id: UUID,
    patches_from: PatchesFrom = 0,
    tiles_from: TilesFrom = 0,
) -> Response:
    """Show an order: what to do next, its saving, patches, labels, history, bill, payments and invoices."""
    return order_page(request, visitor, database, order_id, patches_from=patches_from, tiles_from=tiles_from)


def order_page(
    request: Request,
    visitor: Visitor,
    database: Database,
    order_id: UUID,
    problem: LoupeError | None = None,
    **window: int,
) -> Response:
    """Return the page of an order, with the reason why a form of it was refused."""
    values = read_order_page(
        request.state.bundles, database, kept_figures_of(request), visitor.workspace_id, order_id, **window
    )
    return show(
        request,
        visitor,
        "order.html",
        status=200 if problem is None else problem.status,
        problem=None if problem is None else problem.problem(),
        may_approve=may_approve(visitor, database),
        **values,
    )


def on_order(form: SentForm, order_id: UUID) -> dict[str, Any]:
    """Return where an action on an order leads: to its page, with the change or with the refusal."""

    def refuse(error: LoupeError) -> Response:
        return order_page(form.request, form.visitor, form.database, order_id, error)

    return {"then": f"{PATH}/orders/{order_id}", "refuse": refuse}


@router.post("/{order_id}/approval", name="decide_on_page")
def decide(
    form: FormDep,
    _turn: CountingTurnDep,  # a refusal is shown on the page of the order
    order_id: UUID,
    decision: Annotated[Literal["approve", "reject"], Form()],
    note: NoteField = "",
) -> Response:
    """Approve or reject a held order."""

    def do() -> str:
        wanted = read_fields(ApprovalIn, decision=decision, note=note.strip())
        expire_orders(form.database, form.visitor.workspace_id, wait=True)

        def store(session: Session) -> str:
            order = decide_approval(session, form.visitor, order_id, wanted)
            if wanted.approves:
                return (
                    f"The order is approved. It awaits {order.patches:,} patches, and its money stays held."
                )
            return f"The order is rejected, and {in_text(order.planned)} went back to its budget."

        return form.store_once(wanted.model_dump_json(), store=store)

    return form.attempt("decide_order", do, **on_order(form, order_id))


@router.get("/{order_id}/cancel", name="cancel_page")
def show_cancel(request: Request, visitor: VisitorDep, database: DatabaseDep, order_id: UUID) -> Response:
    """Show what cancelling an order settles and releases, and ask for it."""
    preview = preview_cancel(database, visitor.workspace_id, order_id)
    return show(request, visitor, "cancel.html", preview=preview)


@router.post("/{order_id}/cancel", name="cancel_on_page")
def cancel(form: FormDep, _turn: CountingTurnDep, order_id: UUID) -> Response:
    """Cancel the undelivered patches of an order."""

    def do() -> str:
        expire_orders(form.database, form.visitor.workspace_id, wait=True)
        ended = cancel_order(order_id, form.visitor, form.database)
        released, net = ended.amounts.released, ended.amounts.net
        return (
            f"The order is {ended.status.value.removeprefix('user_')}. {in_text(released)} "
            f"went back to its budget; it cost {in_text(net)}."
        )

    return form.attempt("cancel_order", do, **on_order(form, order_id))


@router.post("/{order_id}/deadline", name="put_off_on_page")
def put_off(
    form: FormDep,
    _turn: CountingTurnDep,
    order_id: UUID,
    last_day: Annotated[str, Form(max_length=20)],
    note: NoteField = "",
) -> Response:
    """Let an order await its patches until the end of a later day."""

    def do() -> str:
        wanted = read_fields(DeadlineIn, last_day=last_day, note=note.strip())
        with form.database.sessions.begin() as session:
            put_off_deadline(session, form.visitor, order_id, wanted)
        return f"The order awaits its patches until the end of {wanted.last_day:%-d %b %Y}."

    return form.attempt("put_off_order", do, **on_order(form, order_id))


@router.post("/proposals/{proposal_id}", name="decide_proposal_on_page")
def decide_on_proposal(
    form: FormDep,
    proposal_id: UUID,
    decision: Annotated[Literal["approve", "reject"], Form()],
    note: NoteField = "",
) -> Response:
    """Approve or reject a later charge or a change of terms."""

    def do() -> str:
        wanted = read_fields(ApprovalIn, decision=decision, note=note.strip())
        expire_orders(form.database, form.visitor.workspace_id, wait=True)

        def store(session: Session) -> str:
            made = decide_proposal(proposal_id, wanted, form.visitor, session)
            return f"The proposal is {made.status.value}" + (
                ", and it is in force." if wanted.approves else ", and it changes nothing."
            )

        return form.store_once(wanted.model_dump_json(), store=store)

    def refuse(error: LoupeError) -> Response:
        return orders_page(form.request, form.visitor, form.database, OrderFilter(), problem=error)

    return form.attempt("decide_proposal", do, then=f"{PATH}/orders", refuse=refuse)
