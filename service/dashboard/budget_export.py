"""Every budget, as a file."""

from collections.abc import Sequence
from decimal import Decimal

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.dashboard.exports import csv_parts, every, json_parts, streamed
from service.dashboard.rendering import Kind
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.ledger.repository import Budget, list_budgets
from service.ledger.routes import described
from service.ledger.schemas import BudgetOut
from service.web.paging import Cursor, PageRequest
from service.web.tabular import Columns

router = APIRouter(prefix=PATH, include_in_schema=False)
BUDGET_COLUMNS: Columns = {
    "id": "text", "name": "text", "currency": "text", "limit": "money", "spent": "money", "held": "money",
    "available": "money", "created_at": "time", "tags": "tags", "period": "text", "starts_on": "text",
    "ends_on": "text", "enforcement": "text", "thresholds": "text", "approval_above": "money",
    "version": "integer", "waiting": "integer",
}  # fmt: skip
"""`thresholds` are percentages; `waiting` is the number of changes that wait for another holder."""


@router.get("/budgets.{kind}", name="budgets_file")
def budgets(visitor: VisitorDep, database: DatabaseDep, kind: Kind) -> Response:
    """Send every budget, in CSV with amounts in major units."""

    def read(session: Session, page: PageRequest) -> tuple[Sequence[tuple[Budget, BudgetOut]], Cursor | None]:
        found, following = list_budgets(session, visitor.workspace_id, page)
        return list(zip(found, described(session, found), strict=True)), following

    rows = every(database, read)
    if kind == "csv":
        return streamed("budgets.csv", csv_parts(BUDGET_COLUMNS, (_row(*one) for one in rows)))
    return streamed("budgets.json", json_parts(written for _, written in rows))


def _row(budget: Budget, written: BudgetOut) -> Sequence[object]:
    above = written.approval_above
    amounts = (budget.limit, budget.spent, budget.held, budget.available)
    return (
        str(budget.id), budget.name, budget.currency, *(Decimal(one.amount) for one in amounts),
        budget.created_at, written.tags, written.period.value, written.starts_on, written.ends_on,
        written.enforcement.value, "; ".join(map(str, written.thresholds)),
        None if above is None else Decimal(above.amount), written.version, written.waiting_number,
    )  # fmt: skip
