"""Marks of what pages show, so that an open page learns cheaply whether it has to be read again.

A page states the mark that it was read at. Its script asks for the mark now and then, with `If-None-Match`,
and loads the page again after a change. Each question is a few short queries in a session of its own, and no
connection is held between two of them (decision record 51).
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from service.classification.tables import Classification
from service.dashboard.order_rows import AWAITING, LATE, SOON, time_now
from service.dashboard.session import PATH, VisitorDep
from service.database.durability import end_at_once
from service.database.engine import DatabaseDep
from service.errors import NotFoundError
from service.jobs.repository import find_job
from service.jobs.tables import Job
from service.ledger.filters import LineFilter
from service.ledger.proposals import list_proposals
from service.ledger.repository import NEWEST, list_adjustments
from service.ledger.transfers import list_lines
from service.orders.tables import (
    OPEN,
    STATUS_NOW,
    DeliveredFile,
    DeliveredPart,
    Order,
    OrderStatusChange,
)
from service.truth.tables import TrueLabels
from service.web.paging import PageRequest
from service.web.unchanged import names

router = APIRouter(prefix=PATH, include_in_schema=False)
WATCHED = 200
"""Newest orders, proposals and jobs that a mark of a list covers."""


@dataclass(frozen=True, kw_only=True)
class PageWatch:
    """The address that a page asks for changes, and the mark at which the page was read."""

    path: str
    mark: str

    @classmethod
    def at(cls, path: str, mark: str) -> "PageWatch":
        """Return the watch of a page by the path of its view and the mark of its values."""
        return cls(path=f"{path}/changes", mark=mark)


def order_mark(session: Session, workspace_id: UUID, order_id: UUID) -> str:
    """Return the mark of an order: status, deadline, files, payments and labels. NotFoundError without it."""
    mine = Order.id == order_id, Order.workspace_id == workspace_id
    found = session.execute(select(STATUS_NOW, Order.expires_at, Order.hold_id).where(*mine)).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no order {order_id}.", order=str(order_id))
    files = [
        session.execute(select(func.count(), func.max(one.created_at)).where(one.order_id == order_id)).one()
        for one in (DeliveredFile, DeliveredPart)
    ]
    made = func.max(Classification.created_at), func.count(Classification.id)
    labels = session.execute(select(*made).where(Classification.order_id == order_id)).one()
    truth = session.scalar(select(func.max(TrueLabels.version)).where(TrueLabels.order_id == order_id))
    step = session.scalar(
        select(func.max(OrderStatusChange.seq)).where(OrderStatusChange.order_id == order_id)
    )
    return _digest(
        found, files, labels, truth, step, _newest_movement(session, workspace_id, order_id, found[2])
    )


def _newest_movement(
    session: Session, workspace_id: UUID, order_id: UUID, hold_id: UUID | None
) -> tuple[int, ...]:
    """Return the numbers of the newest movements of an order's hold and of its refunds and charges."""
    of_hold = LineFilter(hold_id=hold_id)
    lines = [] if hold_id is None else list_lines(session, workspace_id, of_hold, limit=1)[0]
    adjusted, _ = list_adjustments(session, workspace_id, limit=1, before_seq=NEWEST, order_id=order_id)
    return *(line.transfer.seq for line in lines), *(one.seq for one in adjusted)


def list_mark(session: Session, workspace_id: UUID) -> str:
    """Return the mark of the list of orders: what waits, and the newest movement of money."""
    lines, _ = list_lines(session, workspace_id, limit=1)
    return _digest(waiting_mark(session, workspace_id), [line.transfer.seq for line in lines])


def waiting_mark(session: Session, workspace_id: UUID) -> str:
    """Return the mark of what waits in a workspace: its orders and its proposals.

    Payments do not change it: an overview is costly to read, and would be read again with each delivery.
    """
    soon, late = time_now(session) + SOON, time_now(session) - LATE
    due = Order.status.in_(AWAITING) & (Order.expires_at < soon)
    shown = Order.workspace_id == workspace_id, or_(Order.status.in_(OPEN), Order.expires_at > late)
    newest = Order.created_at.desc(), Order.id
    orders = session.execute(
        select(Order.id, STATUS_NOW, due).where(*shown).order_by(*newest).limit(WATCHED)
    ).all()
    waiting, _ = list_proposals(session, workspace_id, PageRequest(WATCHED, None), waiting=True)
    return _digest(orders, [one.id for one in waiting])


def job_mark(session: Session, workspace_id: UUID, job_id: UUID) -> str:
    """Return the mark of a job: its status and progress. NotFoundError without it."""
    job = find_job(session, workspace_id, job_id)
    return _digest(job.status, job.tiles_done, job.tiles, job.cancel_requested)


def jobs_mark(session: Session, workspace_id: UUID) -> str:
    """Return the mark of the newest jobs of a workspace."""
    progress = Job.id, Job.status, Job.attempts, Job.tiles_done, Job.tiles, Job.cancel_requested
    newest = select(*progress).where(Job.workspace_id == workspace_id).order_by(Job.created_at.desc(), Job.id)
    return _digest(session.execute(newest.limit(WATCHED)).all())


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:24]


def answer(request: Request, mark: str) -> Response:
    """Answer 304 if the page that asks is at the present mark, else 200 with it."""
    headers = {"ETag": f'"{mark}"', "Cache-Control": "no-store"}
    if names(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(f'{{"mark":"{mark}"}}', media_type="application/json", headers=headers)


@router.get("/changes")
def waiting_changes(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Answer whether what waits has changed."""
    with database.sessions() as session:
        mark = waiting_mark(session, visitor.workspace_id)
        end_at_once(session)
    return answer(request, mark)


@router.get("/orders/changes")
def list_changes(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Answer whether the list of orders has changed."""
    with database.sessions() as session:
        mark = list_mark(session, visitor.workspace_id)
        end_at_once(session)
    return answer(request, mark)


@router.get("/orders/{order_id}/changes")
def order_changes(request: Request, visitor: VisitorDep, database: DatabaseDep, order_id: UUID) -> Response:
    """Answer whether an order has changed."""
    with database.sessions() as session:
        mark = order_mark(session, visitor.workspace_id, order_id)
        end_at_once(session)
    return answer(request, mark)


@router.get("/jobs/{job_id}/changes")
def job_changes(request: Request, visitor: VisitorDep, database: DatabaseDep, job_id: UUID) -> Response:
    """Answer whether a job has changed."""
    with database.sessions() as session:
        mark = job_mark(session, visitor.workspace_id, job_id)
        end_at_once(session)
    return answer(request, mark)


@router.get("/operations/changes")
def jobs_changes(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Answer whether a job of the workspace has changed."""
    with database.sessions() as session:
        mark = jobs_mark(session, visitor.workspace_id)
        end_at_once(session)
    return answer(request, mark)
