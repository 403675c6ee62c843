"""`/v1/plans`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service import blobs as storage
from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep, SessionDep
from service.plans import inputs, making, maps, repository
from service.plans.alternatives import Alternatives
from service.plans.alternatives_schemas import AlternativesOut
from service.plans.arrays import PlanArrays
from service.plans.bills import PlanBill, bill_of
from service.plans.changes import ReplanOut
from service.plans.curve import PlanCurve, curve_of
from service.plans.example import PLAN, REQUEST_BODY
from service.plans.ground import GroundDep
from service.plans.maps import TilePageDep
from service.plans.options import PlanOptions, ReplanIn, SceneUploadDep
from service.plans.preview import render_preview
from service.plans.prior import PriorDep, ReplannerDep
from service.plans.reading import judge_scene
from service.plans.schemas import PlanOut, PlanSummary
from service.plans.tables import Plan, Scene
from service.pricing.repository import lists_in_force, terms_of
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, compute_once, fingerprint
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1/plans", tags=["plans"], responses=problems(401))

PlanId = Annotated[UUID, Path(description="Id of the plan.")]
GEO_JSON: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/geo+json": {}}, "description": "A GeoJSON FeatureCollection."}
}
_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}


class GeoJsonResponse(JSONResponse):
    """A GeoJSON document."""

    media_type = "application/geo+json"


@router.post(
    "",
    status_code=201,
    response_model=PlanOut,
    summary="Plan a scene: which patches to buy, their cost and the saving",
    openapi_extra={"requestBody": REQUEST_BODY},
    responses={
        201: {"content": {"application/json": {"example": PLAN}}},
        **problems(409, 413, 415, 422, 503),
    },
)
def plan_scene(  # noqa: PLR0913  (a route's parameters are its dependencies)
    caller: CallerDep,
    options: Annotated[PlanOptions, Query()],
    upload: SceneUploadDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    read_ground: GroundDep,
    read_prior: PriorDep,
    _turn: TurnDep,
    key: OptionalKeyDep = None,
) -> Response:
    """Send a low-resolution GeoTIFF as the body. Planning spends nothing; ordering the plan does."""
    options = upload.merged(options)

    def compute() -> tuple[Plan, Scene]:
        predictor = bundles.named(options.bundle)
        judged = judge_scene(upload.body, options, predictor, settings)
        with database.sessions.begin() as session:
            found = inputs.find_inputs(
                session, caller.workspace_id, judged.scene, options, predictor.manifest, read_ground
            )
        prior = read_prior(database, judged.scene, judged.values, found, predictor)
        plan = making.decide_plan(judged, found, settings.quote_days, prior)
        storage.put(blobs, upload.body)
        storage.put(blobs, judged.pixels)
        return plan, judged.scene

    def store(session: Session, made: tuple[Plan, Scene]) -> Answer:
        plan, scene = making.store_plan(session, *made)
        return _created(plan, PlanOut.of(plan, scene))

    request_print = fingerprint("POST /v1/plans", described(options), upload.body)
    return compute_once(KeyedRequest(database, caller.workspace_id, key, request_print), compute, store)


@router.post(
    "/{plan_id}/replan",
    status_code=201,
    response_model=ReplanOut,
    summary="Re-plan a scene with different prices or a different objective",
    responses=problems(404, 409, 422, 503),
)
def replan_scene(  # noqa: PLR0913  (a route's parameters are its dependencies)
    plan_id: PlanId,
    caller: CallerDep,
    wanted: ReplanIn,
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    read_ground: GroundDep,
    replan: ReplannerDep,
    _turn: TurnDep,
    key: OptionalKeyDep = None,
) -> Response:
    """Make a new plan that supersedes this one. The old plan stays readable but can no longer be ordered.

    Patches that the workspace owns by now are read, as for a new plan. A plan that follows an order follows
    it again, and its `round` is computed again.
    """

    def compute() -> tuple[Plan, Plan, Scene]:
        with database.sessions.begin() as session:
            old, scene = repository.find_plan(session, caller.workspace_id, plan_id)
            found = inputs.find_new_inputs(session, old, scene, wanted, bundles, read_ground)
        return old, replan(database, old, scene, found, bundles, settings.quote_days), scene

    def store(session: Session, made: tuple[Plan, Plan, Scene]) -> Answer:
        old, new, scene = made
        making.store_replan(session, new, old)
        return _created(new, ReplanOut.replacing(old, new, scene))

    request_print = fingerprint(f"POST /v1/plans/{plan_id}/replan", described(wanted))
    return compute_once(KeyedRequest(database, caller.workspace_id, key, request_print), compute, store)


def described(options: PlanOptions | ReplanIn) -> str:
    """Write options for the fingerprint of a request."""
    # Newer options are left out where they are not given: a request repeated after an upgrade is the same.
    absent = {name for name in ("task", "guarantee") if getattr(options, name) is None}
    return options.model_dump_json(exclude=absent)


def _created(plan: Plan, shown: PlanOut) -> Answer:
    return Answer(201, shown.model_dump(mode="json"), {"Location": f"/v1/plans/{plan.id}"})


@router.get("", summary="List plans, newest first", responses=problems(422))
def list_plans(request: Request, caller: CallerDep, session: SessionDep, page: PageDep) -> Page[PlanSummary]:
    """Return the plans of the workspace without their tiles."""
    rows, following = repository.page_of_plans(session, caller.workspace_id, page)
    items = [PlanSummary.summarise(plan, scene) for plan, scene in rows]
    return Page(items=items, links=page_links(request, following))


@router.get("/{plan_id}", summary="Show a plan", responses=problems(404, 422))
def get_plan(plan_id: PlanId, caller: CallerDep, database: DatabaseDep) -> PlanOut:
    """Return the plan as it was made. A plan never changes."""
    with database.sessions() as session:
        plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return PlanOut.of(plan, scene)


@router.get(
    "/{plan_id}/patches",
    summary="Show every patch on the map: its decision, utility, cost and reason",
    response_class=GeoJsonResponse,
    responses={**GEO_JSON, **problems(404, 422)},
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
    summary="Show the polygons to give the provider",
    response_class=GeoJsonResponse,
    responses={**GEO_JSON, **problems(404, 422)},
)
def get_shapes(plan_id: PlanId, caller: CallerDep, database: DatabaseDep, _turn: TurnDep) -> GeoJsonResponse:
    """Return the order shapes as GeoJSON.

    Bought patches that share an edge form one polygon, unless the price list's rules for shapes differ.
    """
    with database.sessions() as session:
        plan, scene, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return GeoJsonResponse(maps.shapes_document(plan, scene, terms_of(price_list)))


@router.get(
    "/{plan_id}/bill",
    summary="Show how the cost and the savings were computed",
    responses=problems(404, 422),
)
def get_bill(plan_id: PlanId, caller: CallerDep, session: SessionDep) -> PlanBill:
    """Return the billed areas and the price list's terms: enough to compute the plan's figures again."""
    plan, _, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return bill_of(plan, price_list)


@router.get(
    "/{plan_id}/scene.tif",
    summary="Download the scene, byte for byte",
    response_class=Response,
    responses={
        200: {"content": {"image/tiff": {}}, "description": "The GeoTIFF."},
        **problems(404, 422, 503),
    },
)
def get_scene(plan_id: PlanId, caller: CallerDep, database: DatabaseDep, blobs: BlobsDep) -> Response:
    """Return the file as it was uploaded. Its SHA-256 is the plan's `provenance.input_sha256`."""
    with database.sessions() as session:
        _, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return Response(storage.get(blobs, scene.sha256), media_type="image/tiff")


