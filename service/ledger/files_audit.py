"""Audit of the stored files: every file that a row names is there and has its digest."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.blobs import BlobDamagedError, BlobMissingError, verified_path
from service.ledger.findings import Finding

_FILES = text("""
    SELECT sha256, 'scene ' || id AS subject FROM scene
    UNION ALL
    SELECT reading ->> 'tiles_sha256', 'tiles of scene ' || id FROM scene WHERE reading ? 'tiles_sha256'
    UNION ALL
    SELECT sha256, 'delivery ' || order_id || '/' || tile || '/' || patch || ' file ' || version
    FROM delivered_file
    UNION ALL
    SELECT sha256, 'delivery ' || order_id || '/' || tile || '/' || patch || ' part ' || number
    FROM delivered_part
    ORDER BY 1, 2
""").execution_options(yield_per=1_000)


def audit_files(session: Session, blobs: Path) -> Iterator[Finding]:
    """Yield the rows whose file is missing or was changed; a file that several rows name is read once."""
    known: tuple[str, str | None] = ("", None)
    for sha256, subject in session.execute(_FILES):
        if sha256 != known[0]:
            known = (sha256, _fault(blobs, sha256))
        if known[1] is not None:
            yield Finding(rule="F1 a stored file is what its row says", subject=f"{subject}: {known[1]}")


def _fault(blobs: Path, sha256: str) -> str | None:
    try:
        verified_path(blobs, sha256)
    except BlobMissingError:
        return "missing"
    except BlobDamagedError:
        return "changed"
    return None
