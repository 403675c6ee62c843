"""The ledger on the dashboard: movements with running balances, or added up by order. Reads only."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.dashboard.frame import show
from service.dashboard.ledger_chain import broken_at, read_chain
from service.dashboard.ledger_filter import LedgerFilter, read_ledger_filter
from service.dashboard.ledger_orders import page_of_sums
from service.dashboard.order_rows import WorkspaceNames
from service.dashboard.session import PATH, VisitorDep
from service.dashboard.words import MOVEMENTS
from service.database.engine import DatabaseDep
from service.errors import InvalidInputError
from service.ledger.filters import LineFilter
from service.ledger.routes import seq_of
from service.ledger.running import BalancesAfter, balances_after
from service.ledger.transfers import LedgerLine, list_lines
from service.pricing.tables import PriceList
from service.settings import SettingsDep
from service.web.money import MoneyOut
from service.web.paging import Cursor, CursorDep, PageRequest, encode_cursor, next_page

router = APIRouter(prefix=f"{PATH}/ledger", include_in_schema=False)
ROWS = 50
"""Rows of a page."""
Listing = Literal["movements", "orders"]
CAUSES: dict[str, str] = {
    "budget": "budget opened",
    "limit": "limit changed",
    "period": "new period",
    "order": "order",
    "delivery": "delivery",
    "bill": "bill of the order",
    "late": "late patches",
    "price": "accepted price",
    "beyond": "beyond the limit",
}
"""Names of references for people, by how a reference begins; other references stay as they are."""


@dataclass(frozen=True, kw_only=True)
class MovementRow:
    """A movement in the list, with the balances of its budget after it."""

    line: LedgerLine
    amount: MoneyOut
    available: MoneyOut
    held: MoneyOut
    spent: MoneyOut

    @property
    def cause(self) -> str:
        """Cause of the movement, such as "delivery, tile 3, patch 15", or the reason of a correction."""
        if self.line.reason:
            return self.line.reason
        kind, _, subject = self.line.transfer.reference.partition(":")
        place = subject.split("/")[1:] if self.line.order_id is not None else []
        parts = [f"{name} {number}" for name, number in zip(("tile", "patch"), place, strict=False)]
        return ", ".join([CAUSES.get(kind, kind), *parts])

    @classmethod
    def of(cls, line: LedgerLine, after: BalancesAfter) -> "MovementRow":
        """Write one movement."""
        return cls(
            line=line,
            amount=MoneyOut.of(line.transfer.amount),
            available=MoneyOut.of(after.available),
            held=MoneyOut.of(after.held),
            spent=MoneyOut.of(after.spent),
        )


@router.get("", name="ledger_page")
def show_ledger(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    settings: SettingsDep,
    wanted: Annotated[LedgerFilter, Depends(read_ledger_filter)],
    cursor: CursorDep,
    by: Annotated[Listing, Query()] = "movements",
) -> Response:
    """Show the movements of money that the filters choose, newest first, and the state of the chain."""
    workspace_id = visitor.workspace_id
    problem: InvalidInputError | None = None
    listed: dict[str, Any] = {"rows": [], "following": None, "broken_at": None}
    with database.sessions() as session:
        try:
            limits = wanted.limits()
            read = read_movements if by == "movements" else read_orders
            listed = read(session, workspace_id, limits, cursor)
        except InvalidInputError as error:
            problem = error
        values = {
            "chain": read_chain(session, workspace_id, settings),
            "budgets": WorkspaceNames.of(session, workspace_id).budgets,
            "providers": session.scalars(
                select(PriceList.provider)
                .where(PriceList.workspace_id == workspace_id)
                .distinct()
                .order_by(PriceList.provider)
            ).all(),
        }
    return show(
        request,
        visitor,
        "ledger.html",
        status=200 if problem is None else problem.status,
        problem=None if problem is None else problem.problem(),
        view=by,
        wanted=wanted,
        kinds=MOVEMENTS,
        is_first=cursor is None,
        older=next_page(request.url, listed.pop("following")),
        **values,
        **listed,
    )


def read_movements(
    session: Session, workspace_id: UUID, limits: LineFilter, cursor: str | None
) -> dict[str, Any]:
    """Return a page of movements, the cursor of the next, and where the hashes of the page break."""
    lines, before = list_lines(session, workspace_id, limits, limit=ROWS, before_seq=seq_of(cursor))
    transfers = [line.transfer for line in lines]
    after = balances_after(session, transfers)
    return {
        "rows": [MovementRow.of(line, after[line.transfer.seq]) for line in lines],
        "following": None if before is None else encode_cursor(str(before)),
        "broken_at": broken_at(transfers),
    }


def read_orders(
    session: Session, workspace_id: UUID, limits: LineFilter, cursor: str | None
) -> dict[str, Any]:
    """Return a page of orders with their movements added up, and the cursor of the next."""
    page = PageRequest(ROWS, None if cursor is None else Cursor.decode(cursor))
    rows, following = page_of_sums(session, workspace_id, limits, page)
    return {"rows": rows, "following": following, "broken_at": None}
