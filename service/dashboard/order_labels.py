"""Actions on the labels of an order, and the plan of its next round."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy.orm import Session

from service.bundles.registry import BundlesDep
from service.classification.routes import classify_order
from service.classification.schemas import ClassificationIn
from service.dashboard.forms import FormDep, Onward, read_fields
from service.dashboard.labels import true_labels
from service.dashboard.orders import on_order
from service.dashboard.session import PATH
from service.plans.ground import GroundDep
from service.rounds.routes import plan_next_round
from service.rounds.schemas import NextRoundIn
from service.settings import BlobsDep, SettingsDep
from service.truth.routes import put_truth
from service.truth.schemas import TruthIn
from service.web.turns import CountingTurnDep, TurnDep

router = APIRouter(prefix=f"{PATH}/orders", include_in_schema=False)
LATER = "The scene is large, so its tiles are labelled as a job. Load this page again in a while."


@router.post("/{order_id}/classification", name="classify_on_page")
def classify(
    form: FormDep,
    order_id: UUID,
    bundles: BundlesDep,
    blobs: BlobsDep,
    settings: SettingsDep,
    _turn: TurnDep,
    allow_partial: Annotated[bool, Form()] = False,
) -> Response:
    """Label the tiles of an order from its delivered patches."""

    def do() -> str:
        wanted = ClassificationIn(allow_partial=allow_partial)
        answer = classify_order(
            order_id, form.visitor, form.database, bundles, blobs, settings, None, False, wanted, form.key
        )
        body = json.loads(bytes(answer.body))
        if answer.status_code == 202:
            return LATER
        summary = body["summary"]
        return (
            f"{summary['tiles']:,} tiles are labelled. The patches changed {summary['changed']:,} labels "
            "against low resolution only."
        )

    return form.attempt("classify_order", do, **on_order(form, order_id))


@router.post("/{order_id}/next-round", name="next_round_on_page")
def next_round(
    form: FormDep,
    order_id: UUID,
    bundles: BundlesDep,
    blobs: BlobsDep,
    settings: SettingsDep,
    read_ground: GroundDep,
    _turn: TurnDep,
    max_cost: Annotated[str, Form(max_length=20)] = "",
    worth_each: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Plan what else is worth buying after what the delivered patches show."""

    def do() -> Onward:
        wanted = read_fields(NextRoundIn, max_cost=max_cost.strip(), worth_each=worth_each.strip())
        answer = plan_next_round(
            order_id, form.visitor, form.database, bundles, settings, blobs, read_ground, None, False, wanted,
            form.key,
        )  # fmt: skip
        body = json.loads(bytes(answer.body))
        if answer.status_code == 202:
            return Onward(f"{PATH}/jobs/{body['id']}", "The scene is large, so the plan is made as a job.")
        notice = f"This is round {body['round']['number']}. {body['round']['verdict']}"
        return Onward(f"{PATH}/plans/{body['id']}", notice)

    return form.attempt("plan_next_round", do, **on_order(form, order_id))


async def text_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form that has one field for each tile."""
    form = await request.form()
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


@router.post("/{order_id}/truth", name="give_truth_on_page")
def give_truth(
    form: FormDep,
    order_id: UUID,
    bundles: BundlesDep,
    _turn: CountingTurnDep,
    fields: Annotated[dict[str, str], Depends(text_fields)],
) -> Response:
    """Keep the true labels of the tiles on the page."""

    def do() -> str:
        given = read_fields(TruthIn, tiles=true_labels(fields))

        def store(session: Session) -> str:
            known = put_truth(order_id, form.visitor, given, session, bundles)
            if known.score is None or not known.score.tiles:
                return "The true labels are kept. No tile has both a label and a true label now."
            return (
                f"The true labels are kept. {known.score.right:,} of {known.score.tiles:,} labels are right, "
                f"and {known.score.lr_right:,} would be right from low resolution only."
            )

        return form.store_once(given.model_dump_json(), store=store)

    return form.attempt("put_truth", do, **on_order(form, order_id))
