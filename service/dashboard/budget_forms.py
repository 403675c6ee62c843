"""Opening a budget, and changing its limit and terms, on the dashboard."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from sqlalchemy.orm import Session

from service.currencies import USABLE
from service.dashboard.budget_entries import TITLES, BudgetEntries, faults_of
from service.dashboard.forms import FormDep, Onward, SentForm
from service.dashboard.frame import show
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import DatabaseDep
from service.errors import LoupeError
from service.ledger.history import NEWEST_VERSION, list_terms
from service.ledger.repository import Budget, get_budget, list_budgets
from service.ledger.routes import BudgetChangedError, change_budget, open_budget
from service.ledger.terms import Enforcement, Period, changed_terms
from service.money import Money
from service.web.paging import PageRequest

router = APIRouter(prefix=f"{PATH}/budgets", include_in_schema=False)
MOST = 1_000
"""Most budgets that are looked at for one that needs a second key."""
PERIODS = {
    Period.NONE: "Once",
    Period.MONTH: "Each month",
    Period.QUARTER: "Each quarter",
    Period.YEAR: "Each year",
}
FATES = {
    Enforcement.BLOCK: "Are refused",
    Enforcement.WARN: "Are taken with a warning",
    Enforcement.OFF: "Are taken",
}
EntriesDep = Annotated[BudgetEntries, Depends()]
VersionField = Annotated[int, Form(ge=1, lt=NEWEST_VERSION)]


@router.get("/new", name="show_new_budget")
def new_budget(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    currency: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """Show the form of a new budget, in a currency that a page asks for or that of the newest budget."""
    with database.sessions() as session:
        budgets, _ = list_budgets(session, visitor.workspace_id, PageRequest(MOST, None))
    usual = budgets[0].currency if budgets else "USD"
    above = "0" if _needs_second_key(budgets) else ""
    entries = BudgetEntries(currency=currency if currency in USABLE else usual, approval_above=above)
    return _new_page(request, visitor, entries, needs_second_key=bool(above))


@router.post("/new", name="open_on_page")
def open_on_page(form: FormDep, entries: EntriesDep) -> Response:
    """Open a budget, as `POST /v1/budgets` does, and show it."""

    def do() -> Onward:
        answer = open_budget(entries.opening(), form.visitor, form.database, form.key)
        made = json.loads(bytes(answer.body))
        again = "" if made["period"] == "none" else f" each {made['period']}"
        limit = in_text(Money.parse(**made["limit"]))
        return Onward(
            f"{PATH}/budgets/{made['id']}", f"The budget is open. Orders can hold and spend {limit}{again}."
        )

    def refuse(error: LoupeError) -> Response:
        with form.database.sessions() as session:
            budgets, _ = list_budgets(session, form.visitor.workspace_id, PageRequest(MOST, None))
        needed = _needs_second_key(budgets)
        return _new_page(form.request, form.visitor, entries, needs_second_key=needed, error=error)

    return form.attempt("open_budget", do, then=f"{PATH}/budgets", refuse=refuse)


@router.get("/{budget_id}/terms", name="show_terms_form")
def show_terms(request: Request, visitor: VisitorDep, database: DatabaseDep, budget_id: UUID) -> Response:
    """Show the form that changes limit and terms of a budget, filled in with those in force."""
    with database.sessions() as session:
        budget = get_budget(session, visitor.workspace_id, budget_id)
    return _terms_page(request, visitor, budget, BudgetEntries.of(budget.limit, budget.terms))


@router.post("/{budget_id}/terms", name="change_on_page")
def change_on_page(form: FormDep, entries: EntriesDep, budget_id: UUID, version: VersionField) -> Response:
    """Change limit and terms of the version that the form showed, as `PATCH /v1/budgets/{budget_id}` does."""
    with form.database.sessions() as session:
        budget = get_budget(session, form.visitor.workspace_id, budget_id)
    entries = BudgetEntries(**vars(entries) | {"name": "", "currency": budget.currency})

    def do() -> str:
        def store(session: Session) -> str:
            return _change(session, form.visitor, budget, entries, version)

        return form.store_once(str(version), repr(entries), store=store)

    def refuse(error: LoupeError) -> Response:
        return _refused_terms(form, budget_id, entries, version, error)

    return form.attempt("change_budget", do, then=f"{PATH}/budgets/{budget_id}", refuse=refuse)


def _change(session: Session, visitor: Visitor, budget: Budget, entries: BudgetEntries, version: int) -> str:
    """Change a budget that has a version, and say what came of it."""
    answer = Response()
    change = entries.change(budget.terms.tags)
    wanted = change.new_limit(budget.limit), changed_terms(budget.terms, change.changes(budget.currency))
    changed = change_budget(budget.id, change, visitor, session, answer, f'"{version}"')
    if answer.status_code == 202:
        return "The change gives more freedom, so it waits until another holder approves it."
    if wanted == (budget.limit, budget.terms):
        return "Limit and terms are as they were: the form changed nothing."
    return f"Limit and terms are changed: version {changed.version} is in force."


def _refused_terms(
    form: SentForm, budget_id: UUID, entries: BudgetEntries, version: int, error: LoupeError
) -> Response:
    """Show the form again; after a change by somebody else, with their changes beside those of the form."""
    with form.database.sessions() as session:
        budget = get_budget(session, form.visitor.workspace_id, budget_id)
        shown = list_terms(session, form.visitor.workspace_id, budget_id, limit=1, before=version + 1)
    if isinstance(error, BudgetChangedError) and shown:
        now, base = (BudgetEntries.of(one.limit, one.terms) for one in (budget, shown[0]))
        entries = entries.on_top_of(now, base)
    return _terms_page(form.request, form.visitor, budget, entries, error)


def _needs_second_key(budgets: list[Budget]) -> bool:
    """Return whether a new budget opens with the approval of another holder for every order."""
    return any(one.terms.approval_above is not None for one in budgets)


def _new_page(
    request: Request,
    visitor: Visitor,
    entries: BudgetEntries,
    *,
    needs_second_key: bool,
    error: LoupeError | None = None,
) -> Response:
    more = {
        "needs_second_key": needs_second_key,
        "currencies": [(one, one) for one in USABLE],
        "budget": None,
    }
    return _page(request, visitor, entries, "open_budget", error, more)


def _terms_page(
    request: Request,
    visitor: Visitor,
    budget: Budget,
    entries: BudgetEntries,
    error: LoupeError | None = None,
) -> Response:
    return _page(request, visitor, entries, "change_budget", error, {"budget": budget})


def _page(
    request: Request,
    visitor: Visitor,
    entries: BudgetEntries,
    operation: str,
    error: LoupeError | None,
    more: dict[str, Any],
) -> Response:
    """Return a form with its entries, and with a refusal at the fields that it is about."""
    return show(
        request,
        visitor,
        "budget_form.html",
        status=200 if error is None else error.status,
        problem=None if error is None else error.problem(),
        entries=entries,
        faults=faults_of(error),
        titles=TITLES,
        periods={one.value: words for one, words in PERIODS.items()},
        fates={one.value: words for one, words in FATES.items()},
        operation=operation,
        **more,
    )
