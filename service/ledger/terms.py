"""The terms of a budget: when it pays, what happens at its limit, who has to approve. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from service.money import Money


class Period(StrEnum):
    """How often a budget's limit is granted anew."""

    NONE = "none"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Enforcement(StrEnum):
    """What happens to an order beyond the limit."""

    OFF = "off"
    """It is let through by an entry of its own kind."""
    WARN = "warn"
    """It is let through, and the answer says so."""
    BLOCK = "block"
    """It is refused."""


@dataclass(frozen=True, kw_only=True)
class BudgetTerms:
    """What a budget allows beside its limit; every member's default is that of a new budget."""

    period: Period = Period.NONE
    starts_on: date | None = None  # first and last day on which it pays; none: always
    ends_on: date | None = None
    enforcement: Enforcement = Enforcement.BLOCK
    thresholds: tuple[int, ...] = ()  # percent of the limit
    tags: Mapping[str, str] = field(default_factory=dict)
    approval_above: Money | None = None  # dearer orders wait for a second key


def crossed(thresholds: Iterable[int], limit: Money, before: Money, after: Money) -> list[int]:
    """Return the percentages of a limit that use reached when it went from `before` to `after`."""
    if not before.currency == after.currency == limit.currency:
        raise ValueError(f"{before} and {after} are not shares of {limit}")
    return [
        percent
        for percent in sorted(thresholds)
        if 100 * before.minor < percent * limit.minor <= 100 * after.minor
    ]
