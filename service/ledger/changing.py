"""What a client asks for read as terms of a budget: new ones, and changes of those in force."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.errors import InvalidInputError
from service.ledger.repository import Budget
from service.ledger.schemas import BudgetChange, BudgetIn, TermsIn
from service.ledger.terms import BudgetTerms
from service.money import Money
from service.web.money import MoneyIn

FRESH = BudgetTerms()
PLAIN = ("period", "starts_on", "ends_on", "enforcement", "thresholds")
"""Members that a change replaces whole; null makes them what they are of a new budget."""


class BudgetTermsError(InvalidInputError):
    """The terms contradict each other, or the budget."""

    code = "budget-terms"
    title = "These terms cannot be kept"


def new_terms(wanted: BudgetIn) -> BudgetTerms:
    """Return the terms of a budget to be opened. BudgetTermsError (422) when they contradict each other."""
    return _changed(FRESH, wanted, wanted.limit.currency)


def changed_terms(budget: Budget, wanted: BudgetChange) -> tuple[Money, BudgetTerms]:
    """Return limit and terms that a merge patch makes of those in force. BudgetTermsError (422)."""
    limit = budget.limit
    if "limit" in wanted.model_fields_set:
        if wanted.limit is None:
            raise BudgetTermsError("A budget has a limit; set it to 0.00 to spend nothing.")
        limit = _amount(wanted.limit, budget.currency)
    return limit, _changed(budget.terms, wanted, budget.currency)


def _changed(terms: BudgetTerms, wanted: TermsIn, currency: str) -> BudgetTerms:
    given = {name: getattr(wanted, name) for name in PLAIN if name in wanted.model_fields_set}
    changes: dict[str, Any] = {
        name: getattr(FRESH, name) if value is None else value for name, value in given.items()
    }
    if "thresholds" in changes:
        changes["thresholds"] = tuple(sorted(set(changes["thresholds"])))
    if "tags" in wanted.model_fields_set:
        changes["tags"] = {} if wanted.tags is None else _merged(terms.tags, wanted.tags)
    if "approval_above" in wanted.model_fields_set:
        above = wanted.approval_above
        changes["approval_above"] = None if above is None else _amount(above, currency)
    return _checked(replace(terms, **changes))


def _merged(tags: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Tags one by one: a null takes one away (RFC 7396)."""
    return {name: value for name, value in {**tags, **changes}.items() if value is not None}


def _amount(money: MoneyIn, currency: str) -> Money:
    if money.currency != currency:
        raise BudgetTermsError(
            f"The budget is in {currency}, this amount in {money.currency}.", currency=currency
        )
    return money.money()


def _checked(terms: BudgetTerms) -> BudgetTerms:
    if terms.starts_on is not None and terms.ends_on is not None and terms.ends_on < terms.starts_on:
        raise BudgetTermsError(
            f"It would end on {terms.ends_on}, before it starts on {terms.starts_on}.",
            starts_on=terms.starts_on.isoformat(),
            ends_on=terms.ends_on.isoformat(),
        )
    return terms
