"""Audit of the stored files: each that a row names is there and has its digest, unless it was deleted.

A deletion is in the audit log, so that a mark of one does not hide a file that was lost or changed.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.access.events import EventKind
from service.blobs import BlobDamagedError, BlobMissingError, folder_of, open_checked
from service.ledger.findings import Finding

_FILES = text("""
    SELECT workspace_id, sha256, 'scene ' || id AS subject FROM scene
    WHERE pixels_deleted_at IS NULL
    UNION ALL
    SELECT workspace_id, reading ->> 'tiles_sha256', 'tiles of scene ' || id FROM scene
    WHERE pixels_deleted_at IS NULL AND reading ? 'tiles_sha256'
    UNION ALL
    SELECT o.workspace_id, sha256,
        'delivery ' || order_id || '/' || tile || '/' || patch || ' file ' || version
    FROM delivered_file JOIN "order" o ON o.id = order_id WHERE pixels_sha256 IS NULL
    UNION ALL
    SELECT o.workspace_id, sha256,
        'delivery ' || order_id || '/' || tile || '/' || patch || ' part ' || number
    FROM delivered_part JOIN "order" o ON o.id = order_id WHERE pixels_sha256 IS NULL
    ORDER BY 1, 2, 3
""").execution_options(yield_per=1_000)

_UNTOLD = text("""
    SELECT subject FROM (
        SELECT workspace_id, 'scene ' || id AS subject, pixels_deleted_at, pixels_deleted_by FROM scene
        UNION ALL
        SELECT workspace_id, 'order ' || id, pixels_deleted_at, pixels_deleted_by FROM "order"
    ) AS marked
    WHERE pixels_deleted_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM audit_event e
        WHERE e.kind = :kind AND e.workspace_id = marked.workspace_id AND e.subject = marked.subject
            AND e.key_id IS NOT DISTINCT FROM pixels_deleted_by
    )
    ORDER BY subject
""")


def audit_files(session: Session, blobs: Path) -> Iterator[Finding]:
    """Yield the rows whose file is missing or was changed, and deletions that the audit log does not have.

    A file that several rows name is read once.
    """
    checked: tuple[UUID, str] | None = None
    fault: str | None = None
    for workspace_id, sha256, subject in session.execute(_FILES):
        if (workspace_id, sha256) != checked:
            checked, fault = (workspace_id, sha256), _fault(folder_of(blobs, workspace_id), sha256)
        if fault is not None:
            yield Finding(rule="F1 a stored file is what its row says", subject=f"{subject}: {fault}")
    for subject in session.scalars(_UNTOLD, {"kind": EventKind.PIXELS_DELETED}):
        yield Finding(rule="F2 a deletion of pixels is in the audit log", subject=subject)


def _fault(folder: Path, sha256: str) -> str | None:
    try:
        open_checked(folder, sha256).close()
    except BlobMissingError:
        return "missing"
    except BlobDamagedError:
        return "changed"
    return None
