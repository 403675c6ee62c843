"""`/v1/orders/{order_id}/next-round`."""

from typing import Annotated

from fastapi import APIRouter, Body, Response
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep
from service.orders.schemas import OrderPath
from service.plans.ground import GroundDep
from service.plans.repository import keep_plan
from service.plans.schemas import PlanOut
from service.plans.tables import Plan, Scene
from service.rounds.making import make_round, read_job
from service.rounds.schemas import NextRoundIn
from service.settings import SettingsDep
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, compute_once, fingerprint
from service.web.openapi import problems
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1/orders", tags=["plans"], responses=problems(401))


@router.post(
    "/{order_id}/next-round",
    name="plan_next_round",
    status_code=201,
    response_model=PlanOut,
    summary="Plan what else is worth buying after patches of an order were delivered",
    responses=problems(404, 409, 422, 503),
)
def plan_next_round(
    order_id: OrderPath,
    caller: CallerDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    settings: SettingsDep,
    read_ground: GroundDep,
    _turn: TurnDep,
    wanted: Annotated[NextRoundIn, Body(default_factory=NextRoundIn)],
    key: OptionalKeyDep = None,
) -> Response:
    """Read the delivered patches, revise what is expected of the others, and make a plan of them.

    The bundle must count objects and have a second look (409 `no-second-look`), and a patch must have been
    delivered (409 `nothing-delivered`). What is owned or on order is left out. The plan's `round` states what
    was read, what remains, and whether another order is worth its fixed amounts and minimums. Planning spends
    nothing; ordering the plan does.
    """

    def compute() -> tuple[Plan, Scene]:
        with database.sessions.begin() as session:
            job = read_job(session, caller.workspace_id, order_id, wanted, bundles, read_ground)
        return make_round(database, job, settings.quote_days), job.scene

    def store(session: Session, made: tuple[Plan, Scene]) -> Answer:
        new, scene = made
        keep_plan(session, new)
        body = PlanOut.of(new, scene).model_dump(mode="json")
        return Answer(201, body, {"Location": f"/v1/plans/{new.id}"})

    request_print = fingerprint(f"POST /v1/orders/{order_id}/next-round", wanted.model_dump_json())
    return compute_once(KeyedRequest(database, caller.workspace_id, key, request_print), compute, store)
