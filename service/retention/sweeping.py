"""The files of workspaces: which are named by a row, and the removal of those that none names."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.access.tables import Workspace
from service.blobs import files_in, folder_of, path_of, remove
from service.database.engine import Database
from service.orders.tables import DeliveredFile, DeliveredPart, Order
from service.plans.pixels import lock_files
from service.plans.tables import Scene


class StoredFile(NamedTuple):
    """A file among the blobs, with its size in bytes and the time at which it was last stored."""

    path: Path
    size: int
    stored_at: float


@dataclass(frozen=True, kw_only=True)
class Stock:
    """Files that a workspace stores, or for None the folder of earlier versions, which workspaces shared."""

    workspace_id: UUID | None
    name: str
    files: int
    size: int  # bytes
    orphans: int
    """Files that no row names."""
    orphans_size: int


def remove_unnamed(database: Database, blobs: Path, workspace_id: UUID, digests: Collection[str]) -> int:
    """Remove files of a workspace unless a row names them; return the number of bytes that were freed."""
    folder = folder_of(blobs, workspace_id)
    with database.of(workspace_id).sessions.begin() as session:
        lock_files(session, workspace_id)
        unnamed = set(digests) - named_files(session, digests, workspace_id)
        freed = sum(remove(path_of(folder, sha256)) for sha256 in unnamed)
    with database.of_all().sessions() as session:  # in the folder that workspaces shared
        unnamed = set(digests) - named_files(session, digests)
        return freed + sum(remove(path_of(blobs, sha256)) for sha256 in unnamed)


def sweep(database: Database, blobs: Path, grace_s: float) -> int:
    """Remove the files that no row names and that were stored longer than `grace_s` ago; return the bytes.

    An upload that is being stored has just made its file new, and so keeps it. The folder of earlier versions
    is left alone if no row names any of its files: the database may be another one.
    """
    freed = 0
    for workspace_id, _ in _workspaces(database):
        folder = folder_of(blobs, workspace_id)
        old = _older(folder, grace_s)
        if old:
            with database.of(workspace_id).sessions.begin() as session:
                lock_files(session, workspace_id)
                named = named_files(session, [one.path.name for one in old], workspace_id)
                still = [one for one in _older(folder, grace_s) if one.path.name not in named]
                freed += sum(remove(one.path) for one in still)
    shared = _older(blobs, grace_s)
    with database.of_all().sessions() as session:
        named = named_files(session, [one.path.name for one in shared])
    return freed + sum(remove(one.path) for one in shared if named and one.path.name not in named)


def stocks(database: Database, blobs: Path) -> list[Stock]:
    """Return what each workspace stores, and what the folder of earlier versions holds."""
    owners: list[tuple[UUID | None, str]] = [*_workspaces(database), (None, "(earlier versions, shared)")]
    found = []
    for workspace_id, name in owners:
        files = list(stored_files(blobs if workspace_id is None else folder_of(blobs, workspace_id)))
        with database.of_all().sessions() as session:
            named = named_files(session, [one.path.name for one in files], workspace_id)
        orphans = [one.size for one in files if one.path.name not in named]
        found.append(
            Stock(
                workspace_id=workspace_id,
                name=name,
                files=len(files),
                size=sum(one.size for one in files),
                orphans=len(orphans),
                orphans_size=sum(orphans),
            )
        )
    return found


def named_files(session: Session, digests: Collection[str], workspace_id: UUID | None = None) -> set[str]:
    """Return which digests a row names whose pixels are not deleted, of one workspace if it is given."""
    owned = [] if workspace_id is None else [Scene.workspace_id == workspace_id]
    kept = Scene.pixels_deleted_at.is_(None)
    found = set[str]()
    for column in (Scene.sha256, Scene.reading["tiles_sha256"].astext):
        found |= _among(session, column, digests, [kept, *owned])
    ordered = [] if workspace_id is None else [Order.workspace_id == workspace_id]
    for table in (DeliveredFile, DeliveredPart):
        mine = [table.pixels_sha256.is_(None), table.order_id == Order.id, *ordered]
        found |= _among(session, table.sha256, digests, mine)
    return found


def stored_files(folder: Path) -> Iterator[StoredFile]:
    """Yield the blobs of a folder, and what killed processes left beside them."""
    for path in files_in(folder):
        try:
            stat = path.stat()
        except FileNotFoundError:  # another process has removed it
            continue
        yield StoredFile(path, stat.st_size, stat.st_mtime)


def _among(
    session: Session,
    column: InstrumentedAttribute[str] | ColumnElement[str],
    digests: Collection[str],
    where: list[ColumnElement[bool]],
) -> set[str]:
    wanted = set(digests)
    if not wanted:
        return set()
    return {one for one in session.scalars(select(column).where(*where).distinct()) if one in wanted}


def _older(folder: Path, grace_s: float) -> list[StoredFile]:
    before = time.time() - grace_s
    return [one for one in stored_files(folder) if one.stored_at < before]


def _workspaces(database: Database) -> list[tuple[UUID, str]]:
    with database.of_all().sessions() as session:
        rows = session.execute(select(Workspace.id, Workspace.name).order_by(Workspace.name)).all()
    return [(workspace_id, name) for workspace_id, name in rows]
