"""Orders and their deliveries over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service import blobs as storage
from service.access.caller import CallerDep
from service.access.repository import Caller
from service.bundles.predictor import PredictorDep
from service.database.engine import DatabaseDep, SessionDep
from service.orders.approval import decide_approval
from service.orders.delivered import file_sha256
from service.orders.deliveries import Intake, receive_delivery
from service.orders.ending import cancel_undelivered
from service.orders.expiry import expire_before_writing
from service.orders.file_deliveries import receive_files
from service.orders.file_views import FilesDeliveryOut, files_delivery
from service.orders.placing import place_order
from service.orders.repository import find_order, page_of_orders
from service.orders.schemas import ApprovalIn, DeliveryOut, OrderIn, OrderOut, OrderSummary, StatusStep
from service.orders.settling import Outcome
from service.orders.uploads import (
    ANY_FILE_BODY,
    FILE_BODY,
    FileUploadDep,
    OrderPath,
    PatchPath,
    TilePath,
    UploadDep,
)
from service.orders.views import full, receipt, steps, summaries
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, KeyedRequest, RequiredKeyDep, fingerprint, store_once
from service.web.openapi import problems
from service.web.paging import Page, PageDep, page_links
from service.web.turns import LargeTurnDep, TurnDep

router = APIRouter(prefix="/v1/orders", tags=["orders"], responses=problems(401))


@router.post(
    "",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=OrderOut,
    summary="Order a plan",
    openapi_extra={"x-billable": True},
    responses=problems(400, 402, 404, 409, 422),
)
def create_order(
    order: OrderIn, caller: CallerDep, database: DatabaseDep, settings: SettingsDep, key: RequiredKeyDep
) -> Response:
    """Order every patch that a plan buys and hold its cost on a budget.

    The request needs an Idempotency-Key. The error 402 `budget-exceeded` names the available and the
    required amount. An order above its budget's `approval_above` is `held` until another key decides on it.
    The error 409 `ground-already-bought` names the orders that own or await patches of the plan, unless the
    plan was made with `reuse=none`. A plan that only reuses ground makes an order without cost, which is
    `completed` at once and can be classified.
    """
    request_print = fingerprint("POST /v1/orders", order.model_dump_json())
    request = KeyedRequest(database, caller.workspace_id, key, request_print)
    return store_once(request, lambda session: _place(session, caller, order, settings.order_days))


def _place(session: Session, caller: Caller, order: OrderIn, days: int) -> Answer:
    placed, warnings = place_order(session, caller, order.plan, order.budget, days)
    body = full(session, placed, warnings).model_dump(mode="json", exclude_none=True)
    return Answer(201, body, {"Location": f"/v1/orders/{placed.id}"})


@router.get("", response_model_exclude_none=True, summary="List orders", responses=problems(422))
def list_orders(
    request: Request, caller: CallerDep, session: SessionDep, page: PageDep
) -> Page[OrderSummary]:
    """List the orders of the workspace without their patches, newest first."""
    orders, following = page_of_orders(session, caller.workspace_id, page)
    return Page(items=summaries(session, orders), links=page_links(request, following))


@router.get(
    "/{order_id}",
    response_model_exclude_none=True,
    summary="Show an order",
    responses=problems(404, 422),
)
def get_order(order_id: OrderPath, caller: CallerDep, session: SessionDep) -> OrderOut:
    """Show an order's status, money and history, and the patches that it awaits.

    At most 4,096 awaited patches are listed, each with its footprint and upload link; as they are delivered,
    the next ones appear. An order that is overdue is shown as expired.
    """
    return full(session, find_order(session, caller.workspace_id, order_id))


@router.post(
    "/{order_id}/cancel",
    name="cancel_order",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Cancel an order",
    responses=problems(404, 409, 422),
)
def cancel_order(order_id: OrderPath, caller: CallerDep, session: SessionDep) -> OrderOut:
    """Cancel the undelivered patches of an order and release their money.

    Delivered patches stay paid. An order that was cancelled, rejected or expired before stays as it is.
    """
    return full(session, cancel_undelivered(session, caller, order_id))


@router.get(
    "/{order_id}/statuses",
    response_model_exclude_none=True,
    summary="List an order's status changes",
    responses=problems(404, 422),
)
def list_statuses(
    request: Request, order_id: OrderPath, caller: CallerDep, session: SessionDep
) -> Page[StatusStep]:
    """List every status of an order with its time, its reason and the key that caused it, oldest first."""
    order = find_order(session, caller.workspace_id, order_id)
    return Page(items=steps(session, order), links=page_links(request, None))


@router.post(
    "/{order_id}/approval",
    name="decide_order",
    dependencies=[Depends(expire_before_writing)],
    response_model_exclude_none=True,
    summary="Approve or reject a held order",
    responses=problems(403, 404, 409, 422),
)
def approve_order(
    order_id: OrderPath, wanted: ApprovalIn, caller: CallerDep, session: SessionDep
) -> OrderOut:
    """Decide once on a held order, with the key of another holder than the one who placed it.

    An approved order takes deliveries. A rejected order ends and releases its money.
    """
    return full(session, decide_approval(session, caller, order_id, wanted))


@router.put(
    "/{order_id}/deliveries",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=FilesDeliveryOut,
    summary="Deliver a file or an archive for any number of patches",
    responses={
        201: {"description": "Patches were stored and those that were awaited are paid."},
        200: {
            "model": FilesDeliveryOut,
            "description": "The same bytes were delivered before; nothing changed.",
        },
        **problems(402, 403, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=ANY_FILE_BODY | {"x-billable": True},
)
def deliver_file(
    caller: CallerDep,
    upload: FileUploadDep,
    database: DatabaseDep,
    settings: SettingsDep,
    predictor: PredictorDep,
    blobs: BlobsDep,
    _turn: LargeTurnDep,
) -> Response:
    """Deliver a GeoTIFF, or a zip archive as the provider sent it, that shows any part of an order.

    Every bought patch that valid pixels cover is cut out, compared with the scene, stored and paid its share,
    all in one transaction. The answer states the result of each patch. Patches that the file does not cover
    stay awaited. A patch that was delivered before gets the new file and costs nothing. The request can be
    repeated safely: the same bytes change nothing. When nothing is delivered, the answer is 409
    `no-patch-covered` with the distance, or 409 `nothing-delivered` with the reasons.
    """
    intake = Intake(database=database, manifest=predictor.manifest, blobs=blobs, settings=settings)
    received = receive_files(intake, caller, upload)
    content = files_delivery(received).model_dump(mode="json", exclude_none=True)
    changed = any(one.outcome is not Outcome.ALREADY_DELIVERED for one in received.receipts)
    return JSONResponse(content, 201 if changed else 200)


@router.put(
    "/{order_id}/tiles/{tile}/patches/{patch}",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=DeliveryOut,
    summary="Deliver a bought patch",
    responses={
        201: {"description": "The file is stored; the patch was paid, now or with an earlier file."},
        200: {"model": DeliveryOut, "description": "The same file was delivered before; nothing changed."},
        **problems(402, 403, 404, 409, 413, 415, 422, 503),
    },
    openapi_extra=FILE_BODY | {"x-billable": True},
)
def deliver_patch(
    caller: CallerDep,
    upload: UploadDep,
    database: DatabaseDep,
    settings: SettingsDep,
    predictor: PredictorDep,
    blobs: BlobsDep,
    _turn: TurnDep,
) -> Response:
    """Deliver the GeoTIFF of one patch, which is checked, stored and paid from the order's hold once.

    Another file for a delivered patch supersedes the earlier one and costs nothing, also after the order has
    ended; `supersedes` names the earlier file, which is kept.

    The file must cover the patch; its CRS and extent are free and its resolution may be finer. The request
    can be repeated safely. A patch costs its share of the plan's cost unless `price` is given. A lower price
    leaves the difference held until the order ends. A higher price uses the rest of the hold beyond the
    other patches' shares. If that is too little, the answer is 409 `price-exceeds-hold` unless
    `accept_price` is set.
    """
    intake = Intake(database=database, manifest=predictor.manifest, blobs=blobs, settings=settings)
    stored = receive_delivery(intake, caller, upload)
    content = receipt(stored).model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, 200 if stored.outcome is Outcome.ALREADY_DELIVERED else 201)


@router.get(
    "/{order_id}/tiles/{tile}/patches/{patch}",
    response_class=Response,
    summary="Download a delivered patch",
    responses={
        200: {"content": {"image/tiff": {}}, "description": "The GeoTIFF."},
        **problems(404, 422, 503),
    },
)
def download_patch(
    order_id: OrderPath,
    tile: TilePath,
    patch: PatchPath,
    caller: CallerDep,
    database: DatabaseDep,
    blobs: BlobsDep,
    version: Annotated[
        int | None, Query(ge=1, description="Version of the file, from 1. Default: the newest, in use.")
    ] = None,
) -> Response:
    """Download a patch's file as it was delivered, byte for byte; its SHA-256 is in the receipt.

    A file that covers many patches is the same for each of them.
    """
    with database.sessions() as session:
        order = find_order(session, caller.workspace_id, order_id)
        sha256 = file_sha256(session, order.id, (tile, patch), version)
    return Response(storage.get(blobs, sha256), media_type="image/tiff")
