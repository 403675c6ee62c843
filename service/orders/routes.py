"""Orders and their deliveries over HTTP."""

from typing import Annotated, Any, ClassVar, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service import blobs as storage
from service.access.caller import CallerDep
from service.access.repository import Caller
from service.database.engine import Database, DatabaseDep, SessionDep
from service.errors import LoupeError
from service.orders.approval import decide
from service.orders.decoding import DecodeDep
from service.orders.deliveries import Upload, deliver
from service.orders.ending import cancel_order
from service.orders.expiry import expire_before_writing
from service.orders.lifecycle import place_order
from service.orders.paying import Price
from service.orders.repository import delivered_sha256, find_order, page_of_orders
from service.orders.schemas import ApprovalIn, DeliveryOut, OrderIn, OrderOut, OrderSummary, StatusStep
from service.orders.views import full, receipt, steps, summaries
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, KeyedRequest, RequiredKeyDep, fingerprint, store_once
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links

router = APIRouter(prefix="/v1/orders", tags=["orders"], responses=problems(401))
MEDIA_TYPES = ("image/tiff", "application/octet-stream")
RAW_FILE = {"type": "string", "format": "binary"}
FILE_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {kind: {"schema": RAW_FILE} for kind in MEDIA_TYPES}}
}


class PatchMediaTypeError(LoupeError):
    """A delivered patch is a raw GeoTIFF, nothing around it."""

    status: ClassVar[int] = 415
    code = "unsupported-media-type"
    title = "Send the GeoTIFF itself"


async def get_upload(
    request: Request,
    order_id: UUID,
    tile: int,
    patch: int,
    _caller: CallerDep,  # before the body: nobody unknown gets to send one
    bands: Annotated[str | None, Query(max_length=50, description="R,G,B counted from 1")] = None,
    radiometry: Annotated[str | None, Query(max_length=50, description="as in POST /v1/plans")] = None,
    price: Annotated[
        str | None,
        Query(pattern=r"^\d{1,15}(\.\d{1,3})?$", description="what it costs, where that is not as planned"),
    ] = None,
    accept_price: Annotated[bool, Query(description="hold more for it if need be")] = False,
) -> Upload:
    """Return the uploaded file and its place; the body cap bounds it, 415 for any other kind of body."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise PatchMediaTypeError(
            f"The body is {media_type or 'of no named type'}; send {' or '.join(MEDIA_TYPES)}.",
            accepted=list(MEDIA_TYPES),
        )
    return Upload(
        order_id=order_id,
        tile=tile,
        patch=patch,
        body=await request.body(),
        bands=bands,
        radiometry=radiometry,
        price=None if price is None else Price(amount=price, accepted=accept_price),
    )


UploadDep = Annotated[Upload, Depends(get_upload)]


@router.post(
    "",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=OrderOut,
    summary="Order a plan's patches: its cost is held on a budget",
    openapi_extra={"x-billable": True},
    responses=problems(400, 402, 404, 409, 422),
)
def create_order(
    order: OrderIn, caller: CallerDep, database: DatabaseDep, settings: SettingsDep, key: RequiredKeyDep
) -> Response:
    """Needs an Idempotency-Key. 402 `budget-exceeded` says what is available and what is required.

    An order above its budget's `approval_above` is `held`: another key decides on it.
    """
    request_print = fingerprint("POST /v1/orders", order.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _place(session, caller, order, settings.order_days))


def _place(session: Session, caller: Caller, order: OrderIn, days: int) -> Answer:
    placed, warnings = place_order(session, caller, order.plan, order.budget, days)
    body = full(session, placed, warnings).model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/orders/{placed.id}"})


@router.get(
    "", response_model_exclude_none=True, summary="List orders, newest first", responses=problems(422)
)
def list_orders(
    request: Request, caller: CallerDep, session: SessionDep, page: PageDep
) -> Page[OrderSummary]:
    """Every order of the workspace, without its patches."""
    orders, following = page_of_orders(session, caller.workspace_id, page)
    return Page(items=summaries(session, orders), links=page_links(request, following))


@router.get(
    "/{order_id}",
    response_model_exclude_none=True,
    summary="Show an order: what it awaits, where to send it, what was paid",
    responses=problems(404, 422),
)
def get_order(order_id: UUID, caller: CallerDep, session: SessionDep) -> OrderOut:
    """Where it stands, its history, and at most 4,096 awaited patches with footprint and upload link."""
    return full(session, find_order(session, caller.workspace_id, order_id))


@router.post(
    "/{order_id}/cancel",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Cancel an order: what was not delivered is released",
    responses=problems(404, 409, 422),
)
def cancel(order_id: UUID, caller: CallerDep, session: SessionDep) -> OrderOut:
    """An order that was given up stays as it is; delivered patches stay paid."""
    return full(session, cancel_order(session, caller, order_id))


@router.get(
    "/{order_id}/statuses",
    response_model_exclude_none=True,
    summary="Show where an order stood, when, why and by whose key",
    responses=problems(404, 422),
)
def list_statuses(
    request: Request, order_id: UUID, caller: CallerDep, session: SessionDep
) -> Page[StatusStep]:
    """Every step, oldest first."""
    order = find_order(session, caller.workspace_id, order_id)
    return Page(items=steps(session, order), links=page_links(request, None))


@router.post(
    "/{order_id}/approval",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Approve or reject a held order, with another key than it was placed with",
    responses=problems(403, 404, 409, 422),
)
def approve(order_id: UUID, wanted: ApprovalIn, caller: CallerDep, session: SessionDep) -> OrderOut:
    """An approved order takes deliveries; a rejected one releases its money. Decided once."""
    return full(session, decide(session, caller, order_id, wanted))


@router.put(
    "/{order_id}/tiles/{tile}/patches/{patch}",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=DeliveryOut,
    summary="Deliver a bought patch: the GeoTIFF itself, paid from the hold once",
    responses={
        200: {"model": DeliveryOut, "description": "these bytes were delivered before"},
        **problems(402, 403, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=FILE_BODY | {"x-billable": True},
)
def put_patch(
    request: Request,
    caller: CallerDep,
    upload: UploadDep,
    session: SessionDep,
    decode: DecodeDep,
    blobs: BlobsDep,
) -> Response:
    """The file must cover the patch; any CRS, extent and finer resolution will do. Safe to repeat.

    It is paid its share of the plan's cost, or `price`: a lower one leaves the difference held until the
    order ends, a higher one takes what the hold has beyond the other patches' shares, and is refused with
    409 `price-exceeds-hold` where that is too little, unless `accept_price`.
    """
    database = cast(Database, request.state.database)
    delivery, is_new = deliver(database, session, caller, upload, decode, blobs)
    order = find_order(session, caller.workspace_id, upload.order_id)
    content = receipt(order, delivery).model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, 201 if is_new else 200)


@router.get(
    "/{order_id}/tiles/{tile}/patches/{patch}",
    response_class=Response,
    summary="Download a delivered patch, byte for byte",
    responses={200: {"content": {"image/tiff": {}}, "description": "the GeoTIFF"}, **problems(404, 422, 503)},
)
def get_patch(
    order_id: UUID, tile: int, patch: int, caller: CallerDep, session: SessionDep, blobs: BlobsDep
) -> Response:
    """The file as it was delivered: its SHA-256 is the one in the receipt."""
    order = find_order(session, caller.workspace_id, order_id)
    sha256 = delivered_sha256(session, order.id, tile, patch)
    return Response(storage.get(blobs, sha256), media_type="image/tiff")
