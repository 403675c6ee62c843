"""Stored pixels: the answer when they were deleted, and how no file is removed that a new row names.

A file is on disk before the row that names it. Whoever stores such a row holds the workspace's files and sees
that they are there; whoever removes files locks them and removes none that a row names. So either the row is
seen, or its transaction finds the file gone.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.blobs import BlobMissingError, folder_of, is_stored
from service.database.engine import Database
from service.errors import LoupeError, UnavailableError
from service.plans.tables import Plan, Scene

_HOLD = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('loupe.files.' || :workspace, 0))")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('loupe.files.' || :workspace, 0))")


class PixelsDeletedError(LoupeError):
    """A request that needs pixels which were deleted."""

    status: ClassVar[int] = 410
    code = "pixels-deleted"
    title = "The pixels were deleted"

    def __init__(self, what: str, at: datetime, by: str | None, remedy: str) -> None:
        doer = "by the workspace's retention" if by is None else f"with the key {by}"
        super().__init__(
            f"The pixels of {what} were deleted on {at:%Y-%m-%d %H:%M} UTC {doer}. {remedy}",
            deleted_at=at.isoformat(),
            deleted_by=by,
        )


class FileRemovedError(UnavailableError):
    """A file that was deleted while it was being stored again."""

    code = "file-removed"
    title = "The file was removed meanwhile"


def check_scene_pixels(scene: Scene) -> None:
    """Raise PixelsDeletedError (410) if the pixels of a scene were deleted."""
    if scene.pixels_deleted_at is not None:
        raise PixelsDeletedError(
            "the scene",
            scene.pixels_deleted_at,
            scene.pixels_deleted_by,
            "Send the scene again with POST /v1/plans (`loupe plan`), and use the new plan.",
        )


def check_plan_pixels(session: Session, plan: Plan) -> None:
    """Raise PixelsDeletedError if the scene of a plan has no pixels; it keeps them until the session ends."""
    hold_files(session, plan.workspace_id)
    check_scene_pixels(session.get_one(Scene, plan.scene_id, populate_existing=True))


@contextmanager
def reading_scene(database: Database, scene: Scene) -> Iterator[None]:
    """Read files of a scene, without a session. PixelsDeletedError (410) if they are deleted meanwhile."""
    with reading_files(database, lambda session: check_scene_pixels(session.get_one(Scene, scene.id))):
        yield


@contextmanager
def reading_files(database: Database, check: Callable[[Session], None]) -> Iterator[None]:
    """Read stored files, and `check` in a new session whether one that is missing was deleted meanwhile.

    A deletion is committed before its files go, so `check` sees it and raises PixelsDeletedError. Otherwise
    the file is lost: BlobMissingError.
    """
    try:
        yield
    except BlobMissingError:
        with database.sessions() as session:
            check(session)
        raise


def files_of(scene: Scene) -> list[str]:
    """Return the digests of a scene's files: the upload, and the LR pixels of its tiles if they have one."""
    return [scene.sha256, *filter(None, [scene.reading.get("tiles_sha256")])]


def hold_files(session: Session, workspace_id: UUID) -> None:
    """Keep the files of a workspace from being removed until the session's transaction ends."""
    session.execute(_HOLD, {"workspace": str(workspace_id)})


def lock_files(session: Session, workspace_id: UUID) -> None:
    """Wait until nobody stores a row that names a file of the workspace, and keep others from it."""
    session.execute(_LOCK, {"workspace": str(workspace_id)})


def check_stored(session: Session, blobs: Path, workspace_id: UUID, digests: Iterable[str]) -> None:
    """Hold files for rows that name them. FileRemovedError (503) if one is gone: it must be sent again."""
    hold_files(session, workspace_id)
    folder = folder_of(blobs, workspace_id)
    if not all(is_stored(folder, sha256) for sha256 in digests):
        raise FileRemovedError(
            "The same file was deleted from the workspace while it was being stored. Send the request again."
        )
