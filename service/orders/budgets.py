"""Which budget pays for an order, and what it says of it."""

from uuid import UUID

from sqlalchemy.orm import Session

from service.errors import ConflictError, InvalidInputError
from service.ledger.repository import Budget, get_budget, list_budgets
from service.ledger.terms import Enforcement, crossed
from service.money import Money
from service.orders.schemas import OrderWarning
from service.web.paging import PageRequest

MOST_BUDGETS = 1_000
"""How many are looked through for the only one of a currency."""


class NoBudgetError(ConflictError):
    """No budget of the workspace has the plan's currency."""

    code = "no-budget"
    title = "There is no budget to pay from"


class BudgetAmbiguousError(InvalidInputError):
    """Several budgets could pay, and the client named none."""

    code = "budget-ambiguous"
    title = "Which budget pays?"


class BudgetCurrencyError(InvalidInputError):
    """The budget has another currency than the plan; money is never converted."""

    code = "budget-currency"
    title = "The budget has another currency"


def choose_budget(session: Session, workspace_id: UUID, wanted: UUID | None, currency: str) -> UUID:
    """Return the wanted budget, or the workspace's only one of `currency`.

    Errors: not-found, budget-currency, no-budget, budget-ambiguous.
    """
    if wanted is None:
        return _only_budget(session, workspace_id, currency)
    budget = get_budget(session, workspace_id, wanted)
    if budget.currency != currency:
        raise BudgetCurrencyError(
            f"The plan is in {currency}, this budget in {budget.currency}.",
            budget=str(wanted),
            currency=currency,
        )
    return wanted


def _only_budget(session: Session, workspace_id: UUID, currency: str) -> UUID:
    everything, _ = list_budgets(session, workspace_id, PageRequest(MOST_BUDGETS, None))
    fitting: list[Budget] = [budget for budget in everything if budget.currency == currency]
    if not fitting:
        raise NoBudgetError(
            f"No budget of this workspace is in {currency}; open one with POST /v1/budgets.",
            currency=currency,
        )
    if len(fitting) > 1:
        raise BudgetAmbiguousError(
            f"{len(fitting)} budgets are in {currency}: name one as `budget`.",
            budgets=[{"id": str(budget.id), "name": budget.name} for budget in fitting[:10]],
        )
    return fitting[0].id


def needs_approval(budget: Budget, amount: Money) -> bool:
    """Whether an order of this amount waits for a second key."""
    above = budget.terms.approval_above
    return above is not None and amount > above


def warnings_of(budget: Budget, held: Money) -> list[OrderWarning]:
    """Say what holding `held` brought the budget to; `budget` is as it stands after that."""
    before = budget.used - held
    said = [
        OrderWarning(code="threshold-reached", detail=f"{percent} % of the budget {budget.name!r} is in use.")
        for percent in crossed(budget.terms.thresholds, budget.limit, before, budget.used)
    ]
    beyond = min(held, budget.beyond)
    if beyond and budget.terms.enforcement == Enforcement.WARN:
        detail = f"{beyond} of this goes beyond the limit of {budget.limit} of the budget {budget.name!r}."
        said.append(OrderWarning(code="limit-exceeded", detail=detail))
    return said
