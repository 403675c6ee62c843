"""Numbers and sizes of a workspace's plans and scenes, counted once and then kept up with what is added.

A million plans are not added up for each request that needs room. Evidence is numbered in the order in which
rows became visible (decision 30), so what came after a number is read alone. Deletions of pixels take turns
and are dated in their turn, so those after a time are read alone too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

AT_ONCE = 10_000
"""Rows of evidence that one statement reads."""
_NEVER = datetime.min.replace(tzinfo=UTC)

# One statement sees one state of the database: the sums cover what the number and the time say.
_COUNT = text("""
    SELECT
        newest.seq,
        newest.hash,
        (
            SELECT max(pixels_deleted_at) FROM public.scene
            WHERE workspace_id = :workspace AND pixels_deleted_at IS NOT NULL
        ) AS deleted_at,
        (SELECT count(*) FROM public.plan WHERE workspace_id = :workspace) AS plans,
        (SELECT coalesce(sum(tiles), 0) FROM public.plan WHERE workspace_id = :workspace) AS tiles,
        (
            SELECT coalesce(sum(p.tiles), 0) FROM public.plan p JOIN public.scene s ON s.id = p.scene_id
            WHERE p.workspace_id = :workspace AND p.supersedes IS NULL AND p.follows IS NULL
                AND s.pixels_deleted_at IS NULL
        ) AS pictured,
        (
            SELECT coalesce(sum(size), 0) FROM public.scene
            WHERE workspace_id = :workspace AND pixels_deleted_at IS NULL
        ) AS scene_bytes
    FROM (VALUES (0)) AS nothing LEFT JOIN LATERAL (
        SELECT seq, hash FROM ledger.evidence WHERE workspace_id = :workspace ORDER BY seq DESC LIMIT 1
    ) AS newest ON true
""")
_ADDED = text("""
    WITH added AS MATERIALIZED (
        SELECT seq, hash, CASE kind WHEN 'plan' THEN CAST(subject AS uuid) END AS plan_id,
            CASE kind WHEN 'scene' THEN CAST(subject AS uuid) END AS scene_id
        FROM ledger.evidence WHERE workspace_id = :workspace AND seq > :seq ORDER BY seq LIMIT :most
    ), plans AS (
        SELECT count(*) AS plans, coalesce(sum(p.tiles), 0) AS tiles,
            coalesce(sum(p.tiles) FILTER (WHERE p.supersedes IS NULL AND p.follows IS NULL), 0) AS pictured
        FROM added JOIN public.plan p ON p.id = added.plan_id
    ), scenes AS (
        SELECT coalesce(sum(s.size), 0) AS bytes FROM added JOIN public.scene s ON s.id = added.scene_id
    ), deleted AS MATERIALIZED (
        SELECT id, size, pixels_deleted_at FROM public.scene
        WHERE workspace_id = :workspace AND pixels_deleted_at > :deleted_at
    )
    SELECT
        (SELECT count(*) FROM added) AS rows,
        (SELECT max(seq) FROM added) AS seq,
        (SELECT hash FROM added ORDER BY seq DESC LIMIT 1) AS hash,
        (SELECT hash FROM ledger.evidence WHERE workspace_id = :workspace AND seq = :seq) AS known_hash,
        (SELECT max(pixels_deleted_at) FROM deleted) AS deleted_at,
        plans.plans,
        plans.tiles,
        plans.pictured - (
            SELECT coalesce(sum(p.tiles), 0) FROM deleted JOIN public.plan p ON p.scene_id = deleted.id
            WHERE p.supersedes IS NULL AND p.follows IS NULL
        ) AS pictured,
        scenes.bytes - (SELECT coalesce(sum(size), 0) FROM deleted) AS scene_bytes
    FROM plans, scenes
""")


@dataclass(frozen=True, kw_only=True)
class StoredPlans:
    """The plans and scenes of a workspace up to a number of its evidence and a time of deletion."""

    seq: int
    hash: bytes | None
    """Hash of that evidence, which covers all before it; None before there is any."""
    deleted_at: datetime
    plans: int
    tiles: int
    pictured: int
    """Tiles whose pixels are stored: those of first plans, less those whose pixels were deleted."""
    scene_bytes: int
    """Size of the uploads that are stored."""


class PlanCounts:
    """Counts of the process, by workspace. Threads may count the same; each count is true."""

    def __init__(self) -> None:
        self._known: dict[UUID, StoredPlans] = {}

    def read(self, session: Session, workspace_id: UUID) -> StoredPlans:
        """Return the plans and scenes of a workspace now."""
        known = self._known.get(workspace_id)
        now = None if known is None else _kept_up(session, workspace_id, known)
        if now is None:
            now = count_plans(session, workspace_id)
        self._known[workspace_id] = now
        return now


def count_plans(session: Session, workspace_id: UUID) -> StoredPlans:
    """Count all plans and scenes of a workspace."""
    row = session.execute(_COUNT, {"workspace": workspace_id}).one()
    return StoredPlans(
        seq=row.seq or 0,
        hash=row.hash,
        deleted_at=row.deleted_at or _NEVER,
        plans=row.plans,
        tiles=int(row.tiles),
        pictured=int(row.pictured),
        scene_bytes=int(row.scene_bytes),
    )


def _kept_up(session: Session, workspace_id: UUID, known: StoredPlans) -> StoredPlans | None:
    """Add what came after `known`; None if it was counted in another history, such as before a restore."""
    rows = AT_ONCE
    while rows == AT_ONCE:
        values = {"workspace": workspace_id, "seq": known.seq, "deleted_at": known.deleted_at}
        row = session.execute(_ADDED, values | {"most": AT_ONCE}).one()
        if row.known_hash != known.hash:
            return None
        rows, known = row.rows, _grown(known, row)
    return known


def _grown(known: StoredPlans, row: Row[tuple[Any, ...]]) -> StoredPlans:
    return StoredPlans(
        seq=row.seq or known.seq,
        hash=row.hash or known.hash,
        deleted_at=row.deleted_at or known.deleted_at,
        plans=known.plans + row.plans,
        tiles=known.tiles + int(row.tiles),
        pictured=known.pictured + int(row.pictured),
        scene_bytes=known.scene_bytes + int(row.scene_bytes),
    )
