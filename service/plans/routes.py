"""`/v1/plans`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep, SessionDep
from service.jobs.answering import ACCEPTED, answer_now_or_later
from service.plans import making, repository
from service.plans.alternatives import Alternatives
from service.plans.alternatives_schemas import AlternativesOut
from service.plans.arrays import PlanArrays
from service.plans.bills import PlanBill, bill_of
from service.plans.changes import ReplanOut
from service.plans.curve import PlanCurve, curve_of
from service.plans.example import PLAN, REQUEST_BODY
from service.plans.filters import PlanFilterDep
from service.plans.naming import PlanNamesIn
from service.plans.options import PlanOptions, ReplanIn, SceneUploadDep
from service.plans.pixels import check_stored, files_of
from service.plans.planning import PlanningDep, ReplanningDep
from service.plans.schemas import PlanOut, PlanSummary
from service.plans.tables import Plan, Scene
from service.pricing.repository import lists_in_force, terms_of
from service.settings import BlobsDep
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, compute_once, fingerprint
from service.web.openapi import problems
from service.web.paging import Page, SortedPageDep, page_links
from service.web.preferences import AsyncDep
from service.web.turns import TurnDep
from service.web.unchanged import never_changes

router = APIRouter(prefix="/v1/plans", tags=["plans"], responses=problems(401))

PlanId = Annotated[UUID, Path(description="Id of the plan.")]
KEPT = [Depends(never_changes)]


@router.post(
    "",
    status_code=201,
    response_model=PlanOut,
    summary="Plan a scene: which patches to buy, their cost and the saving",
    openapi_extra={"requestBody": REQUEST_BODY},
    responses={
        201: {"content": {"application/json": {"example": PLAN}}},
        **ACCEPTED,
        **problems(409, 413, 415, 422, 429, 503, 507),
    },
)
def plan_scene(
    caller: CallerDep,
    options: Annotated[PlanOptions, Query()],
    upload: SceneUploadDep,
    planning: PlanningDep,
    _turn: TurnDep,
    later: AsyncDep,
    key: OptionalKeyDep = None,
) -> Response:
    """Send a low-resolution GeoTIFF as the body. Planning spends nothing; ordering the plan does.

    With `Prefer: respond-async`, and for a scene of more tiles than the server plans within a request, the
    answer is 202 with a job. GET its `Location` until it has a link `result`.
    """
    options = upload.merged(options)
    request_print = fingerprint("POST /v1/plans", described(options), upload.body)
    request = KeyedRequest(planning.database, caller.workspace_id, key, request_print)

    def compute() -> tuple[Plan, Scene]:
        return planning.plan(caller.workspace_id, upload.body, options, planning.settings.request_tiles)

    def store(session: Session, made: tuple[Plan, Scene]) -> Answer:
        plan, scene = making.store_plan(session, *made)
        check_stored(session, planning.blobs, caller.workspace_id, files_of(scene))
        return _created(plan, PlanOut.of(plan, scene))

    return answer_now_or_later(
        request,
        caller,
        planning.blobs,
        now=lambda: compute_once(request, compute, store),
        to_job=lambda: planning.to_job(caller, options),
        upload=upload.body,
        later=later,
    )


@router.post(
    "/{plan_id}/replan",
    status_code=201,
    response_model=ReplanOut,
    summary="Re-plan a scene with different prices or a different objective",
    responses={**ACCEPTED, **problems(404, 409, 410, 422, 429, 503, 507)},
)
def replan_scene(
    plan_id: PlanId,
    caller: CallerDep,
    wanted: ReplanIn,
    blobs: BlobsDep,
    replanning: ReplanningDep,
    _turn: TurnDep,
    later: AsyncDep,
    key: OptionalKeyDep = None,
) -> Response:
    """Make a new plan that supersedes this one. The old plan stays readable but can no longer be ordered.

    Patches that the workspace owns by now are read, as for a new plan. A plan that follows an order follows
    it again, and its `round` is computed again. With `Prefer: respond-async` the answer is 202 with a job.
    """

    def store(session: Session, made: tuple[Plan, Plan, Scene]) -> Answer:
        old, new, scene = made
        making.store_replan(session, new, old)
        return _created(new, ReplanOut.replacing(old, new, scene))

    request_print = fingerprint(f"POST /v1/plans/{plan_id}/replan", described(wanted))
    request = KeyedRequest(replanning.database, caller.workspace_id, key, request_print)
    return answer_now_or_later(
        request,
        caller,
        blobs,
        now=lambda: compute_once(
            request, lambda: replanning.replan(caller.workspace_id, plan_id, wanted), store
        ),
        to_job=lambda: replanning.to_job(caller, plan_id, wanted),
        later=later,
    )


def described(options: PlanOptions | ReplanIn) -> str:
    """Write options for the fingerprint of a request."""
    # Newer options are left out where they are not given: a request repeated after an upgrade is the same.
    newer = ("task", "guarantee", "name", "external_id", "tag")
    absent = {name for name in newer if getattr(options, name, None) is None}
    return options.model_dump_json(exclude=absent)


def _created(plan: Plan, shown: PlanOut) -> Answer:
    return Answer(201, shown.model_dump(mode="json"), {"Location": f"/v1/plans/{plan.id}"})


@router.get("", summary="List plans, newest first", responses=problems(422))
def list_plans(
    request: Request, caller: CallerDep, session: SessionDep, page: SortedPageDep, chosen: PlanFilterDep
) -> Page[PlanSummary]:
    """List the plans of the workspace without their tiles. A plan has to meet all filters that are given."""
    rows, following = repository.page_of_plans(session, caller.workspace_id, page, chosen)
    items = [PlanSummary.summarise(plan, scene) for plan, scene in rows]
    return Page(items=items, links=page_links(request, following))


@router.get("/{plan_id}", summary="Show a plan", responses=problems(404, 422))
def get_plan(plan_id: PlanId, caller: CallerDep, database: DatabaseDep) -> PlanOut:
    """Return the plan as it was made. Only its name, its external id and its tags ever change."""
    with database.sessions() as session:
        plan, scene = repository.find_plan(session, caller.workspace_id, plan_id)
    return PlanOut.of(plan, scene)


@router.patch("/{plan_id}", name="name_plan", summary="Name a plan", responses=problems(404, 422))
def name_plan(plan_id: PlanId, change: PlanNamesIn, caller: CallerDep, session: SessionDep) -> PlanSummary:
    """Change a plan's name, external id and tags with a JSON merge patch (RFC 7396).

    No decision, price or proof rests on them, and an order keeps the tags that it was placed with.
    """
    plan = repository.lock_plan(session, caller.workspace_id, plan_id)
    change.change(plan)
    session.flush()
    return PlanSummary.summarise(plan, session.get_one(Scene, plan.scene_id))


@router.get(
    "/{plan_id}/bill",
    dependencies=KEPT,
    summary="Show how the cost and the savings were computed",
    responses=problems(404, 422),
)
def get_bill(plan_id: PlanId, caller: CallerDep, session: SessionDep) -> PlanBill:
    """Return the billed areas and the price list's terms: enough to compute the plan's figures again."""
    plan, _, price_list = repository.find_priced_plan(session, caller.workspace_id, plan_id)
    return bill_of(plan, price_list)


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
