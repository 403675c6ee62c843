"""Use of a budget over time: days left, pace, and how urgent it is. Pure; days are UTC."""

from dataclasses import dataclass
from datetime import date, timedelta

from service.ledger.repository import Budget
from service.ledger.terms import Period

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}
FAR = timedelta(days=3_650)
"""Time beyond which a budget is not forecast to be used up."""


@dataclass(frozen=True, kw_only=True)
class BudgetUse:
    """A budget as its page shows it."""

    budget: Budget
    ends_on: date | None
    """Last day on which it pays, or of its period; None without either."""
    days_left: int | None
    """Days until then, today included; 0 when it has ended."""
    used_up_on: date | None
    """Day on which it is used up at its present pace; None if it is not, before its end or at all."""
    reached: tuple[int, ...]
    """Thresholds that are reached, ascending."""

    @property
    def urgency(self) -> tuple[bool, bool, float]:
        """Order of the list: budgets that run out first, then those beyond a threshold, then the fullest."""
        return (self.used_up_on is None, not self.reached, -self.budget.used_percent)


def use_of(budget: Budget, today: date) -> BudgetUse:
    """Return the use of a budget on a day."""
    ends_on = _end_of(budget)
    left = None if ends_on is None else max(0, (ends_on - today).days + 1)
    used_up = _used_up_on(budget, today)
    return BudgetUse(
        budget=budget,
        ends_on=ends_on,
        days_left=left,
        used_up_on=None if used_up is None or (ends_on is not None and used_up > ends_on) else used_up,
        reached=tuple(percent for percent in budget.terms.thresholds if budget.reaches(percent)),
    )


def _end_of(budget: Budget) -> date | None:
    """Return the last day of the budget's period or of its time, whichever comes first."""
    months = MONTHS.get(budget.terms.period)
    ends = [] if budget.terms.ends_on is None else [budget.terms.ends_on]
    if months is not None:
        first = budget.period_starts_on.replace(day=1)
        start = first.replace(month=first.month - (first.month - 1) % months)
        count = start.year * 12 + start.month - 1 + months
        ends.append(date(count // 12, count % 12 + 1, 1) - timedelta(days=1))
    return min(ends, default=None)


def _used_up_on(budget: Budget, today: date) -> date | None:
    """Return the day on which the limit is used at the average pace since the period began."""
    if budget.used.minor <= 0 or not budget.limit:
        return None
    if budget.available.minor <= 0:
        return today
    days = max(1, (today - budget.period_starts_on).days + 1)
    more = timedelta(days=min(FAR.days, -(-budget.available.minor * days // budget.used.minor)))
    return None if more >= FAR else today + more
