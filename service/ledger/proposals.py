"""Proposals: charges and changes of terms that wait for the key of another holder."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from service.errors import NotFoundError
from service.money import Money
from service.web.paging import Cursor, PageRequest


class ProposalStatus(StrEnum):
    """Status of a proposal."""

    WAITING = "waiting"
    """It has no effect yet."""
    APPROVED = "approved"
    """Another holder approved it, and it took effect."""
    REJECTED = "rejected"
    """Another holder rejected it, and it never takes effect."""
    WITHDRAWN = "withdrawn"
    """The holder who proposed it took it back, and it never takes effect."""


@dataclass(frozen=True, kw_only=True)
class ProposalDecision:
    """The decision on a proposal."""

    approved: bool
    withdrawn: bool
    """Whether the holder who proposed took it back."""
    note: str | None
    key_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A later charge (`order_id`, `amount`, `reason`) or a change of terms (`changes`) of a budget."""

    id: UUID
    budget_id: UUID
    order_id: UUID | None
    amount: Money | None
    reason: str | None
    changes: Mapping[str, Any] | None  # by the names of the API, money as Money; None removes a term
    key_id: str
    at: datetime
    decision: ProposalDecision | None

    @property
    def status(self) -> ProposalStatus:
        """The status that follows from the decision."""
        if self.decision is None:
            return ProposalStatus.WAITING
        if self.decision.withdrawn:
            return ProposalStatus.WITHDRAWN
        return ProposalStatus.APPROVED if self.decision.approved else ProposalStatus.REJECTED


@dataclass(frozen=True, kw_only=True)
class WaitingProposals:
    """The proposals of a budget that wait for a decision."""

    newest: Sequence[Proposal] = ()
    """At most SHOWN_WAITING, newest first."""
    number: int = 0
    """How many wait."""


SHOWN_WAITING = 10
"""Most waiting proposals that are read with their budget; the list of proposals has the others."""

_PROPOSALS = """
    SELECT p.id, p.budget_id, b.currency, p.order_id, p.amount, p.reason, p.terms, p.key_id, p.at,
        d.approved, NOT d.approved AND theirs.holder = asking.holder AS withdrawn,
        d.note, d.key_id AS decided_by, d.at AS decided_at,
        count(*) OVER budget AS number, row_number() OVER (budget ORDER BY p.at DESC, p.id DESC) AS place
    FROM ledger.proposal p
    JOIN ledger.budget b ON b.id = p.budget_id
    JOIN public.api_key asking ON asking.id = p.key_id
    LEFT JOIN ledger.decision d ON d.proposal_id = p.id
    LEFT JOIN public.api_key theirs ON theirs.id = d.key_id
    WHERE b.workspace_id = :workspace {filter}
    WINDOW budget AS (PARTITION BY p.budget_id)
    ORDER BY p.at DESC, p.id DESC LIMIT :limit
"""
_NEWEST = "SELECT * FROM ({proposals}) AS waiting WHERE place <= :shown ORDER BY place"


def find_proposal(session: Session, workspace_id: UUID, proposal_id: UUID) -> Proposal:
    """Return one proposal; NotFoundError when it is not in this workspace."""
    for proposal in _select(session, workspace_id, "AND p.id = :id", limit=1, id=proposal_id):
        return proposal
    raise NotFoundError(f"There is no proposal {proposal_id}.", proposal=str(proposal_id))


def newest_proposal(session: Session, workspace_id: UUID, budget_id: UUID) -> Proposal:
    """Return the newest proposal of a budget. The caller holds the budget's lock and has just made it."""
    (proposal,) = _select(session, workspace_id, "AND p.budget_id = :budget", limit=1, budget=budget_id)
    return proposal


def list_proposals(
    session: Session,
    workspace_id: UUID,
    page: PageRequest,
    *,
    waiting: bool | None = None,
    budget_id: UUID | None = None,
) -> tuple[list[Proposal], Cursor | None]:
    """Return one page of proposals, newest first, of all or of those that wait or are decided."""
    values: dict[str, Any] = {"waiting": waiting, "budget": budget_id}
    condition = """
        AND (CAST(:waiting AS boolean) IS NULL OR (d.at IS NULL) = :waiting)
        AND (CAST(:budget AS uuid) IS NULL OR p.budget_id = :budget)
    """
    if page.after is not None:
        condition += " AND (p.at, p.id) < (:at, :id)"
        values |= {"at": page.after.created_at, "id": page.after.id}
    found = _select(session, workspace_id, condition, limit=page.limit + 1, **values)
    shown = found[: page.limit]
    return shown, Cursor(shown[-1].at, shown[-1].id) if len(found) > page.limit else None


def waiting_proposals(
    session: Session, workspace_id: UUID, budget_ids: Sequence[UUID]
) -> dict[UUID, WaitingProposals]:
    """Return what waits for a decision in each budget."""
    waiting = _PROPOSALS.format(filter="AND p.budget_id = ANY(:budgets) AND d.at IS NULL")
    query = text(_NEWEST.format(proposals=waiting))
    values = {"workspace": workspace_id, "budgets": list(budget_ids), "limit": None, "shown": SHOWN_WAITING}
    newest, number = defaultdict[UUID, list[Proposal]](list), dict[UUID, int]()
    for row in session.execute(query, values):
        newest[row.budget_id].append(_proposal(row))
        number[row.budget_id] = row.number
    return {one: WaitingProposals(newest=newest[one], number=number.get(one, 0)) for one in budget_ids}


def proposals_of_budget(
    session: Session, workspace_id: UUID, budget_id: UUID, *, limit: int
) -> list[Proposal]:
    """Return up to `limit` proposals of a budget, newest first."""
    return _select(session, workspace_id, "AND p.budget_id = :budget", limit=limit, budget=budget_id)


def needs_approval(session: Session, budget_id: UUID, key_id: str | None, more: int = 0) -> bool:
    """Say whether a holder has ordered and charged too much of a budget without another's approval.

    The sum of the last 24 hours, and `more` minor units, are compared with `approval_above`. The caller
    holds the budget's lock, and the sum includes what it has just held.
    """
    call = text("SELECT ledger.needs_approval(:budget, :key, :more)")
    return bool(session.execute(call, {"budget": budget_id, "key": key_id, "more": more}).scalar_one())


def _select(
    session: Session, workspace_id: UUID, condition: str, *, limit: int | None, **values: Any
) -> list[Proposal]:
    query = text(_PROPOSALS.format(filter=condition))
    rows = session.execute(query, {"workspace": workspace_id, "limit": limit} | values)
    return [_proposal(row) for row in rows]


def _proposal(row: Row[Any]) -> Proposal:
    decision = None
    if row.decided_at is not None:
        decision = ProposalDecision(
            approved=row.approved,
            withdrawn=row.withdrawn,
            note=row.note,
            key_id=row.decided_by,
            at=row.decided_at,
        )
    return Proposal(
        id=row.id,
        budget_id=row.budget_id,
        order_id=row.order_id,
        amount=None if row.amount is None else Money(row.amount, row.currency),
        reason=row.reason,
        changes=None if row.terms is None else _changes(row.terms, row.currency),
        key_id=row.key_id,
        at=row.at,
        decision=decision,
    )


def _changes(columns: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Name columns of `ledger.budget_terms` as the API does, with amounts as Money."""
    return {
        name.removesuffix("_minor"): Money(value, currency)
        if name.endswith("_minor") and value is not None
        else value
        for name, value in columns.items()
    }
