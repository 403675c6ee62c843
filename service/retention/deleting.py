"""Deletion of pixels: of a plan's scene, or of everything that was delivered for an order.

Rows, digests, sizes, prices and evidence stay. A transaction notes that the pixels are deleted; the files
follow, and a process that is killed in between leaves them to the next sweep.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from service.access.events import Event, EventKind, record
from service.database.engine import Database
from service.errors import ConflictError
from service.jobs.tables import Job
from service.orders.repository import find_order
from service.orders.tables import OPEN, DeliveredFile, DeliveredPart, Order
from service.plans.pixels import files_of, lock_files
from service.plans.repository import find_plan
from service.plans.tables import Plan, Scene
from service.retention.sweeping import remove_unnamed

NAMED = 100
"""Orders and jobs that an error lists."""


class PixelsNeededError(ConflictError):
    """Pixels that an open order or an unfinished job needs."""

    code = "pixels-needed"
    title = "The pixels are still needed"


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The pixels of a scene or of an order's deliveries, deleted now or before."""

    at: datetime
    by: str | None
    """Id of the key; None for the workspace's retention."""
    files: frozenset[str]
    """Digests of the files."""


@dataclass(frozen=True, kw_only=True)
class Doer:
    """The key that deletes, and the address that it came from; the workspace's retention has neither."""

    key_id: str | None = None
    address: str | None = None


def delete_scene_pixels(
    database: Database, blobs: Path, workspace_id: UUID, plan_id: UUID, doer: Doer
) -> tuple[Deletion, int]:
    """Delete the pixels of a plan's scene; return the deletion, and the number of bytes that were freed.

    Doing it twice changes nothing. Errors: not-found, pixels-needed.
    """
    with database.sessions.begin() as session:
        lock_files(session, workspace_id)
        _, scene = find_plan(session, workspace_id, plan_id)
        if scene.pixels_deleted_at is None:
            _check_scene_unused(session, scene)
            # Not now(), when the transaction began: under the lock, a later deletion has a later time.
            scene.pixels_deleted_at, scene.pixels_deleted_by = func.clock_timestamp(), doer.key_id
            session.flush()
            session.refresh(scene)
            _record(session, workspace_id, doer, f"scene {scene.id}", {"sha256": scene.sha256})
        found = _deletion(scene, files_of(scene))
    return found, remove_unnamed(database, blobs, workspace_id, found.files)


def delete_order_pixels(
    database: Database, blobs: Path, workspace_id: UUID, order_id: UUID, doer: Doer
) -> tuple[Deletion | None, int]:
    """Delete the pixels of everything that was delivered for an order; None if nothing ever was.

    Doing it twice changes nothing. Errors: not-found, pixels-needed.
    """
    with database.sessions.begin() as session:
        lock_files(session, workspace_id)
        order = find_order(session, workspace_id, order_id, lock=True)
        digests = _delivered(session, order.id, deleted=False)
        if digests:
            _check_deliveries_unused(session, order)
            for table in (DeliveredFile, DeliveredPart):
                gone = {"pixels": b"", "pixels_sha256": func.sha256(table.pixels)}
                mine = table.order_id == order.id, table.pixels_sha256.is_(None)
                session.execute(update(table).where(*mine).values(gone))
            order.pixels_deleted_at, order.pixels_deleted_by = func.now(), doer.key_id
            session.flush()
            session.refresh(order)
            _record(session, workspace_id, doer, f"order {order.id}", {"files": str(len(digests))})
        if order.pixels_deleted_at is None:
            return None, 0
        found = _deletion(order, _delivered(session, order.id, deleted=True))
    return found, remove_unnamed(database, blobs, workspace_id, found.files)


def _deletion(row: Scene | Order, files: Collection[str]) -> Deletion:
    if row.pixels_deleted_at is None:
        raise TypeError(f"the pixels of {row.id} are not deleted")
    return Deletion(at=row.pixels_deleted_at, by=row.pixels_deleted_by, files=frozenset(files))


def _record(session: Session, workspace_id: UUID, doer: Doer, subject: str, detail: dict[str, str]) -> None:
    by = {} if doer.key_id else {"by": "retention"}
    event = Event(
        EventKind.PIXELS_DELETED, workspace_id, doer.key_id, subject, doer.address, detail=detail | by
    )
    record(session, event)


def _delivered(session: Session, order_id: UUID, *, deleted: bool) -> set[str]:
    """Return the digests of an order's files whose pixels are, or are not, deleted."""
    found = set[str]()
    for table in (DeliveredFile, DeliveredPart):
        gone = table.pixels_sha256.is_not(None) if deleted else table.pixels_sha256.is_(None)
        found.update(session.scalars(select(table.sha256).where(table.order_id == order_id, gone)))
    return found


def _check_scene_unused(session: Session, scene: Scene) -> None:
    """Refuse while an open order awaits patches that are compared with the scene, or a job needs it."""
    plans = session.scalars(select(Plan.id).where(Plan.scene_id == scene.id)).all()
    orders = session.scalars(select(Order.id).where(Order.plan_id.in_(plans))).all()
    opened = select(Order.id).where(Order.plan_id.in_(plans), Order.status.in_(OPEN))
    _refuse_while_needed(session, "the scene", opened, _jobs(scene.workspace_id, plans, orders))


def _check_deliveries_unused(session: Session, order: Order) -> None:
    """Refuse while the order, or an open order that reuses its patches, or a job needs them."""
    reusing = Plan.reuse["orders"].op("@>")(cast([{"order": str(order.id)}], JSONB))
    opened = (
        select(Order.id)
        .join(Plan, Plan.id == Order.plan_id)
        .where(
            Order.workspace_id == order.workspace_id,
            Order.status.in_(OPEN),
            or_(Order.id == order.id, reusing),
        )
    )
    following = session.scalars(select(Plan.id).where(Plan.follows == order.id)).all()
    jobs = _jobs(order.workspace_id, [order.plan_id, *following], [order.id])
    _refuse_while_needed(session, "what was delivered", opened, jobs)


def _jobs(
    workspace_id: UUID, plans: Collection[UUID], orders: Collection[UUID]
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of unfinished jobs that begin with one of some plans or orders."""
    about = or_(
        Job.request["plan"].astext.in_(map(str, plans)), Job.request["order"].astext.in_(map(str, orders))
    )
    return Job.workspace_id == workspace_id, Job.finished_at.is_(None), about


def _refuse_while_needed(
    session: Session, what: str, opened: Any, jobs: tuple[ColumnElement[bool], ...]
) -> None:
    orders = session.scalars(opened.limit(NAMED)).all()
    waiting = session.scalars(select(Job.id).where(*jobs).limit(NAMED)).all()
    if not orders and not waiting:
        return
    needed_by = [f"order {one}" for one in orders] + [f"job {one}" for one in waiting]
    raise PixelsNeededError(
        f"The pixels of {what} are needed by {needed_by[0]}"
        + (f" and {len(needed_by) - 1} more" if len(needed_by) > 1 else "")
        + ". Wait until it has ended, or cancel it.",
        orders=[str(one) for one in orders],
        jobs=[str(one) for one in waiting],
    )
