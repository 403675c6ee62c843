"""Proposals and decisions as JSON."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.ledger.proposals import Proposal, ProposalStatus
from service.money import Money
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.values import Note


class ApprovalIn(BaseModel):
    """A decision on an order or proposal that needs the key of another holder."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"] = Field(
        description="`approve` lets an order take deliveries and a proposal take effect; `reject` ends an "
        "order and releases its money, or discards a proposal."
    )
    note: Note | None = Field(None, description="Reason for the decision, kept with it.")

    @property
    def approves(self) -> bool:
        """Whether the decision is to approve."""
        return self.decision == "approve"


class ProposalOut(BaseModel):
    """A later charge, or a change of a budget's terms, that takes effect when another holder approves it."""

    id: UUID = Field(description="Id of the proposal.")
    kind: Literal["charge", "terms"] = Field(
        description="`charge` for a later charge of an order, `terms` for a change of limit or terms."
    )
    status: ProposalStatus = Field(
        description="`waiting` has no effect yet, `approved` took effect, `rejected` and `withdrawn` never "
        "take effect."
    )
    budget: UUID = Field(description="Id of the budget.")
    order: UUID | None = Field(description="Id of the charged order; omitted for terms.")
    amount: MoneyOut | None = Field(description="Amount of the charge; omitted for terms.")
    reason: str | None = Field(description="Reason of the charge; omitted for terms.")
    changes: dict[str, Any] | None = Field(
        description="New limit and terms by name, null where a term is removed; omitted for a charge.",
        examples=[{"limit": {"amount": "900.00", "currency": "USD"}}],
    )
    by: str = Field(description="Id of the key that proposed it.")
    at: datetime = Field(description="Time of the proposal.")
    decided_by: str | None = Field(description="Id of the key that decided; omitted while it waits.")
    decided_at: datetime | None = Field(description="Time of the decision; omitted while it waits.")
    note: str | None = Field(description="Reason of the decision, if it has one.")
    links: list[Link] = Field(
        description="Links to the budget, the order, and the decision and the withdrawal while it waits."
    )

    @classmethod
    def of(cls, proposal: Proposal) -> "ProposalOut":
        """Write a proposal for JSON."""
        decision = proposal.decision
        return cls(
            id=proposal.id,
            kind="terms" if proposal.order_id is None else "charge",
            status=proposal.status,
            budget=proposal.budget_id,
            order=proposal.order_id,
            amount=None if proposal.amount is None else MoneyOut.of(proposal.amount),
            reason=proposal.reason,
            changes=None if proposal.changes is None else _written(proposal.changes),
            by=proposal.key_id,
            at=proposal.at,
            decided_by=None if decision is None else decision.key_id,
            decided_at=None if decision is None else decision.at,
            note=None if decision is None else decision.note,
            links=_links(proposal),
        )


def _written(changes: Any) -> dict[str, Any]:
    return {
        name: MoneyOut.of(value).model_dump() if isinstance(value, Money) else value
        for name, value in changes.items()
    }


def _links(proposal: Proposal) -> list[Link]:
    path = f"/v1/proposals/{proposal.id}"
    links = [
        Link(rel="self", href=path),
        Link(rel="budget", href=f"/v1/budgets/{proposal.budget_id}"),
    ]
    if proposal.order_id is not None:
        links.append(Link(rel="order", href=f"/v1/orders/{proposal.order_id}"))
    if proposal.decision is None:
        links.append(Link(rel="approval", href=f"{path}/approval"))
        links.append(Link(rel="withdrawal", href=f"{path}/withdrawal"))
    return links
