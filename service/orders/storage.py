"""The room that a workspace has for files and plans, asked for before a request that needs more of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from models.grid import PATCHES
from service.access.caller import CallerDep
from service.access.repository import Caller
from service.bundles.registry import Bundles
from service.database.durability import end_at_once
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.jobs.uploads import waiting_uploads
from service.orders.tables import DeliveredFile, DeliveredPart, Order
from service.plans.stored import PlanCounts
from service.settings import Settings, SettingsDep
from service.web.idempotency import is_repeated, parse_key

PLAN_BYTES = PATCHES * (4 + 1 + 1 + 1) + 4
"""Bytes of a tile in a plan's row: utilities, choices, free patches, ground, and its valid share."""
READING = {"GET", "HEAD", "DELETE"}
"""Methods of requests that store nothing."""
GIB = 1024**3
LABELLING = frozenset({"put_truth"})
"""Operations that store labels of plans that there are already."""
PLANNING_SHARE = 0.8
"""Share of the room that plans may fill: who may only plan cannot keep others from delivering."""


class StorageUsedUpError(LoupeError):
    """A file or plan for which the workspace has no room left."""

    status: ClassVar[int] = 507
    code = "storage-used-up"
    title = "The workspace has no room left"


_LABELS = table("true_labels", column("workspace_id"), column("labels"))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The stored bytes of a workspace (files, tiles and plans, estimated from above), and its plans."""

    stored_bytes: int
    plans: int


async def check_storage(
    request: Request, caller: CallerDep, database: DatabaseDep, settings: SettingsDep
) -> None:
    """Raise StorageUsedUpError (507) for a plan or labels for which its workspace has no room.

    Reading is always possible, and so is repeating a request that was accepted under its Idempotency-Key.
    Plans leave a part of the room to deliveries. Requests at the same time may exceed the room by what they
    store.
    """
    if request.method not in READING:
        await run_in_threadpool(_check_plan, request, caller, database, settings)


def _check_plan(request: Request, caller: Caller, database: Database, settings: Settings) -> None:
    with database.sessions() as session:
        counts, tile_bytes = counts_of(request), largest_tile(bundles_of(request))
        usage = usage_of(session, counts, settings.blobs, caller.workspace_id, tile_bytes)
        try:
            check_bytes(usage, body_size(request), settings.workspace_gib * PLANNING_SHARE)
            if cast(APIRoute, request.scope["route"]).name not in LABELLING:
                check_plans(usage, settings)
        except StorageUsedUpError:
            key = request.headers.get("idempotency-key")
            if key is None or not is_repeated(session, caller.workspace_id, parse_key(key)):
                raise
        end_at_once(session)


async def find_lack(
    request: Request, caller: CallerDep, database: DatabaseDep, settings: SettingsDep
) -> StorageUsedUpError | None:
    """Return the refusal of a file for which its workspace has no room, or None if there is room.

    It is raised once the file is known to be new: repeating a delivery is always possible. No number of plans
    refuses a delivery, for without its file it could not be paid.
    """
    usage = await run_in_threadpool(
        _read,
        database,
        counts_of(request),
        settings.blobs,
        caller.workspace_id,
        largest_tile(bundles_of(request)),
    )
    try:
        check_bytes(usage, body_size(request), settings.workspace_gib)
    except StorageUsedUpError as lack:
        return lack.without_frames()
    return None


LackDep = Annotated[StorageUsedUpError | None, Depends(find_lack)]


def bundles_of(request: Request) -> Bundles:
    """Return the bundles that the server holds."""
    return cast(Bundles, request.state.bundles)


def counts_of(request: Request) -> PlanCounts:
    """Return the counts that the server keeps of each workspace's plans."""
    return cast(PlanCounts, request.state.counts)


def check_bytes(usage: Usage, size: int, most_gib: float) -> None:
    """Raise StorageUsedUpError unless there is room for `size` further bytes."""
    if usage.stored_bytes + size > most_gib * GIB:
        raise StorageUsedUpError(
            f"The workspace stores {usage.stored_bytes / GIB:,.2f} GiB of files and plans, and "
            f"{most_gib:,g} GiB are the limit for this request. Delete pixels that you do not need "
            "(DELETE /v1/orders/ORDER/pixels, `loupe pixels delete`), or ask the operator of the server for "
            "more (LOUPE_WORKSPACE_GIB).",
            stored_bytes=usage.stored_bytes,
            limit_bytes=int(most_gib * GIB),
        )


def check_plans(usage: Usage, settings: Settings) -> None:
    """Raise StorageUsedUpError unless there is room for a further plan."""
    if usage.plans >= settings.workspace_plans:
        raise StorageUsedUpError(
            f"The workspace has {usage.plans:,} plans, and {settings.workspace_plans:,} are its limit. Ask "
            "the operator of the server for more (LOUPE_WORKSPACE_PLANS).",
            plans=usage.plans,
            limit=settings.workspace_plans,
        )


def body_size(request: Request) -> int:
    """Return the size of a request's body in bytes; without Content-Length, the most that it may send."""
    given = request.headers.get("content-length", "")
    if given.isdecimal():
        return int(given)
    return int(request.scope["loupe.body_limit"]) if "transfer-encoding" in request.headers else 0


def usage_of(session: Session, counts: PlanCounts, blobs: Path, workspace_id: UUID, tile_bytes: int) -> Usage:
    """Sum what a workspace stores; the pixels of a scene's tiles have `tile_bytes` each.

    Pixels that were deleted count no more. The uploads of jobs that have not ended count.
    """
    plans = counts.read(session, workspace_id)
    labels = session.scalar(
        select(func.sum(func.pg_column_size(_LABELS.c.labels))).where(_LABELS.c.workspace_id == workspace_id)
    )
    stored = sum(int(size or 0) for size in (labels, *_delivered(session, workspace_id)))
    stored += sum(waiting_uploads(session, blobs, workspace_id)) + plans.scene_bytes
    return Usage(
        stored_bytes=stored + plans.tiles * PLAN_BYTES + plans.pictured * tile_bytes, plans=plans.plans
    )


def _delivered(session: Session, workspace_id: UUID) -> list[int | None]:
    """Return the bytes of delivered files, each file once, and of the pixels of patches and parts."""
    sizes: list[int | None] = []
    for of in (DeliveredFile, DeliveredPart):
        mine = (
            of.order_id == Order.id,
            Order.workspace_id == workspace_id,
            of.pixels_sha256.is_(None),
        )
        files = select(of.sha256, of.size).where(*mine).distinct().subquery()
        sizes.append(session.scalar(select(func.sum(files.c.size))))
        sizes.append(session.scalar(select(func.sum(func.octet_length(of.pixels))).where(*mine)))
    return sizes


def largest_tile(bundles: Bundles) -> int:
    """Return the most bytes that the pixels of one tile take."""
    return max((3 * one.manifest.lr_size**2 for one in bundles), default=0)


def _read(database: Database, counts: PlanCounts, blobs: Path, workspace_id: UUID, tile_bytes: int) -> Usage:
    with database.sessions() as session:
        usage = usage_of(session, counts, blobs, workspace_id, tile_bytes)
        end_at_once(session)
    return usage
