"""One budget: its use, its terms now and before, and the proposals that changed them or did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from service.dashboard.budget_entries import TERMS
from service.dashboard.budget_use import use_of
from service.dashboard.frame import show
from service.dashboard.order_rows import ProposalRow, WorkspaceNames, proposal_row, time_now
from service.dashboard.overview import budget_bar
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.ledger.history import NEWEST_VERSION, TermsVersion, differences_of, list_terms
from service.ledger.proposals import Proposal, ProposalStatus, proposals_of_budget
from service.ledger.repository import get_budget
from service.ledger.terms import Enforcement
from service.money import Money

router = APIRouter(prefix=f"{PATH}/budgets", include_in_schema=False)
VERSIONS = 25
"""Versions of the terms on the page."""
PROPOSALS = 50
"""Most proposals on the page, newest first."""
FATES: Mapping[Enforcement, str] = {
    Enforcement.BLOCK: "refused",
    Enforcement.WARN: "taken with a warning",
    Enforcement.OFF: "taken",
}
"""Sentences that say how an order beyond the limit is treated."""
BY_NOBODY: Mapping[str, str] = {"renewed": "a new period began", "corrected": "an upgrade of the server"}
"""Why terms without a key came into force."""


@dataclass(frozen=True, kw_only=True)
class TermsRow:
    """One version of the terms in the history."""

    version: int
    at: datetime
    changes: list[str]
    """Changes against the version before, as phrases."""
    by: str
    approved_by: str
    """Name of the key that approved it; empty where none was needed."""
    approved_at: datetime | None
    note: str


@dataclass(frozen=True, kw_only=True)
class DecidedRow:
    """A proposal and what became of it."""

    proposal: ProposalRow
    status: ProposalStatus
    decided_by: str
    decided_at: datetime | None
    note: str


@router.get("/{budget_id}", name="budget_page")
def show_budget(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    budget_id: UUID,
    before: Annotated[int, Query(ge=2, le=NEWEST_VERSION)] = NEWEST_VERSION,
) -> Response:
    """Show a budget; the history of its terms begins below version `before`."""
    with database.sessions() as session:
        budget = get_budget(session, visitor.workspace_id, budget_id)
        today, names = time_now(session).date(), WorkspaceNames.of(session, visitor.workspace_id)
        # One more than is shown: the oldest row says what differs from the version before it.
        found = list_terms(session, visitor.workspace_id, budget_id, limit=VERSIONS + 1, before=before)
        proposals = proposals_of_budget(session, visitor.workspace_id, budget_id, limit=PROPOSALS)
    earlier: list[TermsVersion | None] = [*found[1:], None]
    rows = [terms_row(one, then, names) for one, then in zip(found, earlier, strict=True)][:VERSIONS]
    return show(
        request,
        visitor,
        "budget.html",
        use=use_of(budget, today),
        bar=budget_bar(budget),
        terms={
            title: value if isinstance(value, Money) else _words(value)
            for title, value in _titled(budget.limit, vars(budget.terms))
        },
        rows=rows,
        older=rows[-1].version if len(found) > VERSIONS else None,
        is_newest=before == NEWEST_VERSION,
        proposals=[decided_row(one, names) for one in proposals],
    )


def terms_row(one: TermsVersion, before: TermsVersion | None, names: WorkspaceNames) -> TermsRow:
    """Write one version, with what differs from the one before, or for the first with all of it."""
    if before is None:
        members = _titled(one.limit, vars(one.terms))
        changes = [f"{title}: {_words(value)}" for title, value in members if value not in (None, (), {})]
    else:
        changes = [
            f"{TERMS[name]}: {_words(earlier)} \N{RIGHTWARDS ARROW} {_words(later)}"
            for name, (earlier, later) in differences_of(before, one).items()
        ]
    if one.reason == "renewed":
        changes.insert(0, f"New period from {one.period_starts_on:%-d %b %Y}")
    nobody = BY_NOBODY.get(one.reason, "unknown key")
    return TermsRow(
        version=one.version,
        at=one.at,
        changes=changes,
        by=nobody if one.key_id is None else names.keys.get(one.key_id, one.key_id),
        approved_by="" if one.approved_by is None else names.keys.get(one.approved_by, one.approved_by),
        approved_at=one.approved_at,
        note=one.note or "",
    )


def decided_row(one: Proposal, names: WorkspaceNames) -> DecidedRow:
    """Write a proposal with its decision."""
    decision = one.decision
    return DecidedRow(
        proposal=proposal_row(one, names),
        status=one.status,
        decided_by="" if decision is None else names.keys.get(decision.key_id, decision.key_id),
        decided_at=None if decision is None else decision.at,
        note="" if decision is None else decision.note or "",
    )


def _titled(limit: Money, terms: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(title, limit if name == "limit" else terms[name]) for name, title in TERMS.items()]


def _words(value: Any) -> str:
    """Write a member of the terms for people."""
    match value:
        case Enforcement():
            return FATES[value]
        case Mapping() | tuple():
            parts = _tags(value) if isinstance(value, Mapping) else [f"{percent} %" for percent in value]
            return ", ".join(parts) or "none"
        case Money():
            return in_text(value)
        case date():
            return f"{value:%-d %b %Y}"
        case str():
            return "once" if value == "none" else f"each {value}"
        case _:
            return "not set" if value is None else str(value)


def _tags(tags: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in sorted(tags.items())]
