"""One order's part in the savings: its plan's frozen figures, its ground and its payments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from service.money import Money
from service.reports.ground import Ground
from service.truth.scoring import LabelScore

OrderStanding = Literal["held", "open", "completed", "ended"]

Product = tuple[str, str, bool]
"""Name of a price list, currency, and whether it is a shipped example."""

STANDINGS: dict[str, OrderStanding] = {
    "held": "held", "accepted": "open", "processing": "open", "completed": "completed",
    "user_cancelled": "ended", "rejected": "ended", "expired": "ended",
}  # fmt: skip
"""Meaning of each status of an order for savings."""
NO_BUDGET = UUID(int=0)


@dataclass(frozen=True, kw_only=True)
class ReusedFrom:
    """Patches of another order that a plan reuses: owned or on order when the plan was made."""

    order_id: UUID
    owned: int
    on_order: int


@dataclass(frozen=True, kw_only=True)
class OrderFigures:
    """One order with its plan's frozen figures, its ground and its payments."""

    order_id: UUID
    plan_id: UUID
    created_at: datetime
    status: str
    price_list: str  # name: the versions of a list are one product
    example: bool  # whether the list is a shipped example, whose prices are no offers
    ground: Ground
    patches_bought: int
    delivered: int  # of `patches_bought`
    baseline: Money  # bill for every patch of the scene
    cost: Money  # the plan's cost
    list_baseline: Money  # as `baseline` and `cost`, minimums ignored
    list_cost: Money
    reused: Money  # saved by reuse when the plan was made
    list_reused: Money  # the same, minimums ignored
    reuses: tuple[ReusedFrom, ...] = ()
    settled: Money
    refunded: Money
    charged: Money
    returned_patches: int  # delivered patches whose whole payment came back: refunded as unusable
    returned: Money  # the payments of these
    returned_for_good: Money  # without patches that another order of the same ground delivered
    confirmed: bool  # whether its invoices and credit notes equal what was paid and refunded
    invoices: tuple[str, ...] = ()  # numbers
    credit_notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # of its refunds and later charges
    tags: Mapping[str, str] = field(default_factory=dict)  # its own and its budget's
    cost_center: str | None = None
    provider: str = ""
    budget: str = ""  # name
    budget_id: UUID = NO_BUDGET
    scene: str = ""  # SHA-256 of its file, in hex
    key: str | None = None  # name of the key that placed it; None for orders of old releases
    score: LabelScore | None = None  # of its newest labels, where true ones are known

    @property
    def currency(self) -> str:
        """ISO 4217 code of all its amounts."""
        return self.cost.currency

    @property
    def standing(self) -> OrderStanding:
        """Meaning of the status for savings."""
        return STANDINGS[self.status]

    @property
    def product(self) -> Product:
        """Identity of the product: its orders share their ground."""
        return self.price_list, self.currency, self.example

    @property
    def is_returned(self) -> bool:
        """Whether every patch that came was refunded as unusable."""
        return 0 < self.delivered == self.returned_patches

    @property
    def net(self) -> Money:
        """Final cost: settled, minus refunds, plus later charges."""
        return self.settled - self.refunded + self.charged

    @property
    def gross(self) -> Money:
        """Payments and later charges, before refunds."""
        return self.settled + self.charged

    @property
    def planned_saving(self) -> Money:
        """The plan's own billable saving, which counts its scene whatever else is ordered.

        What reuse saved is no part of it.
        """
        return self.baseline - self.cost - self.reused
