"""One plan on the dashboard: its page, its picture, its files, and ordering it."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from service.access.caller import note_export
from service.bundles.registry import Bundles, BundlesDep
from service.dashboard.forms import FormDep, SentForm
from service.dashboard.frame import go_to, show
from service.dashboard.plan_page import PlanRecord, page_values, read_record
from service.dashboard.rendering import in_text
from service.dashboard.session import PATH, Visitor, VisitorDep
from service.dashboard.windows import window_of
from service.dashboard.wording import plainly
from service.database.engine import DatabaseDep
from service.errors import LoupeError
from service.orders.expiry import expire_orders
from service.orders.routes import create_order
from service.orders.schemas import OrderIn
from service.plans import maps
from service.plans.bills import bill_of
from service.plans.pixels import reading_scene
from service.plans.preview import KEPT_BRIEFLY
from service.plans.reading import grid_of, scene_file
from service.plans.repository import find_plan
from service.plans.scene_picture import render_window
from service.plans.schemas import TILES_INLINE, PlanOut
from service.plans.shape_files import GeoJsonResponse, ShapeForm, ShapeFormDep, shapes_answer
from service.pricing.repository import terms_of
from service.settings import BlobsDep, Settings, SettingsDep
from service.web.money import MoneyOut
from service.web.problems import problem_of
from service.web.turns import TurnDep

router = APIRouter(prefix=f"{PATH}/plans/{{plan_id}}", include_in_schema=False)
WindowQuery = Annotated[str | None, Query(max_length=40)]
ENDINGS: Mapping[ShapeForm, str] = {
    "features": "geojson",
    "multipolygon": "geojson",
    "wkt": "wkt",
    "kml": "kml",
    "gpkg": "gpkg",
}


@router.get("", name="show_plan")
def plan(
    request: Request,
    visitor: VisitorDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    plan_id: UUID,
    _turn: TurnDep,
    window: WindowQuery = None,
    tile: int | None = None,
) -> Response:
    """Show a plan: a window of its scene, and the patches of a tile."""
    record = read_record(database, visitor.workspace_id, plan_id)
    return show_plan(request, visitor, bundles, record, window=window, tile=tile)


def show_plan(
    request: Request,
    visitor: Visitor,
    bundles: Bundles,
    record: PlanRecord,
    *,
    window: str | None = None,
    tile: int | None = None,
    refusal: LoupeError | None = None,
) -> Response:
    """Show a plan's page, with a refusal of what was asked for on it."""
    held = bundles.of_plan(record.plan.provenance) if bundles.holds(record.plan.provenance) else None
    values: dict[str, Any] = page_values(record, held, window, tile)
    if refusal is None:
        return show(request, visitor, "plan.html", **values)
    problem = problem_of(request, refusal)
    return show(request, visitor, "plan.html", status=refusal.status, problem=problem, **values)


@router.get("/scene.png", name="show_scene")
def scene_picture(
    visitor: VisitorDep,
    database: DatabaseDep,
    blobs: BlobsDep,
    plan_id: UUID,
    _turn: TurnDep,
    window: WindowQuery = None,
) -> Response:
    """Send the pixels of a window of the scene, by default of all of it."""
    with database.sessions() as session:
        _, scene = find_plan(session, visitor.workspace_id, plan_id)
    shown = window_of(grid_of(scene), window, None)
    with reading_scene(database, scene):
        picture = render_window(scene, shown.left, shown.top, shown.columns, shown.rows, blobs)
    return Response(picture, media_type="image/png", headers=KEPT_BRIEFLY)


@router.get("/shapes", name="send_shapes")
def shapes(
    visitor: VisitorDep, database: DatabaseDep, plan_id: UUID, _turn: TurnDep, form: ShapeFormDep
) -> Response:
    """Send the polygons to give the provider, in a form that its order form takes."""
    record = read_record(database, visitor.workspace_id, plan_id)
    answer = shapes_answer(form, record.plan, record.scene, record.price_list)
    answer.headers.update(_as_file(f"shapes-{plan_id}.{ENDINGS[form]}"))
    return answer


@router.get("/patches.geojson", name="send_patches")
def patches(
    request: Request, visitor: VisitorDep, database: DatabaseDep, plan_id: UUID, _turn: TurnDep
) -> Response:
    """Send every patch of a plan of up to 4,096 tiles with its decision, utility, cost and reason."""
    record = read_record(database, visitor.workspace_id, plan_id)
    page = maps.TilePage(0, TILES_INLINE)
    document = maps.patches_document(request, record.plan, record.scene, terms_of(record.price_list), page)
    return GeoJsonResponse(document, headers=_as_file(f"patches-{plan_id}.geojson"))


@router.get("/plan.json", name="send_plan")
def document(visitor: VisitorDep, database: DatabaseDep, plan_id: UUID) -> PlanOut:
    """Send the plan as the API writes it."""
    record = read_record(database, visitor.workspace_id, plan_id)
    return PlanOut.of(record.plan, record.scene)


@router.get("/bill.json", name="send_bill", response_model=None)
def bill(visitor: VisitorDep, database: DatabaseDep, plan_id: UUID) -> Any:
    """Send the billed areas and the price list's terms."""
    record = read_record(database, visitor.workspace_id, plan_id)
    return bill_of(record.plan, record.price_list)


@router.get("/scene.tif", name="send_scene")
def scene(
    request: Request, visitor: VisitorDep, database: DatabaseDep, blobs: BlobsDep, plan_id: UUID
) -> Response:
    """Send the scene's file, byte for byte."""
    note_export(request, visitor, request.state.notes, "tiff")
    with database.sessions() as session:
        _, found = find_plan(session, visitor.workspace_id, plan_id)
    headers = _as_file(f"scene-{plan_id}.tif")
    with reading_scene(database, found):
        return Response(scene_file(found, blobs), media_type="image/tiff", headers=headers)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@router.post("/order", name="order_plan")
def order(
    sent: FormDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    plan_id: UUID,
    budget: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Order the plan, as `POST /v1/orders` does, and show the order."""
    try:
        sent.allow("create_order")
        made = _place(sent, OrderIn(plan=plan_id, budget=budget), bundles, settings)
    except LoupeError as refusal:
        if refusal.status >= 500:
            raise
        record = read_record(sent.database, sent.visitor.workspace_id, plan_id)
        return show_plan(sent.request, sent.visitor, bundles, record, refusal=refusal)
    return go_to(sent.request, sent.visitor, f"{PATH}/orders/{made['id']}", _ordered(made))


def _place(sent: SentForm, wanted: OrderIn, bundles: Bundles, settings: Settings) -> dict[str, Any]:
    expire_orders(sent.database, sent.visitor.workspace_id, wait=True)
    answer = create_order(wanted, sent.visitor, sent.database, bundles, settings, sent.key)
    made: dict[str, Any] = json.loads(bytes(answer.body))
    return made


def _ordered(made: dict[str, Any]) -> str:
    """Say what ordering did."""
    total, patches = made["amounts"]["total"], made["counts"]["bought"]
    money = in_text(MoneyOut(**total))
    warnings = "".join(f" {plainly(one['detail'])}" for one in made.get("warnings", []))
    if made["status"] == "held":
        return f"The order of {patches} patches for {money} waits for the approval of another key.{warnings}"
    return f"Ordered {patches} patches for {money}.{warnings}"
