"""Routes of the dashboard: the page, the sign-in form, and the exports behind its figures.

Every route only reads, except for the cookie that signing in and out changes.
"""

from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from service.bundles.registry import Bundles
from service.dashboard.order_page import read_order_page
from service.dashboard.page import bundle_accuracy, read_page
from service.dashboard.rendering import budgets_csv, plans_csv, read_asset, render
from service.dashboard.session import (
    PATH,
    OptionalVisitorDep,
    VisitorDep,
    check_same_site,
    find_caller,
    sign_in,
    sign_out,
)
from service.database.engine import Database, DatabaseDep, SessionDep
from service.ledger.repository import list_budgets
from service.ledger.routes import described, list_ledger
from service.ledger.schemas import BudgetOut
from service.plans.preview import render_preview
from service.plans.repository import find_plan, page_of_plans
from service.plans.schemas import PlanSummary
from service.reports.filters import EVERYTHING
from service.reports.routes import get_savings
from service.settings import BlobsDep, SettingsDep
from service.web.paging import Page, PageRequest, page_links
from service.web.turns import TurnDep

# The pages are for people, so the OpenAPI document leaves them out.
router = APIRouter(prefix=PATH, include_in_schema=False)
EXPORTED = 1_000
"""Most rows of one exported list; the lists of the API continue from there."""
Kind = Literal["csv", "json"]
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
FOR_ME = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("")
def dashboard(request: Request, visitor: OptionalVisitorDep, database: DatabaseDep) -> Response:
    """Show the page, or redirect to the sign-in form."""
    if visitor is None:
        return RedirectResponse(f"{PATH}/login", 303)
    bundles = cast(Bundles, request.state.bundles)
    quality = bundle_accuracy(bundles.default.manifest) if bundles else None
    return render(
        "dashboard.html", quality=quality, bundles=len(bundles), **read_page(database, visitor.workspace_id)
    )


@router.get("/orders/{order_id}")
def order(visitor: OptionalVisitorDep, database: DatabaseDep, order_id: UUID) -> Response:
    """Show the saving of one order, with its bill, payments and invoice lines."""
    if visitor is None:
        return RedirectResponse(f"{PATH}/login", 303)
    return render("order.html", **read_order_page(database, visitor.workspace_id, order_id))


@router.get("/login")
def show_login() -> Response:
    """Show the sign-in form, which takes an API key."""
    return render("login.html", refused=False)


@router.post("/login", dependencies=[Depends(check_same_site)])
def login(request: Request, key: Annotated[str, Form(max_length=500)]) -> Response:
    """Store a valid key in a cookie of these pages and redirect to the page."""
    if find_caller(request, key.strip()) is None:
        return render("login.html", 401, refused=True)
    answer = RedirectResponse(PATH, 303)
    sign_in(request, answer, key.strip())
    return answer


@router.post("/logout", dependencies=[Depends(check_same_site)])
def logout() -> Response:
    """Delete the cookie and redirect to the sign-in form."""
    answer = RedirectResponse(f"{PATH}/login", 303)
    sign_out(answer)
    return answer


@router.get("/assets/{name}")
def asset(name: str, _version: Annotated[str | None, Query(alias="v", max_length=64)] = None) -> Response:
    """Send a style sheet or picture of this package. Its address ends in a version: see `asset_url`."""
    content, media_type = read_asset(name)
    return Response(content, media_type=media_type, headers=FOR_EVER)


@router.get("/savings.{kind}")
def savings(visitor: VisitorDep, database: DatabaseDep, kind: Kind) -> Response:
    """Send the savings report."""
    return get_savings(visitor, database, kind, EVERYTHING)


@router.get("/ledger.{kind}")
def ledger(
    request: Request,
    visitor: VisitorDep,
    session: SessionDep,
    kind: Kind,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Send the newest ledger entries; the `next` link leads to older ones."""
    return list_ledger(request, visitor, session, limit=EXPORTED, cursor=cursor, form=kind)


@router.get("/budgets.{kind}")
def budgets(request: Request, visitor: VisitorDep, session: SessionDep, kind: Kind) -> Response:
    """Send the newest budgets."""
    rows, _ = list_budgets(session, visitor.workspace_id, PageRequest(EXPORTED, None))
    if kind == "csv":
        return budgets_csv(rows)
    page = Page[BudgetOut](items=described(session, rows), links=page_links(request, None))
    return JSONResponse(page.model_dump(mode="json", exclude_none=True))


@router.get("/plans.{kind}")
def plans(request: Request, visitor: VisitorDep, session: SessionDep, kind: Kind) -> Response:
    """Send the newest plans."""
    rows, _ = page_of_plans(session, visitor.workspace_id, PageRequest(EXPORTED, None))
    items = [PlanSummary.summarise(plan, scene) for plan, scene in rows]
    if kind == "csv":
        return plans_csv(items)
    page = Page[PlanSummary](items=items, links=page_links(request, None))
    return JSONResponse(page.model_dump(mode="json", exclude_none=True))


@router.get("/plans/{plan_id}/preview.png")
def preview(
    request: Request,
    plan_id: UUID,
    visitor: VisitorDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    _turn: TurnDep,
) -> Response:
    """Send a picture of a plan's scene with its bought patches outlined.

    The page loads several at once, so no database connection is held while they are drawn.
    """
    database = cast(Database, request.state.database)
    with database.sessions() as session:
        plan, scene = find_plan(session, visitor.workspace_id, plan_id)
    picture = render_preview(plan, scene, blobs, settings)
    return Response(picture, media_type="image/png", headers=FOR_ME)
