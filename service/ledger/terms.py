"""Terms of a budget: when it pays, what happens at its limit, which orders need approval. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from service.errors import InvalidInputError
from service.money import Money


class Period(StrEnum):
    """How often a budget's limit is granted again."""

    NONE = "none"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Enforcement(StrEnum):
    """The fate of an order beyond the limit."""

    OFF = "off"
    """Accepted; a ledger entry `extend` covers the amount beyond the limit."""
    WARN = "warn"
    """Accepted as with `off`, and the answer has a warning."""
    BLOCK = "block"
    """Rejected."""


@dataclass(frozen=True, kw_only=True)
class BudgetTerms:
    """Everything that a budget says beside its limit; the defaults are those of a new budget."""

    period: Period = Period.NONE
    starts_on: date | None = None  # first day (UTC) on which it pays; None: no first day
    ends_on: date | None = None  # last day (UTC) on which it pays; None: no last day
    enforcement: Enforcement = Enforcement.BLOCK
    thresholds: tuple[int, ...] = ()  # percent of the limit
    tags: Mapping[str, str] = field(default_factory=dict)
    approval_above: Money | None = None  # a dearer order waits for a second key


FRESH = BudgetTerms()
"""The terms of a new budget."""


class BudgetTermsError(InvalidInputError):
    """Terms that contradict each other or the budget."""

    code = "budget-terms"
    title = "These terms contradict each other"


def changed_terms(terms: BudgetTerms, changes: Mapping[str, Any]) -> BudgetTerms:
    """Return terms with some members replaced; None restores the default of a new budget.

    `tags` are merged tag by tag, and a tag whose value is None is removed (RFC 7396). BudgetTermsError when
    the terms end before they start.
    """
    given = {name: getattr(FRESH, name) if value is None else value for name, value in changes.items()}
    if "thresholds" in given:
        given["thresholds"] = tuple(sorted(set(given["thresholds"])))
    if changes.get("tags") is not None:
        merged = {**terms.tags, **changes["tags"]}
        given["tags"] = {name: value for name, value in merged.items() if value is not None}
    changed = replace(terms, **given)
    if changed.starts_on is not None and changed.ends_on is not None and changed.ends_on < changed.starts_on:
        raise BudgetTermsError(
            f"The budget would end on {changed.ends_on}, before it starts on {changed.starts_on}.",
            starts_on=changed.starts_on.isoformat(),
            ends_on=changed.ends_on.isoformat(),
        )
    return changed


def crossed(thresholds: Iterable[int], limit: Money, before: Money, after: Money) -> list[int]:
    """Return the percentages of a limit that use reached when it went from `before` to `after`.

    ValueError when the amounts are in several currencies.
    """
    if not before.currency == after.currency == limit.currency:
        raise ValueError(f"{before} and {after} are not shares of {limit}")
    return [
        percent
        for percent in sorted(thresholds)
        if 100 * before.minor < percent * limit.minor <= 100 * after.minor
    ]
