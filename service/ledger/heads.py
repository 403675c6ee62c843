"""Heads: the newest hashes of a workspace's chains. Noted elsewhere, they reveal any later rewriting."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.findings import Finding

Chained = Literal["transfer", "evidence"]
"""A table whose rows are chained by their hashes."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The newest transfer and the newest evidence of a workspace; a seq of 0 means that there is none."""

    workspace_id: UUID
    seq: int
    hash: bytes
    evidence_seq: int
    evidence_hash: bytes

    def to_json(self) -> dict[str, Any]:
        """Write the head as files of heads have it."""
        return {
            "workspace": str(self.workspace_id), "seq": self.seq, "hash": self.hash.hex(),
            "evidence_seq": self.evidence_seq, "evidence_hash": self.evidence_hash.hex(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Head":
        """Read what `to_json` wrote, or a file from before there was evidence.

        ValueError, TypeError or KeyError for anything else.
        """
        return cls(
            workspace_id=UUID(kept["workspace"]),
            seq=int(kept["seq"]),
            hash=bytes.fromhex(kept["hash"]),
            evidence_seq=int(kept.get("evidence_seq", 0)),
            evidence_hash=bytes.fromhex(kept.get("evidence_hash", "")),
        )


_HEADS = text("""
    SELECT c.workspace_id, c.seq, c.hash,
        coalesce(e.seq, 0) AS evidence_seq, coalesce(e.hash, '') AS evidence_hash
    FROM ledger.chain c
    LEFT JOIN LATERAL (
        SELECT seq, hash FROM ledger.evidence WHERE workspace_id = c.workspace_id ORDER BY seq DESC LIMIT 1
    ) AS e ON true
    ORDER BY c.workspace_id
""")


def heads(session: Session) -> list[Head]:
    """Return the head of every workspace that has a chain."""
    return [Head(**row._mapping) for row in session.execute(_HEADS)]


def audit_heads(session: Session, noted: Iterable[Head]) -> Iterator[Finding]:
    """Yield each noted head that is missing, or that has another hash now."""
    for head in noted:
        noted_hashes: tuple[tuple[Chained, int, bytes], ...] = (
            ("transfer", head.seq, head.hash),
            ("evidence", head.evidence_seq, head.evidence_hash),
        )
        for table, seq, noted_hash in noted_hashes:
            if seq and hash_at(session, table, head.workspace_id, seq) != noted_hash:
                yield Finding(
                    rule="C2 a noted head is found again", subject=f"{head.workspace_id} {table} {seq}"
                )


_HASHES = {
    "transfer": text("SELECT hash FROM ledger.transfer WHERE workspace_id = :workspace AND seq = :seq"),
    "evidence": text("SELECT hash FROM ledger.evidence WHERE workspace_id = :workspace AND seq = :seq"),
}


def hash_at(session: Session, table: Chained, workspace_id: UUID, seq: int) -> bytes | None:
    """Return the hash of the transfer or the evidence at this place; None if there is none."""
    values = {"workspace": workspace_id, "seq": seq}
    return session.execute(_HASHES[table], values).scalar_one_or_none()
