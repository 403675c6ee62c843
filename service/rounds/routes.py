"""`/v1/orders/{order_id}/next-round`."""

from typing import Annotated

from fastapi import APIRouter, Body, Response
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep
from service.jobs.answering import ACCEPTED, answer_now_or_later
from service.orders.schemas import OrderPath
from service.plans.ground import GroundDep
from service.plans.repository import keep_plan
from service.plans.schemas import PlanOut
from service.plans.tables import Plan, Scene
from service.rounds.planning import RoundPlanning
from service.rounds.schemas import NextRoundIn
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, compute_once, fingerprint
from service.web.openapi import problems
from service.web.preferences import AsyncDep
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1/orders", tags=["plans"], responses=problems(401))


@router.post(
    "/{order_id}/next-round",
    name="plan_next_round",
    status_code=201,
    response_model=PlanOut,
    summary="Plan what else is worth buying after patches of an order were delivered",
    responses={**ACCEPTED, **problems(404, 409, 410, 422, 429, 503, 507)},
)
def plan_next_round(  # noqa: PLR0913  (a route's parameters are its dependencies)
    order_id: OrderPath,
    caller: CallerDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    blobs: BlobsDep,
    read_ground: GroundDep,
    _turn: TurnDep,
    later: AsyncDep,
    wanted: Annotated[NextRoundIn, Body(default_factory=NextRoundIn)],
    key: OptionalKeyDep = None,
) -> Response:
    """Read the delivered patches, revise what is expected of the others, and make a plan of them.

    The bundle must count objects and have a second look (409 `no-second-look`), and a patch must have been
    delivered (409 `no-delivered-patch`). What is owned or on order is left out. The plan's `round` states
    what was read, what remains, and whether another order is worth its fixed amounts and minimums. Planning
    spends nothing; ordering the plan does. With `Prefer: respond-async` the answer is 202 with a job.
    """
    planning = RoundPlanning(
        database=database, bundles=bundles, quote_days=settings.quote_days, read_ground=read_ground
    )
    request_print = fingerprint(f"POST /v1/orders/{order_id}/next-round", wanted.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)

    def compute() -> tuple[Plan, Scene]:
        return planning.plan(caller.workspace_id, order_id, wanted)

    return answer_now_or_later(
        request,
        caller,
        blobs,
        now=lambda: compute_once(request, compute, _store),
        to_job=lambda: planning.to_job(caller, order_id, wanted),
        later=later,
    )


def _store(session: Session, made: tuple[Plan, Scene]) -> Answer:
    new, scene = made
    keep_plan(session, new)
    body = PlanOut.of(new, scene).model_dump(mode="json")
    return Answer(201, body, {"Location": f"/v1/plans/{new.id}"})
