"""The view of operations: jobs, requests, room, versions, and the activity of keys.

Everybody sees jobs and room of the own workspace and the use of the own key. Figures of the whole server are
for those who oversee it: they tell of other workspaces.
"""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import torch
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.access.notes import NotesDep
from service.access.overseeing import oversees_server
from service.bundles.registry import Bundles, BundlesDep
from service.bundles.stored import label_of
from service.dashboard.changes import PageWatch, jobs_mark
from service.dashboard.exports import csv_parts, every, streamed
from service.dashboard.filter_fields import ANY
from service.dashboard.frame import OPERATIONS, show
from service.dashboard.jobs import TITLES, page_of_result
from service.dashboard.key_activity import KEY_COLUMNS, key_rows, read_keys
from service.dashboard.process_figures import (
    MOST_ROUTES,
    REFUSAL_COLUMNS,
    REQUEST_COLUMNS,
    read_process,
    request_rows,
)
from service.dashboard.session import Visitor, VisitorDep
from service.dashboard.stored_room import ROOM_COLUMNS, read_room, room_rows
from service.database.engine import Database, DatabaseDep, schema_revision
from service.errors import NotFoundError
from service.jobs.repository import page_of_jobs
from service.jobs.schemas import JobOut
from service.jobs.tables import Job, JobStatus
from service.settings import SettingsDep
from service.version import code_version
from service.web.paging import Cursor, CursorDep, PageRequest, next_page
from service.web.tabular import Columns, file_answer

router = APIRouter(prefix=OPERATIONS, include_in_schema=False)
ROWS = 25
"""Jobs on a page of the list."""
JOB_COLUMNS: Columns = {
    "id": "text", "kind": "text", "status": "text", "created_at": "time", "started_at": "time",
    "finished_at": "time", "attempts": "integer", "tiles_done": "integer", "tiles": "integer",
    "by": "text", "problem": "text", "result": "text",
}  # fmt: skip
RequestTable = Literal["requests", "refusals"]


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A job in the list."""

    job: JobOut
    title: str
    made: str | None
    """Address of the page of what it made."""
    ended_after_s: float | None
    """Seconds from the request to the end; None while it waits or runs."""


def oversees(request: Request, visitor: Visitor) -> bool:
    """Return whether the visitor may see figures of the whole server."""
    with request.state.database.of_all().sessions() as session:
        return oversees_server(session, visitor)


@router.get("", name="operations_page")
def operations(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    settings: SettingsDep,
    bundles: BundlesDep,
    notes: NotesDep,
    cursor: CursorDep,
    status: Annotated[JobStatus | None, ANY, Query()] = None,
) -> Response:
    """Show the jobs, and how the server and the workspace's keys are used."""
    page = PageRequest(ROWS, None if cursor is None else Cursor.decode(cursor))
    with database.sessions() as session:
        mark = jobs_mark(session, visitor.workspace_id)
        jobs, following = page_of_jobs(session, visitor.workspace_id, page, status)
        values: dict[str, Any] = {
            "rows": [_row(session, visitor.workspace_id, one) for one in jobs],
            "counts": count_jobs(session, visitor.workspace_id),
            "keys": read_keys(session, visitor, notes),
        }
    of_server = oversees(request, visitor)
    return show(
        request,
        visitor,
        "operations.html",
        watch=PageWatch.at(OPERATIONS, mark),
        status=200,
        wanted=status,
        statuses=list(JobStatus),
        older=next_page(request.url, following),
        is_first=cursor is None,
        process=read_process() if of_server else None,
        most_routes=MOST_ROUTES,
        room=read_room(request, database, visitor, settings, of_all=of_server),
        versions=versions_of(database, bundles),
        **values,
    )


def _row(session: Session, workspace_id: UUID, job: Job) -> JobRow:
    written = JobOut.of(job)
    ended: datetime | None = written.finished_at
    return JobRow(
        job=written,
        title=TITLES.get(written.kind, "Job"),
        made=page_of_result(session, workspace_id, written.result or {}),
        ended_after_s=None if ended is None else (ended - written.created_at).total_seconds(),
    )


def count_jobs(session: Session, workspace_id: UUID) -> dict[JobStatus, int]:
    """Return the number of the workspace's jobs of each status, 0 included."""
    query = select(Job.status, func.count()).where(Job.workspace_id == workspace_id).group_by(Job.status)
    found = dict(session.execute(query).all())
    return {status: found.get(status, 0) for status in JobStatus}


def versions_of(database: Database, bundles: Bundles) -> dict[str, str]:
    """Return the versions of the server, of its schema and of its bundles."""
    import rasterio  # noqa: PLC0415  (not before service.geotiff has locked GDAL)

    held = [f"{label_of(one.manifest)}{' (default)' if one is bundles.default else ''}" for one in bundles]
    return {
        "Loupe": code_version(),
        "Schema of the database": schema_revision(database) or "none",
        "Bundles": ", ".join(held) or "none",
        "Python": platform.python_version(),
        "torch": str(torch.__version__),
        "GDAL": str(rasterio.__gdal_version__),
    }


@router.get("/jobs.csv", name="jobs_file")
def send_jobs(visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Send every job of the workspace."""

    def read(session: Session, page: PageRequest) -> tuple[Sequence[JobOut], Cursor | None]:
        rows, following = page_of_jobs(session, visitor.workspace_id, page, None)
        return [JobOut.of(one) for one in rows], following

    return streamed("jobs.csv", csv_parts(JOB_COLUMNS, map(_cells, every(database, read))))


def _cells(job: JobOut) -> Sequence[object]:
    made = "; ".join(f"{name} {one}" for name, one in (job.result or {}).items())
    return (
        str(job.id), job.kind, job.status.value, job.created_at, job.started_at, job.finished_at,
        job.attempts, job.progress.tiles_done, job.progress.tiles, job.by,
        None if job.problem is None else job.problem.type.rpartition("/")[2], made,
    )  # fmt: skip


@router.get("/keys.csv", name="keys_file")
def send_keys(visitor: VisitorDep, database: DatabaseDep, notes: NotesDep) -> Response:
    """Send the keys that the visitor may see, with their activity."""
    with database.sessions() as session:
        rows = read_keys(session, visitor, notes)
    return file_answer("csv", "keys", KEY_COLUMNS, key_rows(rows))


@router.get("/room.csv", name="room_file")
def send_room(
    request: Request, visitor: VisitorDep, database: DatabaseDep, settings: SettingsDep
) -> Response:
    """Send what the visitor's workspace stores, or all workspaces for those who oversee the server."""
    rows = read_room(request, database, visitor, settings, of_all=oversees(request, visitor))
    return file_answer("csv", "room", ROOM_COLUMNS, room_rows(rows))


@router.get("/{table}.csv", name="requests_file")
def send_requests(request: Request, visitor: VisitorDep, table: RequestTable) -> Response:
    """Send the routes or the refusals of this process. NotFoundError for who does not oversee the server."""
    if not oversees(request, visitor):
        raise NotFoundError("Your key sees the figures of its own workspace only.")
    figures = read_process()
    rows = cast(Iterator[Sequence[object]], iter(figures.refusals))
    if table == "requests":
        return file_answer("csv", table, REQUEST_COLUMNS, request_rows(figures))
    return file_answer("csv", table, REFUSAL_COLUMNS, rows)