@router.get(
    "/{plan_id}/curve",
    summary="Show the cost of buying more or less, and the expected accuracy",
    responses=problems(404, 409, 422, 503),
)
def get_curve(
    plan_id: PlanId, caller: CallerDep, database: DatabaseDep, bundles: BundlesDep, _turn: TurnDep
) -> PlanCurve:
    """Return the cost of this scene at every threshold that the bundle's evaluation measured."""
    with database.sessions() as session:
        plan, scene, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return curve_of(plan, scene, terms_of(price_list), bundles.of_plan(plan.provenance))


@router.get(
    "/{plan_id}/alternatives",
    summary="Compare the plan with other ways to spend its money, and with other price lists",
    responses=problems(404, 422, 503),
)
def get_alternatives(
    plan_id: PlanId, caller: CallerDep, database: DatabaseDep, bundles: BundlesDep, _turn: TurnDep
) -> AlternativesOut:
    """Return what buying nothing, central, random or all patches would cost and bring.

    Beside it, the bills of the other price lists that are valid today for exactly the same patches. Nothing
    is stored, and the plan stays as it is.
    """
    with database.sessions() as session:
        plan, scene, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
        lists = lists_in_force(session, caller.workspace_id)
    found = Alternatives(
        plan=plan,
        scene=scene,
        terms=terms_of(price_list),
        bought=PlanArrays.of(plan).selected,
        money=plan.cost,
        predictor=bundles.of_plan(plan.provenance) if bundles.holds(plan.provenance) else None,
    )
    others = [one for one in lists if one.id != price_list.id]
    return AlternativesOut.of(found, found.compare(others), price_list)


@router.get(
    "/{plan_id}/preview.png",
    summary="Show the scene with the bought patches outlined",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG image."}, **problems(404, 422, 503)},
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
    picture = render_preview(plan, scene, blobs, settings)
    return Response(picture, media_type="image/png", headers=_IMMUTABLE)
