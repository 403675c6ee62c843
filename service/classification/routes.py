"""Classifications over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Response
from sqlalchemy.orm import Session

from service.access.caller import CallerDep
from service.bundles.registry import BundlesDep
from service.classification.repository import find_classification, keep_classification, outdated_since
from service.classification.schemas import ClassificationIn, ClassificationOut
from service.classification.tables import Classification
from service.classification.work import Classifying
from service.database.engine import DatabaseDep, SessionDep
from service.jobs.answering import ACCEPTED, answer_now_or_later
from service.orders.schemas import OrderPath
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, KeyedRequest, OptionalKeyDep, compute_once, fingerprint
from service.web.openapi import problems
from service.web.preferences import AsyncDep
from service.web.turns import TurnDep

router = APIRouter(prefix="/v1", tags=["classification"], responses=problems(401))


@router.post(
    "/orders/{order_id}/classification",
    name="classify_order",
    status_code=201,
    response_model=ClassificationOut,
    summary="Classify an order's scene",
    responses={**ACCEPTED, **problems(404, 409, 410, 422, 429, 503)},
)
def classify_order(  # noqa: PLR0913  (a route's parameters are its dependencies)
    order_id: OrderPath,
    caller: CallerDep,
    database: DatabaseDep,
    bundles: BundlesDep,
    blobs: BlobsDep,
    settings: SettingsDep,
    _turn: TurnDep,
    later: AsyncDep,
    wanted: Annotated[ClassificationIn, Body(default_factory=ClassificationIn)],
    key: OptionalKeyDep = None,
) -> Response:
    """Label every planned tile of an order's scene from its delivered patches.

    Each label stands beside the label from low resolution only. While patches are missing, the answer is
    409 `delivery-incomplete`, which names them, unless `allow_partial` is set. With `Prefer: respond-async`,
    and for a scene of more tiles than the server classifies within a request, it is 202 with a job.
    """
    classifying = Classifying(database=database, bundles=bundles, settings=settings, blobs=blobs)
    request_print = fingerprint(f"POST /v1/orders/{order_id}/classification", wanted.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)

    def compute() -> Classification:
        return classifying.classify(caller.workspace_id, order_id, wanted, settings.request_tiles)

    return answer_now_or_later(
        request,
        caller,
        blobs,
        now=lambda: compute_once(request, compute, _store),
        to_job=lambda: classifying.to_job(caller, order_id, wanted),
        later=later,
    )


def _store(session: Session, made: Classification) -> Answer:
    kept = keep_classification(session, made)
    written = ClassificationOut.of(kept, outdated_since(session, kept))
    body = written.model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/classifications/{made.id}"})


@router.get(
    "/classifications/{classification_id}",
    response_model_exclude_none=True,
    summary="Show a classification",
    responses=problems(404, 422),
)
def get_classification(
    classification_id: Annotated[UUID, Path(description="Id of the classification.")],
    caller: CallerDep,
    session: SessionDep,
) -> ClassificationOut:
    """Show the labels as they were made; a later classification never changes them.

    `outdated` says whether patches were delivered, or delivered again, after those that the labels use.
    """
    made = find_classification(session, caller.workspace_id, classification_id)
    return ClassificationOut.of(made, outdated_since(session, made))
