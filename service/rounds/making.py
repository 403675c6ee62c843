"""A plan of a later round: read what an order delivered, revise what is expected, and choose again."""

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from models.manifest import CountManifest
from models.second_look import SecondLook
from service.bundles.counting import CountPredictor
from service.bundles.predictor import Predictor
from service.bundles.registry import Bundles
from service.bundles.revising import revise_counts
from service.database.engine import Database
from service.errors import ConflictError
from service.imagery.products import coarsest_pixel_m
from service.money import Money
from service.orders.delivered import check_delivered_pixels, delivered_counts
from service.orders.repository import find_order, plan_of, statuses_now
from service.orders.tables import GIVEN_UP, Order
from service.plans import making
from service.plans.arrays import PlanArrays, TileValues
from service.plans.counts import SceneCounts
from service.plans.ground import GroundReader
from service.plans.inputs import PlanInputs, find_new_inputs
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.repository import terms_of
from service.rounds.reading import owned_ground, read_owned
from service.rounds.schemas import NextRoundIn
from service.rounds.worth import TwoRounds, describe_round


class NoSecondLookError(ConflictError):
    """A bundle that cannot say what a delivered patch means for the others."""

    code = "no-second-look"
    title = "The bundle plans no second round"


class NoDeliveredPatchError(ConflictError):
    """An order of which no patch was delivered, so that there is nothing to plan by."""

    code = "no-delivered-patch"
    title = "There is no delivered patch to plan by"


@dataclass(frozen=True, kw_only=True)
class OrderToFollow:
    """An order that a plan follows, as it was read, and the inputs of that plan."""

    order: Order
    number: int
    """Number of the new round."""
    plan: Plan
    scene: Scene
    predictor: CountPredictor
    look: SecondLook
    inputs: PlanInputs
    worth_each: Money | None
    """The most that the client would pay for a unit of the gain; None if it was not said."""


def read_order(
    session: Session,
    workspace_id: UUID,
    order_id: UUID,
    wanted: NextRoundIn,
    bundles: Bundles,
    read_ground: GroundReader,
) -> OrderToFollow:
    """Read an order and the inputs of the next plan.

    Errors: not-found, bundle-changed, no-second-look, no-delivered-patch, pixels-deleted, and those of
    a re-plan.
    """
    order = find_order(session, workspace_id, order_id)
    plan = plan_of(session, order)
    predictor, look = _second_look(bundles.of_plan(plan.provenance))
    _check_delivered(session, order)
    check_delivered_pixels(session, order)
    scene = session.get_one(Scene, plan.scene_id)
    worth = wanted.worth_each
    inputs = find_new_inputs(session, plan, scene, wanted.as_replan(), bundles, read_ground)
    return OrderToFollow(
        order=order,
        number=_number(session, plan),
        plan=plan,
        scene=scene,
        predictor=predictor,
        look=look,
        inputs=replace(inputs, revalued_by=predictor.manifest),
        worth_each=None if worth is None else Money.parse(worth, inputs.price_list.currency),
    )


def read_order_again(
    session: Session, old: Plan, order_id: UUID, scene: Scene, inputs: PlanInputs, bundles: Bundles
) -> OrderToFollow:
    """Read an order again, to make the plan `old` of a later round again, which follows it.

    What one is worth stays as the client said it, unless the currency is another one. Errors: bundle-changed,
    no-second-look, pixels-deleted.
    """
    order = find_order(session, old.workspace_id, order_id)
    check_delivered_pixels(session, order)
    plan = plan_of(session, order)
    predictor, look = _second_look(bundles.of_plan(plan.provenance))
    worth = old.bill.get("round", {}).get("worth_each")
    currency = inputs.price_list.currency
    return OrderToFollow(
        order=order,
        number=_number(session, plan),
        plan=plan,
        scene=scene,
        predictor=predictor,
        look=look,
        inputs=replace(inputs, revalued_by=predictor.manifest),
        worth_each=Money.parse(worth["amount"], currency)
        if worth and worth["currency"] == currency
        else None,
    )


def make_round(database: Database, followed: OrderToFollow, quote_days: int) -> Plan:
    """Read the owned patches and choose what else to buy; return a plan that is not stored.

    No session is open while patches are read or the plan is chosen. Error: no-delivered-patch.
    """
    arrays, grid = PlanArrays.of(followed.plan), grid_of(followed.scene)
    if arrays.counts is None:
        raise TypeError(f"plan {followed.plan.id} of a bundle that counts has no counts")
    first = arrays.counts.first  # every round revises what LR led to expect: no reading counts twice
    coarsest_m = coarsest_pixel_m(followed.inputs.ordered_m)
    ground = owned_ground(grid, arrays.eligible, followed.inputs.bought, coarsest_m)
    owned = read_owned(database, ground, followed.predictor, followed.scene.sha256, first)
    if not owned.read.any():
        raise NoDeliveredPatchError(
            f"No delivered patch of order {followed.order.id} is owned any more: what was refunded in full "
            "does not count. Plan the scene again.",
            order=str(followed.order.id),
        )
    now = revise_counts(first, owned.readings, owned.older, grid.columns, followed.look)
    values = TileValues(
        utilities=arrays.utilities,
        valid_share=arrays.valid_share,
        counts=SceneCounts.after(first, owned.readings, now),
    )
    new = making.decide_round(
        followed.plan, followed.scene, followed.order.id, values, followed.inputs, quote_days
    )
    rounds = TwoRounds(
        order_id=followed.order.id,
        number=followed.number,
        before=followed.plan,
        new=new,
        delivered=owned.of_order.get(followed.order.id, 0),
        grid=grid,
        manifest=followed.predictor.manifest,
        terms=terms_of(followed.inputs.price_list),
        worth_each=followed.worth_each,
    )
    new.bill = new.bill | {"round": describe_round(rounds)}
    return new


def _second_look(predictor: Predictor) -> tuple[CountPredictor, SecondLook]:
    manifest = predictor.manifest
    named = {"bundle": manifest.name, "version": manifest.version}
    if not isinstance(predictor, CountPredictor) or not isinstance(manifest, CountManifest):
        raise NoSecondLookError(
            f"The order's plan was made with the bundle {manifest.name} {manifest.version}, which labels "
            "tiles and counts nothing. A second round needs a bundle that counts: GET /v1/bundles lists all.",
            **named,
        )
    if manifest.second_look is None:
        raise NoSecondLookError(
            f"The bundle {manifest.name} {manifest.version} counts, but it was released without the numbers "
            "that say what a read patch means for its neighbours. Plan the scene again with a newer bundle; "
            "delivered patches are reused at no cost.",
            **named,
        )
    return predictor, manifest.second_look


def _check_delivered(session: Session, order: Order) -> None:
    if not order.patches or delivered_counts(session, [order.id]):
        return
    now = statuses_now(session, [order.id])[order.id]
    status = now.replace("_", " ")
    remedy = (
        "They are no longer awaited: plan the scene again."
        if now in GIVEN_UP
        else "A second round is planned by what delivered patches show: deliver some first "
        "(`loupe deliver ORDER FILE`)."
    )
    raise NoDeliveredPatchError(
        f"Order {order.id} has the status {status}, and none of its {order.patches} patches was delivered. "
        + remedy,
        order=str(order.id),
        order_status=status,
    )


def _number(session: Session, plan: Plan) -> int:
    """Return the number of the round that follows a plan, 2 after a first one."""
    number = 2
    while plan.follows is not None:
        plan = plan_of(session, session.get_one(Order, plan.follows))
        number += 1
    return number
