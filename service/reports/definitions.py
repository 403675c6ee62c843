"""The words of the savings report: what each figure is, and what it is measured against."""

from typing import Literal

DEFINITION = (
    "Realised saving = for each ground and product once, the bill for everything, minus all that was paid "
    "for it, without patches refunded as unusable"
)
"""Definition of the leading figure, without the share that invoices confirm."""


def define_realised(confirmed_percent: float | None) -> str:
    """Write the definition of the realised saving with the percentage of payments that invoices confirm."""
    return f"{DEFINITION}; confirmed by invoices to {confirmed_percent or 0:g} %."


Outside = Literal[
    "example-prices", "awaits-approval", "nothing-delivered", "not-complete", "returned", "ended-early"
]
"""Reason why an order's ground is not part of the realised saving."""

SavingKind = Literal["realised", "ordered", "held", "billable", "list", "reused", "example"]

ONCE = "each ground counted once per price list"
BASELINES: dict[SavingKind, str] = {
    "realised": f"the provider's bill for every patch of the completed orders' scenes, {ONCE}, without "
    "patches refunded as unusable",
    "ordered": f"the provider's bill for every patch of the ordered scenes, {ONCE}",
    "held": "the provider's bill for every patch of the scenes that await approval and are not yet ordered",
    "billable": f"the provider's bill for every patch of the ordered scenes, {ONCE}",
    "list": f"the area of every patch of the ordered scenes at the list price, minimums ignored, {ONCE}",
    "reused": "the provider's bill for the same plans if no patch were owned or on order",
    "example": "as for the realised saving, at prices that are examples and not offers",
}
"""Baseline of each saving, as a noun phrase."""

MEANINGS: dict[SavingKind, str] = {
    "realised": "baseline minus everything paid on the completed orders' ground and on orders that were "
    "cancelled, rejected or expired, refunds and later charges included, and minus what they saved by "
    "reusing ground of other price lists; without orders on example price lists",
    "ordered": "baseline minus the planned cost of accepted, processing and completed orders, minus what "
    "they save by reusing ground of other price lists, and minus what was paid on orders that were "
    "cancelled, rejected or expired",
    "held": "baseline minus the planned cost of the orders that await approval; part of no other figure",
    "billable": "the ordered saving on the provider's bill, minimums included",
    "list": "the ordered saving at list prices, minimums ignored",
    "reused": "planned cost that ordered plans avoid because their ground was owned or on order when "
    "they were made, without patches that never came, the largest of each ground counted once; not added to "
    "the other figures",
    "example": "the realised saving of orders on example price lists; part of no other figure",
}
"""Formula of each saving, as a noun phrase."""
