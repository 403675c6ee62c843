"""Classifications over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.bundles.predictor import PredictorDep
from service.classification.labelling import Studio, classify_order
from service.classification.labels import summarise
from service.classification.repository import find_classification
from service.classification.schemas import ClassificationIn, ClassificationOut
from service.classification.tables import Classification
from service.database.engine import SessionDep
from service.orders.repository import find_order
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import OptionalKeyDep, fingerprint, remember, replay_or_claim
from service.web.openapi import problems
from service.web.paging import Link

router = APIRouter(prefix="/v1", tags=["classification"], responses=problems(401))


@router.post(
    "/orders/{order_id}/classification",
    status_code=201,
    response_model=ClassificationOut,
    summary="Label every tile of an order's scene from what was delivered",
    responses=problems(404, 409, 422, 503),
)
def classify(
    order_id: UUID,
    caller: CallerDep,
    session: SessionDep,
    predictor: PredictorDep,
    blobs: BlobsDep,
    settings: SettingsDep,
    wanted: Annotated[ClassificationIn, Body(default_factory=ClassificationIn)],
    key: OptionalKeyDep = None,
) -> Response:
    """Each label stands beside what low resolution alone says. 409 names the patches still missing."""
    if key is not None:
        path = f"POST /v1/orders/{order_id}/classification"
        request_print = fingerprint(path, wanted.model_dump_json())
        if stored := replay_or_claim(session, caller.workspace_id, key, request_print):
            return stored.response()
    order = find_order(session, caller.workspace_id, order_id)
    studio = Studio(predictor=predictor, blobs=blobs, settings=settings)
    made = classify_order(session, order, studio, allow_partial=wanted.allow_partial)
    body = written(made)
    if key is not None:
        remember(session, caller.workspace_id, key, 201, body)
    return JSONResponse(body, 201, headers={"Location": f"/v1/classifications/{made.id}"})


@router.get(
    "/classifications/{classification_id}",
    response_model=ClassificationOut,
    summary="Show a classification",
    responses=problems(404, 422),
)
def get_classification(classification_id: UUID, caller: CallerDep, session: SessionDep) -> Response:
    """The labels as they were made; a later classification never changes them."""
    return JSONResponse(written(find_classification(session, caller.workspace_id, classification_id)))


def written(made: Classification) -> dict[str, Any]:
    """Write a stored classification for JSON."""
    out = ClassificationOut(
        id=made.id,
        order=made.order_id,
        plan=UUID(made.provenance["plan"]),
        created_at=made.created_at,
        complete=made.complete,
        summary=summarise(made.tiles),
        tiles=made.tiles,
        provenance=made.provenance,
        links=[
            Link(rel="self", href=f"/v1/classifications/{made.id}"),
            Link(rel="order", href=f"/v1/orders/{made.order_id}"),
            Link(rel="plan", href=f"/v1/plans/{made.provenance['plan']}"),
        ],
    )
    return out.model_dump(mode="json", exclude_none=True)
