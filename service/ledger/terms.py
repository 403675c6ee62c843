"""The terms of a budget: when it pays, what happens at its limit, who has to approve. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


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
class Terms:
    """What a budget allows beside its limit; every member's default is that of a new budget."""

    period: Period = Period.NONE
    starts_on: date | None = None  # first and last day on which it pays; none: always
    ends_on: date | None = None
    enforcement: Enforcement = Enforcement.BLOCK
    thresholds: tuple[int, ...] = ()  # percent of the limit
    tags: Mapping[str, str] = field(default_factory=dict)
    approval_above_minor: int | None = None  # dearer orders wait for a second key


def crossed(thresholds: Iterable[int], limit_minor: int, before_minor: int, after_minor: int) -> list[int]:
    """Return which percentages of a limit lie above what was used before and not above what is used now."""
    return [
        percent
        for percent in sorted(thresholds)
        if 100 * before_minor < percent * limit_minor <= 100 * after_minor
    ]
