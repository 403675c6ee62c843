"""Budgets on the dashboard, the most urgent first."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.access.tables import ApiKey
from service.dashboard.budget_use import use_of
from service.dashboard.forms import FormDep
from service.dashboard.frame import show
from service.dashboard.order_rows import WorkspaceNames, proposal_row, time_now
from service.dashboard.overview import budget_bar
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.database.engine import Database, DatabaseDep
from service.errors import LoupeError
from service.ledger.proposal_routes import withdraw_proposal
from service.ledger.proposals import waiting_proposals
from service.ledger.repository import list_budgets
from service.web.money import MoneyOut
from service.web.paging import PageRequest

router = APIRouter(prefix=f"{PATH}/budgets", include_in_schema=False)
MOST = 1_000
"""Most budgets on the page."""


@router.get("", name="budgets_page")
def show_budgets(request: Request, visitor: VisitorDep, database: DatabaseDep) -> Response:
    """Show how much of each budget is held and spent, how long it lasts, its terms and what waits for it."""
    return budgets_page(request, visitor, database)


@router.post("/proposals/{proposal_id}/withdrawal", name="withdraw_on_page")
def withdraw_on_page(form: FormDep, proposal_id: UUID) -> Response:
    """Take back a later charge or a change of terms that the visitor proposed."""

    def do() -> str:
        def store(session: Session) -> str:
            withdraw_proposal(proposal_id, form.visitor, session)
            return "The proposal is withdrawn, and it changes nothing."

        return form.store_once(store=store)

    def refuse(error: LoupeError) -> Response:
        return budgets_page(form.request, form.visitor, form.database, problem=error)

    return form.attempt("withdraw_proposal", do, then=f"{PATH}/budgets", refuse=refuse)


def budgets_page(
    request: Request, visitor: Visitor, database: Database, problem: LoupeError | None = None
) -> Response:
    """Render the page of budgets, with the refusal of a form if there is one."""
    with database.sessions() as session:
        budgets, following = list_budgets(session, visitor.workspace_id, PageRequest(MOST, None))
        today, names = time_now(session).date(), WorkspaceNames.of(session, visitor.workspace_id)
        waiting = waiting_proposals(session, visitor.workspace_id, [budget.id for budget in budgets])
        mine = set(session.scalars(select(ApiKey.id).where(ApiKey.holder == visitor.holder)))
    uses = sorted((use_of(budget, today) for budget in budgets), key=lambda use: use.urgency)
    rows = [
        {
            "use": use,
            "bar": budget_bar(use.budget),
            # An amount of 0 is false, and yet every order above it waits.
            "approval_above": None if above is None else MoneyOut.of(above),
            "waiting": [
                (proposal_row(one, names), one.key_id in mine) for one in waiting[use.budget.id].newest
            ],
            "waiting_number": waiting[use.budget.id].number,
        }
        for use in uses
        for above in (use.budget.terms.approval_above,)
    ]
    more = following is not None
    status, refusal = (200, None) if problem is None else (problem.status, problem.problem())
    return show(request, visitor, "budgets.html", status=status, problem=refusal, rows=rows, more=more)
