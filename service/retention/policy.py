"""Retention: the days for which a workspace keeps pixels, and the rounds that delete what is older."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.access.events import Event, EventKind, record
from service.access.repository import Caller
from service.access.tables import Workspace
from service.database.engine import Database
from service.errors import LoupeError
from service.orders.tables import OPEN, DeliveredFile, DeliveredPart, Order
from service.plans.tables import Plan, Scene
from service.retention.deleting import Doer, PixelsNeededError, delete_order_pixels, delete_scene_pixels
from service.retention.sweeping import sweep
from service.settings import Settings

logger = logging.getLogger(__name__)

AT_ONCE = 200
"""Scenes, and orders, of a workspace whose pixels one round deletes."""
BY_RETENTION = Doer()


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Days for which a workspace keeps pixels; None: until somebody deletes them."""

    scene_days: int | None
    """Since the scene was last planned."""
    delivery_days: int | None
    """Since the last file of the order came."""


def retention_of(session: Session, workspace_id: UUID) -> Retention:
    """Return the retention of a workspace."""
    row = session.get_one(Workspace, workspace_id)
    return Retention(scene_days=row.scene_days, delivery_days=row.delivery_days)


def set_retention(session: Session, caller: Caller, wanted: Retention, address: str | None) -> None:
    """Change the retention of the caller's workspace, and record it."""
    row = session.get_one(Workspace, caller.workspace_id)
    if wanted == Retention(scene_days=row.scene_days, delivery_days=row.delivery_days):
        return
    row.scene_days, row.delivery_days = wanted.scene_days, wanted.delivery_days
    said = {
        name: "unlimited" if days is None else str(days)
        for name, days in (("scene_days", wanted.scene_days), ("delivery_days", wanted.delivery_days))
    }
    event = Event(EventKind.RETENTION_SET, caller.workspace_id, caller.key_id, None, address, said)
    record(session, event)


def apply_retention(database: Database, blobs: Path) -> int:
    """Delete the pixels that are older than their workspace keeps them; return of how many scenes and orders.

    Those that an open order or an unfinished job needs wait for a later round.
    """
    kept = or_(Workspace.scene_days.is_not(None), Workspace.delivery_days.is_not(None))
    with database.of_all().sessions() as session:
        workspaces = session.scalars(select(Workspace).where(kept)).all()
    return sum(_apply(database.of(one.id), blobs, one) for one in workspaces)


def _apply(database: Database, blobs: Path, workspace: Workspace) -> int:
    with database.sessions() as session:
        plans = _old_scenes(session, workspace)
        orders = _old_orders(session, workspace)
    deleted = 0
    for plan_id in plans:
        with suppress(PixelsNeededError):
            delete_scene_pixels(database, blobs, workspace.id, plan_id, BY_RETENTION)
            deleted += 1
    for order_id in orders:
        with suppress(PixelsNeededError):
            delete_order_pixels(database, blobs, workspace.id, order_id, BY_RETENTION)
            deleted += 1
    return deleted


def _old_scenes(session: Session, workspace: Workspace) -> list[UUID]:
    """Return a plan of each scene that was last planned too long ago and has no open order."""
    if workspace.scene_days is None:
        return []
    before = func.now() - timedelta(days=workspace.scene_days)
    newest = (
        select(Plan.id, Plan.scene_id, Plan.created_at)
        .ext(distinct_on(Plan.scene_id))
        .where(Plan.workspace_id == workspace.id)
        .order_by(Plan.scene_id, Plan.created_at.desc())
        .subquery()
    )
    opened = select(Order.id).join(Plan, Plan.id == Order.plan_id)
    opened = opened.where(Plan.scene_id == Scene.id, Order.status.in_(OPEN))
    query = (
        select(newest.c.id)
        .join(Scene, Scene.id == newest.c.scene_id)
        .where(Scene.pixels_deleted_at.is_(None), newest.c.created_at < before, ~opened.exists())
    )
    return list(session.scalars(query.order_by(newest.c.created_at).limit(AT_ONCE)))


def _old_orders(session: Session, workspace: Workspace) -> list[UUID]:
    """Return the ended orders whose last file came too long ago and has pixels."""
    if workspace.delivery_days is None:
        return []
    before = func.now() - timedelta(days=workspace.delivery_days)
    found = dict[UUID, None]()
    for table in (DeliveredFile, DeliveredPart):
        newer = select(table.order_id).where(table.order_id == Order.id, table.created_at >= before)
        query = (
            select(Order.id)
            .join(table, table.order_id == Order.id)
            .where(
                Order.workspace_id == workspace.id,
                Order.status.not_in(OPEN),
                table.pixels_sha256.is_(None),
                ~newer.correlate(Order).exists(),
            )
            .distinct()
            .limit(AT_ONCE)
        )
        found.update(dict.fromkeys(session.scalars(query)))
    return list(found)


@asynccontextmanager
async def keeping_retention(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Delete old pixels and remove files without a row in the background; leaving waits for a round."""
    stop = asyncio.Event()
    working = asyncio.create_task(_work_until(stop, database, settings))
    try:
        yield
    finally:
        stop.set()
        await working


async def _work_until(stop: asyncio.Event, database: Database, settings: Settings) -> None:
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), settings.sweep_seconds)
        if not stop.is_set():
            await run_in_threadpool(_round, database, settings)


def _round(database: Database, settings: Settings) -> None:
    try:
        apply_retention(database, settings.blobs)
        sweep(database, settings.blobs, settings.orphan_hours * 3600)
    except (SQLAlchemyError, LoupeError, OSError):  # the next round tries again
        logger.exception(
            "Old pixels could not be deleted; the next attempt is in %g s.", settings.sweep_seconds
        )
