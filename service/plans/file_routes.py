"""Files of a plan: `/v1/plans/{plan_id}/patches`, `/shapes`, `/scene.tif` and `/preview.png`."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.access.caller import CallerDep
from service.database.engine import DatabaseDep
from service.plans import maps, repository
from service.plans.geojson_schemas import PatchPage
from service.plans.maps import TilePageDep
from service.plans.pixels import reading_scene
from service.plans.preview import KEPT_BRIEFLY, render_preview
from service.plans.reading import scene_file
from service.plans.routes import KEPT, PlanId
from service.plans.shape_files import SHAPES, GeoJsonResponse, ShapeFormDep, shapes_answer
from service.pricing.repository import terms_of
from service.settings import BlobsDep, SettingsDep
from service.web.openapi import file_answer_of, problems
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1/plans", tags=["plans"], responses=problems(401))

PATCHES: dict[int | str, dict[str, Any]] = {
    200: {"model": PatchPage, "description": "The patches as a GeoJSON FeatureCollection."}
}


@router.get(
    "/{plan_id}/patches",
    dependencies=KEPT,
    summary="Show every patch on the map: its decision, utility, cost and reason",
    response_class=GeoJsonResponse,
    responses={**PATCHES, **problems(404, 422)},
)
def get_patches(
    request: Request,
    plan_id: PlanId,
    caller: CallerDep,
    database: DatabaseDep,
    page: TilePageDep,
    _turn: TurnDep,
) -> GeoJsonResponse:
    """Return the patches as GeoJSON, ready for QGIS. Their costs sum exactly to the plan's cost."""
    with database.sessions() as session:
        plan, scene, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return GeoJsonResponse(maps.patches_document(request, plan, scene, terms_of(price_list), page))


@router.get(
    "/{plan_id}/shapes",
    dependencies=KEPT,
    summary="Show the polygons to give the provider",
    response_class=GeoJsonResponse,
    responses={**SHAPES, **problems(404, 422)},
)
def get_shapes(
    plan_id: PlanId, caller: CallerDep, database: DatabaseDep, _turn: TurnDep, form: ShapeFormDep
) -> Response:
    """Return the order shapes as GeoJSON, one MultiPolygon, WKT, KML, or in a GeoPackage with all patches.

    Bought patches that share an edge form one polygon, unless the price list's rules for shapes differ.
    """
    with database.sessions() as session:
        plan, scene, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return shapes_answer(form, plan, scene, price_list)


@router.get(
    "/{plan_id}/scene.tif",
    summary="Download the scene, byte for byte",
    response_class=Response,
    responses={
        200: {
            "content": file_answer_of("image/tiff", "The bytes of the file."),
            "description": "The GeoTIFF.",
        },
        **problems(404, 410, 422, 503),
    },
)
def get_scene(plan_id: PlanId, caller: CallerDep, database: DatabaseDep, blobs: BlobsDep) -> Response:
    """Return the file as it was uploaded. Its SHA-256 is the plan's `provenance.input_sha256`."""
    with database.sessions() as session:
        _, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    with reading_scene(database, scene):
        return Response(scene_file(scene, blobs), media_type="image/tiff")


@router.get(
    "/{plan_id}/preview.png",
    summary="Show the scene with the bought patches outlined",
    response_class=Response,
    responses={
        200: {
            "content": file_answer_of("image/png", "The bytes of the picture."),
            "description": "A PNG image.",
        },
        **problems(404, 410, 422, 503),
    },
)
def get_preview(
    plan_id: PlanId,
    caller: CallerDep,
    database: DatabaseDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    _turn: TurnDep,
) -> Response:
    """Return a PNG. Yellow outlines: patches that the objective asked for; blue: patches that came free."""
    with database.sessions() as session:
        plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    with reading_scene(database, scene):
        picture = render_preview(plan, scene, blobs, settings)
    return Response(picture, media_type="image/png", headers=KEPT_BRIEFLY)
