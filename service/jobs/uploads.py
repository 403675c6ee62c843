"""Uploads that wait for their job, each named after it.

They lie beside the blobs and not among them: a blob may belong to several scenes, but an upload belongs to
one job only, so that it can be deleted as soon as the job has ended.
"""

import hashlib
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.blobs import is_older, read_checked, write_whole
from service.database.engine import Database
from service.jobs.tables import Job

FOLDER = "jobs"
_STALE_SECONDS = 86_400.0


def keep_upload(blobs: Path, job_id: UUID, body: bytes) -> str:
    """Store the upload of a job that will be queued; return its SHA-256. StorageFailedError."""
    write_whole(_path(blobs, job_id), body)
    return hashlib.sha256(body).hexdigest()


def read_upload(blobs: Path, job: Job) -> bytes:
    """Return the upload of a job; nothing for a job without one. BlobMissingError, BlobDamagedError."""
    return b"" if job.upload_sha256 is None else read_checked(_path(blobs, job.id), job.upload_sha256)


def drop_upload(blobs: Path, job_id: UUID) -> None:
    """Delete the upload of a job that has ended, if it is there."""
    _path(blobs, job_id).unlink(missing_ok=True)


def waiting_uploads(session: Session, blobs: Path, workspace_id: UUID) -> list[int]:
    """Return the sizes in bytes of the uploads of a workspace's jobs that have not ended."""
    mine = Job.workspace_id == workspace_id, Job.finished_at.is_(None), Job.upload_sha256.is_not(None)
    paths = [_path(blobs, job_id) for job_id in session.scalars(select(Job.id).where(*mine))]
    return [path.stat().st_size for path in paths if path.exists()]


def drop_forgotten(database: Database, blobs: Path) -> None:
    """Delete files older than a day that no unfinished job needs: a process was killed.

    Its upload is there as a whole or, under another name, in part.
    """
    before = time.time() - _STALE_SECONDS
    old = [path for path in (blobs / FOLDER).glob("*") if is_older(path, before)]
    if not old:
        return
    with database.sessions() as session:
        needed = {str(one) for one in session.scalars(select(Job.id).where(Job.finished_at.is_(None)))}
    for path in old:
        if path.name not in needed:
            path.unlink(missing_ok=True)


def _path(blobs: Path, job_id: UUID) -> Path:
    return blobs / FOLDER / str(job_id)
