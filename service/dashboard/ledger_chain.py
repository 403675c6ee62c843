"""The chain of hashes on the page of the ledger: its head, its publication, and checks made while reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.book import Transfer, transfer_hash
from service.ledger.heads import hash_at
from service.ledger.publishing import newest_publication
from service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PublishedHead:
    """The newest published head of a workspace."""

    number: int
    """Number of the published file."""
    at: datetime
    seq: int
    """Newest movement that it covers."""
    holds: bool
    """Whether the server's key signed the file, and the ledger still has this hash at this place."""


@dataclass(frozen=True, kw_only=True)
class ChainStatus:
    """The state of a workspace's chain."""

    seq: int
    """Number of movements."""
    hash: str
    """Hash of the newest movement, in hexadecimal."""
    at: datetime | None
    """Time of the newest movement; None in an empty ledger."""
    head_holds: bool
    """Whether the head is the hash of the newest movement."""
    published: PublishedHead | None
    is_readable: bool
    """False where the newest published file cannot be read."""
    closed_until: date | None
    """Newest closed month; None without any."""


_HEAD = text("""
    SELECT c.seq, c.hash, t.hash AS newest, t.at,
        (
            SELECT max(m.month) FROM ledger.closed_month m WHERE m.workspace_id = c.workspace_id
        ) AS closed_until,
        NOT EXISTS (
            SELECT FROM ledger.transfer x WHERE x.workspace_id = c.workspace_id AND x.seq > c.seq
        ) AS last
    FROM ledger.chain c
    LEFT JOIN ledger.transfer t ON t.workspace_id = c.workspace_id AND t.seq = c.seq
    WHERE c.workspace_id = :workspace
""")


def read_chain(session: Session, workspace_id: UUID, settings: Settings) -> ChainStatus | None:
    """Return the state of a workspace's chain; None before its first budget. Writes nothing."""
    row = session.execute(_HEAD, {"workspace": workspace_id}).first()
    if row is None or not row.seq:
        return None
    try:
        published, is_readable = _published(session, workspace_id, settings), True
    except (OSError, ValueError, TypeError, KeyError):
        published, is_readable = None, False
    return ChainStatus(
        seq=row.seq,
        hash=row.hash.hex(),
        at=row.at,
        head_holds=row.newest == row.hash and row.last,
        published=published,
        is_readable=is_readable,
        closed_until=row.closed_until,
    )


def _published(session: Session, workspace_id: UUID, settings: Settings) -> PublishedHead | None:
    newest = newest_publication(settings)
    heads = () if newest is None else newest.heads
    for head in heads:
        if newest is not None and head.workspace_id == workspace_id and head.seq:
            found = hash_at(session, "transfer", workspace_id, head.seq)
            return PublishedHead(
                number=newest.number,
                at=newest.at,
                seq=head.seq,
                holds=newest.is_signed and found == head.hash,
            )
    return None


def broken_at(transfers: Sequence[Transfer]) -> int | None:
    """Return the first place whose hash is not that of its movement, or not that of the movement before.

    Only neighbours in the list are compared with each other. None if all hold.
    """
    before: Transfer | None = None
    for one in sorted(transfers, key=lambda transfer: transfer.seq):
        follows = before is None or before.seq + 1 != one.seq or one.previous_hash == before.hash
        if not follows or one.hash != transfer_hash(one):
            return one.seq
        before = one
    return None
