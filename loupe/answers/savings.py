"""Savings of orders."""

from datetime import date

from loupe.answers.base import Answer, Link, Money, Part


class ReportedSaving(Money):
    """One saving with its baseline and its formula."""

    baseline: str
    """Cost that the saving is measured against."""
    meaning: str
    """Formula of the saving."""


class ReportedSavings(Part):
    """The savings of one order, or of all orders of one currency. No ground counts twice in any of them."""

    realised: ReportedSaving | None = None
    """Saving after payment. None while no order is complete and nothing was paid in vain."""
    ordered: ReportedSaving
    """Saving of accepted, processing and completed orders, at the cost that was planned."""
    held: ReportedSaving
    """Saving that approval of the held orders would add."""
    billable: ReportedSaving
    """The ordered saving on the provider's bill."""
    list: ReportedSaving
    """The ordered saving at list prices, minimums ignored."""
    reused: ReportedSaving
    """Cost that plans avoided because ground was owned or on order. Not added to the other figures."""
    example: ReportedSaving | None = None
    """Realised saving on example price lists, whose prices are no offers.

    Not part of the other realised saving. None without such orders.
    """


class ProvenLabels(Part):
    """Labels that are right where the true label is known. Not the accuracy that the bundle measured."""

    tiles: int
    """Number of labelled tiles whose true label is known."""
    right: int
    """Number of them with the right label."""
    share: float | None = None
    """Share of right labels. None without such a tile."""
    interval: tuple[float, float] | None = None
    """Wilson's 95 % interval of the share.

    It holds for the other tiles as well only if the known tiles were chosen at random.
    """
    lr_right: int
    """Number of them with the right label from low resolution only."""
    lr_share: float | None = None
    """Share of these."""
    lr_interval: tuple[float, float] | None = None
    """Wilson's 95 % interval of that share."""
    paid: Money
    """Amount paid on the orders of these tiles, as `net`."""
    right_per_unit: float | None = None
    """Right labels for each unit of the currency paid, such as each dollar. None if nothing was paid."""


class CurrencySavings(Part):
    """Sums over the orders of one currency."""

    baseline: Money
    """Baseline that counts for the ordered saving."""
    cost: Money
    """Cost that counts for the ordered saving: planned cost of accepted, processing and completed orders, and
    what was paid on cancelled, rejected and expired ones.
    """
    held_baseline: Money
    """Baseline that counts for the held saving."""
    held_cost: Money
    """Planned cost of orders that await approval."""
    realised_baseline: Money
    """Baseline that counts for the realised saving."""
    realised_cost: Money
    """Payments that count for the realised saving."""
    currency: str
    """ISO 4217 code."""
    savings: ReportedSavings
    """The savings; `realised` is what was really saved."""
    orders: int
    """Number of orders: completed + open + held + cancelled."""
    completed: int
    """Number of completed orders."""
    open: int
    """Number of accepted and processing orders."""
    held: int
    """Number of orders that await approval."""
    cancelled: int
    """Number of cancelled, rejected and expired orders."""
    settled: Money
    """Amount settled, minus refunds, plus later charges, with cancelled orders."""
    settled_on_cancelled: Money
    """Part of `settled` that cancelled orders cost."""
    returned_patches: int
    """Number of patches refunded as unusable."""
    returned: Money
    """Payments that came back for them. They are part of neither baseline nor cost of the realised saving."""
    confirmed: Money
    """Payments and later charges of the orders whose invoices and credit notes agree with the ledger, without
    example prices.
    """
    confirmed_percent: float | None = None
    """The same as a percentage of all payments and later charges; None before the first."""
    definition: str
    """Definition of the realised saving, with that percentage."""
    proven_labels: ProvenLabels | None = None
    """Labels that are right in tiles whose true label is known, over all orders without example prices.

    None while none is known.
    """


class SavingsGroup(Part):
    """The savings of the orders of one group, by the day of placing."""

    first_day: date | None = None
    """First day (UTC) of the step. None without `step`."""
    last_day: date | None = None
    """Last day (UTC) of the step, included. None without `step`."""
    group: str | None = None
    """Name of the group. None without `group_by`, and for orders without such a label."""
    currency: str
    """ISO 4217 code."""
    baseline: Money
    """Baseline that counts for the ordered saving."""
    cost: Money
    """Cost that counts for the ordered saving: planned cost of accepted, processing and completed orders, and
    what was paid on cancelled, rejected and expired ones.
    """
    held_baseline: Money
    """Baseline that counts for the held saving."""
    held_cost: Money
    """Planned cost of orders that await approval."""
    realised_baseline: Money
    """Baseline that counts for the realised saving."""
    realised_cost: Money
    """Payments that count for the realised saving."""
    orders: int
    """Number of orders."""
    realised_saving: Money | None = None
    """Realised saving. None while no order has one."""
    example_saving: Money | None = None
    """Realised saving on example price lists."""
    ordered_saving: Money
    """Ordered saving on the provider's bill."""
    held_saving: Money
    """Saving of the orders that await approval."""
    list_saving: Money
    """Ordered saving at list prices."""
    reused_saving: Money
    """Cost that plans avoided by reusing ground."""
    settled: Money
    """Amount settled, minus refunds, plus later charges."""


class Savings(Answer):
    """Savings per currency, and divided into groups that add up to them."""

    definition: str
    """Definition of the realised saving, which leads."""
    currencies: tuple[CurrencySavings, ...]
    """Sums per currency, in alphabetical order."""
    links: tuple[Link, ...]
    """The report in other forms, its orders, and the ledger."""
    groups: tuple[SavingsGroup, ...] | None = None
    """The same sums by group and step, oldest first. None without `group_by` and `step`."""
