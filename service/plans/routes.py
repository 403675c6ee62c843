"""`/v1/plans` and `/v1/bundles`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from service import blobs as storage
from service.access.caller import CallerDep
from service.bundles.card import BundleOut
from service.bundles.predictor import PredictorDep
from service.database.engine import SessionDep
from service.plans import repository, views
from service.plans.bills import BillOut, bill_of
from service.plans.example import PLAN, REQUEST_BODY
from service.plans.making import make_plan
from service.plans.options import PlanOptions, UploadDep
from service.plans.replanning import ReplanIn, replan
from service.plans.schemas import ChangesOut, PlanOut, PlanSummary, ReplanOut
from service.plans.views import CurveOut, TilePageDep
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import OptionalKeyDep, fingerprint, remember, replay_or_claim
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links

router = APIRouter(prefix="/v1", responses=problems(401))
GEO_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/geo+json": {}}, "description": "a GeoJSON FeatureCollection"}
}


class GeoJsonResponse(JSONResponse):
    """A GeoJSON document."""

    media_type = "application/geo+json"


@router.post(
    "/plans",
    status_code=201,
    response_model=PlanOut,
    tags=["plans"],
    summary="Plan a scene: which patches to buy, what they cost, what that saves",
    openapi_extra={"requestBody": REQUEST_BODY},
    responses={
        201: {"content": {"application/json": {"example": PLAN}}},
        **problems(409, 413, 415, 422, 503),
    },
)
def plan_scene(
    caller: CallerDep,
    options: Annotated[PlanOptions, Query()],
    upload: UploadDep,
    session: SessionDep,
    predictor: PredictorDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    key: OptionalKeyDep = None,
) -> Response:
    """Send a low-resolution GeoTIFF as the body. Planning spends nothing; ordering the plan does."""
    options = upload.merged(options)
    if key is not None:
        request_print = fingerprint("POST /v1/plans", options.model_dump_json(), upload.body)
        if stored := replay_or_claim(session, caller.workspace_id, key, request_print):
            return stored.response()
    made = make_plan(session, caller.workspace_id, upload.body, options, predictor, settings, blobs)
    body = PlanOut.of(*made).model_dump(mode="json")
    if key is not None:
        remember(session, caller.workspace_id, key, 201, body)
    return JSONResponse(body, 201, headers={"Location": f"/v1/plans/{made[0].id}"})


@router.post(
    "/plans/{plan_id}/replan",
    status_code=201,
    response_model=ReplanOut,
    tags=["plans"],
    summary="Decide a plan anew: new prices, another objective, the same scene",
    responses=problems(404, 409, 422, 503),
)
def replan_scene(
    plan_id: UUID,
    caller: CallerDep,
    wanted: ReplanIn,
    session: SessionDep,
    predictor: PredictorDep,
    settings: SettingsDep,
    key: OptionalKeyDep = None,
) -> Response:
    """The new plan supersedes the old one, which stays as it is but can no longer be ordered."""
    if key is not None:
        request_print = fingerprint(f"POST /v1/plans/{plan_id}/replan", wanted.model_dump_json())
        if stored := replay_or_claim(session, caller.workspace_id, key, request_print):
            return stored.response()
    old, new, scene = replan(session, caller.workspace_id, plan_id, wanted, predictor, settings)
    made = ReplanOut(**dict(PlanOut.of(new, scene)), changes=ChangesOut.between(old, new))
    body = made.model_dump(mode="json")
    if key is not None:
        remember(session, caller.workspace_id, key, 201, body)
    return JSONResponse(body, 201, headers={"Location": f"/v1/plans/{new.id}"})


@router.get("/plans", tags=["plans"], summary="List plans, newest first", responses=problems(422))
def list_plans(request: Request, caller: CallerDep, session: SessionDep, page: PageDep) -> Page[PlanSummary]:
    """Every plan of the workspace, without its tiles."""
    rows, following = repository.page_of_plans(session, caller.workspace_id, page)
    items = [PlanSummary.summarise(plan, scene) for plan, scene in rows]
    return Page(items=items, links=page_links(request, following))


@router.get("/plans/{plan_id}", tags=["plans"], summary="Show a plan", responses=problems(404, 422))
def get_plan(plan_id: UUID, caller: CallerDep, session: SessionDep) -> PlanOut:
    """The plan as it was made; it never changes."""
    return PlanOut.of(*repository.find_plan(session, caller.workspace_id, plan_id))


@router.get(
    "/plans/{plan_id}/patches",
    tags=["plans"],
    summary="Show every patch on the map: its decision, utility and cost, and why",
    response_class=GeoJsonResponse,
    responses={**GEO_JSON, **problems(404, 422)},
)
def get_patches(
    request: Request, plan_id: UUID, caller: CallerDep, session: SessionDep, page: TilePageDep
) -> GeoJsonResponse:
    """GeoJSON, ready for QGIS. The costs of all patches sum to the plan's cost exactly."""
    plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return GeoJsonResponse(views.patches_document(request, session, plan, scene, page))


