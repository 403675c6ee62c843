"""Budgets, and what waits for the key of another holder."""

from datetime import date, datetime

from loupe.answers.base import Answer, Json, Link, Money


class Proposal(Answer):
    """A later charge, or a change of a budget's terms, that takes effect when another holder approves it."""

    id: str
    """Id of the proposal."""
    kind: str
    """`charge` for a later charge of an order, `terms` for a change of limit or terms."""
    status: str
    """`waiting` has no effect yet, `approved` took effect, `rejected` and `withdrawn` never take effect."""
    budget: str
    """Id of the budget."""
    order: str | None = None
    """Id of the charged order. None for terms."""
    amount: Money | None = None
    """Amount of the charge. None for terms."""
    reason: str | None = None
    """Reason of the charge. None for terms."""
    changes: Json | None = None
    """New limit and terms by name, None where a term is removed. None for a charge."""
    by: str
    """Id of the key that proposed it."""
    at: datetime
    """Time of the proposal."""
    decided_by: str | None = None
    """Id of the key that decided. None while it waits."""
    decided_at: datetime | None = None
    """Time of the decision. None while it waits."""
    note: str | None = None
    """Reason of the decision, if it has one."""
    links: tuple[Link, ...]
    """Links to the budget, the order, and the decision and the withdrawal while it waits."""


class Budget(Answer):
    """A budget."""

    period: str
    """How often the limit is granted again."""
    starts_on: date | None = None
    """First day (UTC) on which the budget pays. None for no first day."""
    ends_on: date | None = None
    """Last day (UTC) on which the budget pays. None for no last day."""
    enforcement: str
    """Effect on an order beyond the limit: `block` rejects it, `warn` accepts it with a warning, `off`
    accepts it.
    """
    thresholds: tuple[int, ...]
    """Percentages of the limit, ascending."""
    tags: dict[str, str]
    """Your own names and values."""
    approval_above: Money | None = None
    """Amount that a holder can order and charge alone within 24 hours. None for no approval."""
    id: str
    """Id of the budget."""
    name: str
    """Name, unique in the workspace."""
    version: int
    """Number of the terms, 1 for a new budget; also the ETag."""
    limit: Money
    """Most money that orders may hold and spend, per period if there is one."""
    available: Money
    """Money that new orders can hold."""
    waiting: tuple[Proposal, ...]
    """Charges and changes of terms that wait for the key of another holder: the newest 10.

    The link `waiting` leads to all of them.
    """
    waiting_number: int
    """How many of them wait."""
    created_at: datetime
    """Time at which the budget was opened."""
    links: tuple[Link, ...]
    """Links to the budget, its usage, its ledger and what waits."""
