"""The list of plans: filters in the address, and a page of rows. Reads only."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service.dashboard.filter_fields import read_currency
from service.dashboard.frame import show
from service.dashboard.session import PATH, VisitorDep
from service.dashboard.standing import IS_UNORDERED, WORDS, PlanStanding, standings, stands
from service.database.engine import DatabaseDep
from service.errors import InvalidInputError
from service.plans.naming import plan_holds, tags_of_plan
from service.plans.repository import page_of_plans
from service.plans.tables import Plan, Scene
from service.pricing.repository import currencies_of
from service.web.days import Days, read_days
from service.web.money import MoneyOut
from service.web.paging import Cursor, CursorDep, PageRequest, next_page

router = APIRouter(prefix=f"{PATH}/plans", include_in_schema=False)
UNORDERED = "unordered"
"""Name in the address of the plans that the planned saving adds up: open and expired ones."""
ROWS = 25
"""Rows of a page."""
TextQuery = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """A plan in the list."""

    id: UUID
    name: str
    """Name and tags that it was given; empty without any."""
    created_at: datetime
    decision: str
    scene: str
    """First digits of the scene's SHA-256, and its size in tiles."""
    acquired_on: str
    task: str
    bought: int
    patches: int
    cost: MoneyOut
    saving: MoneyOut
    prices: str
    standing: str
    is_warned: bool


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Filters of the list, as its form shows them again."""

    standing: str = ""
    text: str = ""
    currency: str = ""
    first_day: str = ""
    last_day: str = ""

    def conditions(self, session: Session, workspace_id: UUID) -> list[ColumnElement[bool]]:
        """Return the conditions on a plan; InvalidInputError for what is no standing or day."""
        found = list[ColumnElement[bool]]()
        if self.standing:
            found.append(_stands(self.standing))
        if self.currency:
            found.append(Plan.currency == read_currency(self.currency))
        if self.text.strip():
            found.append(plan_holds(session, workspace_id, self.text.strip()))
        return found + days_of(self.first_day, self.last_day).hold(Plan.created_at)

    @property
    def are_set(self) -> bool:
        """Whether the list is narrowed at all."""
        return bool(self.query)

    @property
    def query(self) -> str:
        """The filters that are set, as the query of an address."""
        given = {name: value.strip() for name, value in asdict(self).items()}
        return urlencode({name: value for name, value in given.items() if value})


def read_plan_filters(
    standing: TextQuery = "",
    text: TextQuery = "",
    currency: TextQuery = "",
    first_day: TextQuery = "",
    last_day: TextQuery = "",
) -> Filters:
    """Read the filters as texts, so that a page can show them again."""
    return Filters(standing=standing, text=text, currency=currency, first_day=first_day, last_day=last_day)


def _stands(text: str) -> ColumnElement[bool]:
    if text == UNORDERED:
        return IS_UNORDERED
    try:
        return stands(PlanStanding(text))
    except ValueError as error:
        choices = ", ".join((*PlanStanding, UNORDERED))
        raise InvalidInputError(f"{text!r} is no standing of a plan. Choose one of {choices}.") from error


def read_day(text: str) -> date:
    """Read a day that a form sent; InvalidInputError for another text."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{text!r} is no day. Write it as 2026-11-28.") from error


def days_of(first: str, last: str) -> Days:
    """Return the days that a form sent; InvalidInputError for another text and for the wrong order."""
    return read_days(read_day(first) if first else None, read_day(last) if last else None)


PlanFiltersDep = Annotated[Filters, Depends(read_plan_filters)]


@router.get("", name="list_plans_page")
def plans(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    filters: PlanFiltersDep,
    cursor: CursorDep,
) -> Response:
    """Show a page of the workspace's plans, newest first."""
    page = PageRequest(ROWS, None if cursor is None else Cursor.decode(cursor))
    with database.sessions() as session:
        rows, following = read_rows(session, visitor.workspace_id, filters, page)
        currencies = currencies_of(session, visitor.workspace_id)
    return show(
        request,
        visitor,
        "plans.html",
        rows=rows,
        filters=filters,
        standings={**WORDS, UNORDERED: "not ordered: can be ordered, or prices expired"},
        currencies=currencies,
        next=next_page(request.url, following),
        is_first=cursor is None,
    )


def read_rows(
    session: Session, workspace_id: UUID, filters: Filters, page: PageRequest
) -> tuple[list[PlanRow], Cursor | None]:
    """Return a page of rows that meet the filters, newest first, and the cursor of the next page."""
    found, following = page_of_plans(session, workspace_id, page, filters.conditions(session, workspace_id))
    standing = standings(session, [plan.id for plan, _ in found])
    return [_row(plan, scene, standing[plan.id]) for plan, scene in found], following


def _row(plan: Plan, scene: Scene, standing: PlanStanding) -> PlanRow:
    grid, prices = scene.reading["grid"], plan.provenance["price_list"]
    return PlanRow(
        id=plan.id,
        name=_named(plan),
        created_at=plan.created_at,
        decision=plan.bill["reason"],
        scene=f"{grid['columns']} x {grid['rows']} tiles, {scene.sha256[:8]}",
        acquired_on=scene.reading.get("acquired_on") or "",
        task=plan.task,
        bought=plan.patches_bought,
        patches=16 * plan.bill["eligible_tiles"],
        cost=MoneyOut.of(plan.cost),
        saving=MoneyOut.of(plan.billable_saving),
        prices=f"{prices['name']} {prices['version']}",
        standing=WORDS[standing],
        is_warned=bool(scene.reading.get("warnings") or plan.bill.get("warnings")),
    )


def _named(plan: Plan) -> str:
    given = [] if plan.naming is None else [plan.naming.name, plan.naming.external_id]
    tags = [f"{name} = {value}" for name, value in sorted(tags_of_plan(plan).items())]
    return ", ".join([*filter(None, given), *tags])
