"""Options of operations, as keyword arguments. Those that are left out or None have the server's defaults."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from loupe.answers.base import Json, Money

Amount = str | Decimal
"""An amount in major units, such as "12.50"; never a float."""
Day = str | date
"""A day (UTC), such as "2026-12-31"."""
Sum = Money | Mapping[str, str]
"""An amount with its currency, such as `Money.of("500.00", "USD")`."""
Tags = Mapping[str, str]

WIRE_NAMES = {"cost_weight": "lambda", "first_day": "from", "last_day": "to", "search": "q"}
"""Names in the API of options whose names Python reserves, or that say too little."""


class Objective(TypedDict, total=False):
    """The objective of a plan, and what it is priced with."""

    objective: str | None
    """One of policy, lambda, max_cost, max_patches, target_accuracy and guarantee. Default: the one whose
    number is given, else policy.
    """
    cost_weight: float | None
    """Utility that each unit of money must bring (`lambda`)."""
    max_cost: Amount | None
    """Most to spend, in the currency of the price list."""
    max_patches: int | None
    """Most patches to buy."""
    target_accuracy: float | None
    """Accuracy to reach in the evaluation of the bundle, 0 to 1."""
    guarantee: str | None
    """Loss and its largest share, such as "labels:0.05" or "objects:0.05"."""
    price_list: str | None
    """Price list, by name or id."""
    task: str | None
    """Purpose of the plan: label, count or find."""


class ReplanOptions(Objective, total=False):
    """Options of a re-plan. Those that are left out are as in the plan that is replaced."""

    reuse: str | None
    """Ground that is owned or on order: `owned` leaves it out, `none` buys it again."""


class PlanOptions(ReplanOptions, total=False):
    """Options of a plan of a scene."""

    bands: str | None
    """Numbers of the red, green and blue band, counted from 1, such as "4,3,2"."""
    radiometry: str | None
    """Meaning of the pixel values, such as "reflectance-1e4" or "range:0-4000"; auto by default."""
    bundle: str | None
    """Bundle to plan with: its name, NAME@VERSION or SHA-256."""
    name: str | None
    """Name for people."""
    external_id: str | None
    """Id in a system of yours."""
    tags: Tags | None
    """Your own names and values. Orders of the plan get them."""


class NextRoundOptions(Objective, total=False):
    """Options of the plan that follows an order. Those that are left out are as in the order's plan."""

    worth_each: Amount | None
    """Most that one object, or one correct label, is worth to you."""


class OrderOptions(TypedDict, total=False):
    """Options of an order."""

    name: str | None
    """Name for people. Default: the plan's."""
    external_id: str | None
    """Id in a system of yours. Default: the plan's."""
    tags: Tags | None
    """Your own names and values, beside those of the plan and the budget."""
    cost_center: str | None
    """Cost centre that the order is booked to."""


class BudgetOptions(TypedDict, total=False):
    """Terms of a budget."""

    period: str | None
    """How often the limit is granted again: none, month, quarter or year."""
    starts_on: Day | None
    """First day (UTC) on which the budget pays."""
    ends_on: Day | None
    """Last day (UTC) on which the budget pays."""
    enforcement: str | None
    """An order beyond the limit: `block` rejects it, `warn` accepts it with a warning, `off` accepts it."""
    thresholds: Sequence[int] | None
    """Percentages of the limit. The order that reaches one gets a warning."""
    tags: Mapping[str, str | None] | None
    """Your own names and values."""
    approval_above: Sum | None
    """Amount that a holder can order and charge alone within 24 hours."""


class BudgetChanges(BudgetOptions, total=False):
    """Changes of a budget. What is left out stays, and None removes a term."""

    limit: Sum
    """New limit. It must not be below what the budget holds and has spent."""


class DeliveryOptions(TypedDict, total=False):
    """Options of a delivered file."""

    bands: str | None
    """Numbers of the red, green and blue band, counted from 1."""
    radiometry: str | None
    """Meaning of the pixel values."""
    price: Amount | None
    """Price of each patch, if it differs from the order's."""
    accept_unlike: bool | None
    """Whether to take patches that do not look like the scene."""
    accept_late: bool | None
    """Whether to hold the cost again if the order has expired, and take the patches."""


class PatchDeliveryOptions(DeliveryOptions, total=False):
    """Options of a file for one patch."""

    accept_price: bool | None
    """Whether to hold more money if `price` exceeds what the order holds."""


class NameFilters(TypedDict, total=False):
    """Filters of plans and orders by their names and days."""

    sort: str | None
    """`-created_at`: newest first, the default; `created_at`: oldest first."""
    name: str | None
    external_id: str | None
    tag: str | None
    """A tag as NAME=VALUE."""
    search: str | None
    """Text in an id, a name or a tag."""
    first_day: Day | None
    last_day: Day | None


class PlanFilters(NameFilters, total=False):
    """Filters of plans."""

    task: str | None
    price_list: str | None
    provider: str | None
    bundle: str | None
    scene: str | None
    """SHA-256 of the scene's file, in hex."""
    follows: str | None
    """Id of the order that plans follow."""
    superseded: bool | None


class OrderFilters(NameFilters, total=False):
    """Filters of orders."""

    status: str | Sequence[str] | None
    budget: str | None
    plan: str | None
    provider: str | None
    cost_center: str | None


class ReportFilters(TypedDict, total=False):
    """Filters of savings, by the day of placing, and of charges, by their day."""

    first_day: Day | None
    last_day: Day | None
    budget: str | None
    """Id of the budget."""
    provider: str | None
    cost_center: str | None
    tag: str | None
    """A tag as NAME=VALUE."""


class ReportOptions(ReportFilters, total=False):
    """Filters of a report, and the groups that it is divided into."""

    group_by: str | None
    """One of budget, provider, price_list, cost_center, key, and tag:NAME."""
    step: str | None
    """One of day, week and month."""


def to_wire(options: Mapping[str, object]) -> Json:
    """Return options as the API names and writes them, without those that are None."""
    return {
        WIRE_NAMES.get(name, name): written(value) for name, value in options.items() if value is not None
    }


def written(value: object) -> object:
    """Return a value as JSON and queries write it: amounts and days as text."""
    if isinstance(value, Money):
        return {"amount": str(value.amount), "currency": value.currency}
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