@router.get(
    "/plans/{plan_id}/shapes",
    tags=["plans"],
    summary="Show the polygons to give the provider",
    response_class=GeoJsonResponse,
    responses={**GEO_JSON, **problems(404, 422)},
)
def get_shapes(plan_id: UUID, caller: CallerDep, session: SessionDep) -> GeoJsonResponse:
    """GeoJSON: bought patches that share an edge are one polygon, or as the price list's rules say."""
    return GeoJsonResponse(
        views.shapes_document(session, *repository.find_plan(session, caller.workspace_id, plan_id))
    )


@router.get(
    "/plans/{plan_id}/bill",
    tags=["plans"],
    summary="Show what the cost and the savings were computed from",
    responses=problems(404, 422),
)
def get_bill(plan_id: UUID, caller: CallerDep, session: SessionDep) -> BillOut:
    """Billed areas and the terms of the price list, of the plan's own row: enough to compute it again."""
    plan, _ = repository.find_plan(session, caller.workspace_id, plan_id)
    return bill_of(session, plan)


@router.get(
    "/plans/{plan_id}/scene.tif",
    tags=["plans"],
    summary="Download the scene, byte for byte",
    response_class=Response,
    responses={200: {"content": {"image/tiff": {}}, "description": "the GeoTIFF"}, **problems(404, 422, 503)},
)
def get_scene(plan_id: UUID, caller: CallerDep, session: SessionDep, blobs: BlobsDep) -> Response:
    """The file as it was uploaded: its SHA-256 is the plan's `provenance.input_sha256`."""
    _, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return Response(storage.get(blobs, scene.sha256), media_type="image/tiff")


@router.get(
    "/plans/{plan_id}/curve",
    tags=["plans"],
    summary="Show what buying more or less would cost, and how accurate labels would be",
    responses=problems(404, 409, 422, 503),
)
def get_curve(plan_id: UUID, caller: CallerDep, session: SessionDep, predictor: PredictorDep) -> CurveOut:
    """This scene's cost at every threshold that the bundle's evaluation measured."""
    plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return views.curve_of(session, plan, scene, predictor)


@router.get(
    "/plans/{plan_id}/preview.png",
    tags=["plans"],
    summary="Show the scene with the bought patches outlined",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "a picture"}, **problems(404, 422, 503)},
)
def get_preview(
    plan_id: UUID, caller: CallerDep, session: SessionDep, settings: SettingsDep, blobs: BlobsDep
) -> Response:
    """Yellow: patches the objective asked for; blue: patches that came free."""
    plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    picture = views.preview_png(plan, scene, blobs, settings)
    return Response(
        picture, media_type="image/png", headers={"Cache-Control": "private, max-age=31536000, immutable"}
    )


@router.get(
    "/bundles", tags=["bundles"], summary="Show the networks that are served", responses=problems(503)
)
def list_bundles(request: Request, caller: CallerDep, predictor: PredictorDep) -> Page[BundleOut]:  # noqa: ARG001  (the caller is only authenticated)
    """The served bundle: what it reads, what it knows, how well it was measured."""
    return Page(items=[BundleOut.of(predictor)], links=page_links(request, None))
