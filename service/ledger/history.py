"""The terms of a budget over time: every version, who made it, and the proposal that it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.ledger.repository import in_money, take_terms
from service.ledger.terms import BudgetTerms
from service.money import Money

Reason = Literal["opened", "changed", "renewed", "corrected"]


@dataclass(frozen=True, kw_only=True)
class TermsVersion:
    """Limit and terms of a budget from one moment on."""

    version: int
    reason: Reason
    at: datetime
    key_id: str | None  # that made or proposed them; None for a period that began and for a correction
    limit: Money
    terms: BudgetTerms
    period_starts_on: date
    approved_by: str | None  # key that approved the proposal
    approved_at: datetime | None
    note: str | None  # reason of the approval


_VERSIONS = text("""
    SELECT t.version, t.reason, t.at, t.key_id, b.currency, t.limit_minor, t.period, t.starts_on, t.ends_on,
        t.enforcement, t.thresholds, t.tags, t.approval_above_minor, t.period_starts_on,
        d.key_id AS approved_by, d.at AS approved_at, d.note
    FROM ledger.budget_terms t
    JOIN ledger.budget b ON b.id = t.budget_id
    LEFT JOIN ledger.decision d ON d.proposal_id = t.proposal_id
    WHERE b.workspace_id = :workspace AND t.budget_id = :budget AND t.version < :before
    ORDER BY t.version DESC LIMIT :limit
""")
NEWEST_VERSION = 2**31 - 1
"""A version above every other."""


def list_terms(
    session: Session, workspace_id: UUID, budget_id: UUID, *, limit: int, before: int = NEWEST_VERSION
) -> list[TermsVersion]:
    """Return up to `limit` versions of a budget's terms below version `before`, newest first."""
    values = {"workspace": workspace_id, "budget": budget_id, "before": before, "limit": limit}
    return [_version(row) for row in session.execute(_VERSIONS, values)]


def are_renewals(session: Session, budget_id: UUID, *, since: int) -> bool:
    """Return whether all terms of a budget after version `since` only began a new period."""
    query = text(
        "SELECT count(*) FROM ledger.budget_terms "
        "WHERE budget_id = :budget AND version > :since AND reason <> 'renewed'"
    )
    others: int = session.execute(query, {"budget": budget_id, "since": since}).scalar_one()
    return others == 0


def _version(row: Row[Any]) -> TermsVersion:
    fields = in_money(row)
    return TermsVersion(terms=take_terms(fields), **fields)


def differences_of(before: TermsVersion, after: TermsVersion) -> Mapping[str, tuple[Any, Any]]:
    """Return the members of limit and terms that differ, each with its earlier and its later value."""
    earlier, later = (
        {"limit": one.limit, **vars(one.terms), "tags": dict(one.terms.tags)} for one in (before, after)
    )
    return {name: (earlier[name], later[name]) for name in earlier if earlier[name] != later[name]}
