"""The basis of savings: a name for all rows that they are computed from, read without the rows themselves."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Names the conditions of the index `evidence_of_orders`, so that a million plans are not walked through.
BASIS = """
    SELECT
        (SELECT hash FROM ledger.chain WHERE workspace_id = :workspace),
        (SELECT hash FROM ledger.evidence WHERE workspace_id = :workspace AND kind NOT IN ('scene', 'plan')
            ORDER BY seq DESC LIMIT 1),
        (SELECT count(*) FROM public."order" WHERE workspace_id = :workspace
            AND status IN ('held', 'accepted', 'processing') AND expires_at <= now()),
        (SELECT hash FROM ledger.evidence WHERE workspace_id = :workspace ORDER BY seq DESC LIMIT 1)
"""


@dataclass(frozen=True)
class OrdersBasis:
    """Identity of the rows behind the figures of a workspace's orders: equal ones have equal figures.

    A hash of a chain covers all that was written before it. Rows that no chain covers do not change: a plan
    that nobody has ordered adds no figure. Time alone changes an order only when it becomes overdue.
    """

    transfer: bytes | None
    """Hash of the newest movement of money."""
    evidence: bytes | None
    """Hash of the newest evidence that is not of a scene or plan."""
    overdue: int
    """Number of orders that are overdue and not ended yet."""


@dataclass(frozen=True)
class FiguresBasis:
    """The basis of a workspace's orders, and that of its plans too."""

    orders: OrdersBasis
    plans: bytes | None
    """Hash of the newest evidence of any row."""


def read_basis(session: Session, workspace_id: UUID) -> FiguresBasis:
    """Return the basis of a workspace's figures as the session sees it."""
    transfer, evidence, overdue, newest = session.execute(text(BASIS), {"workspace": workspace_id}).one()
    return FiguresBasis(OrdersBasis(transfer, evidence, overdue), newest)
