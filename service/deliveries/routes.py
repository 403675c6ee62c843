"""Deliveries over HTTP: files for bought patches."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from service.access.caller import CallerDep
from service.blobs import folder_of, open_checked
from service.bundles.registry import BundlesDep
from service.database.engine import DatabaseDep
from service.deliveries.many_patches import receive_files
from service.deliveries.one_patch import Intake, receive_delivery
from service.deliveries.schemas import DeliveryOut
from service.deliveries.settling import Effect
from service.deliveries.uploads import ANY_FILE_BODY, FILE_BODY, FileUploadDep, PatchPath, TilePath, UploadDep
from service.deliveries.views import FilesDeliveryOut, files_delivery, receipt
from service.orders.delivered import check_delivered_pixels, file_sha256
from service.orders.expiry import expire_before_writing
from service.orders.repository import find_order
from service.orders.schemas import OrderPath
from service.plans.pixels import reading_files
from service.settings import BlobsDep, SettingsDep
from service.web.open_files import OpenFileResponse
from service.web.openapi import file_answer_of, problems
from service.web.turns import LargeTurnDep, TurnDep

router = APIRouter(prefix="/v1/orders", tags=["orders"], responses=problems(401))


@router.put(
    "/{order_id}/deliveries",
    dependencies=[Depends(expire_before_writing)],
    status_code=201,
    response_model=FilesDeliveryOut,
    summary="Deliver a file or an archive for any number of patches",
    responses={
        201: {
            "description": "Patches or parts of them were stored. Awaited patches that are whole are paid."
        },
        200: {
            "model": FilesDeliveryOut,
            "description": "The same bytes were delivered before; nothing changed.",
        },
        **problems(402, 403, 404, 409, 410, 413, 415, 422, 503, 507),
    },
    openapi_extra=ANY_FILE_BODY | {"x-billable": True},
)
def deliver_file(
    caller: CallerDep,
    upload: FileUploadDep,
    database: DatabaseDep,
    settings: SettingsDep,
    bundles: BundlesDep,
    blobs: BlobsDep,
    _turn: LargeTurnDep,
) -> Response:
    """Deliver a GeoTIFF, or a zip archive as the provider sent it, that shows any part of an order.

    Every bought patch that valid pixels cover is cut out, compared with the scene, stored and paid its share,
    all in one transaction. The answer states the result of each patch. The part of a patch that the file
    shows is kept, and costs nothing until other files show the rest; the patch stays awaited until then.
    A patch that was delivered before gets the new file and costs nothing. The request can be repeated safely:
    the same bytes change nothing. When nothing is delivered and nothing kept, the answer is 409
    `no-patch-covered` with the distance, or 409 `nothing-delivered` with the reasons.
    """
    intake = Intake(database=database, bundles=bundles, blobs=blobs, settings=settings)
    received = receive_files(intake, caller, upload)
    content = files_delivery(received).model_dump(mode="json", exclude_none=True)
    stored = any(one.outcome is not Effect.ALREADY_DELIVERED for one in received.receipts)
    changed = stored or received.kept > 0
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
        **problems(402, 403, 404, 409, 410, 413, 415, 422, 503, 507),
    },
    openapi_extra=FILE_BODY | {"x-billable": True},
)
def deliver_patch(
    caller: CallerDep,
    upload: UploadDep,
    database: DatabaseDep,
    settings: SettingsDep,
    bundles: BundlesDep,
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
    intake = Intake(database=database, bundles=bundles, blobs=blobs, settings=settings)
    stored = receive_delivery(intake, caller, upload)
    content = receipt(stored).model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, 200 if stored.outcome is Effect.ALREADY_DELIVERED else 201)


@router.get(
    "/{order_id}/tiles/{tile}/patches/{patch}",
    response_class=Response,
    summary="Download a delivered patch",
    responses={
        200: {
            "content": file_answer_of("image/tiff", "The bytes of the file."),
            "description": "The GeoTIFF.",
        },
        **problems(404, 410, 422, 503),
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
        check_delivered_pixels(session, order, sha256)
    with reading_files(database, lambda session: check_delivered_pixels(session, order, sha256)):
        file = open_checked(folder_of(blobs, caller.workspace_id), sha256)
    return OpenFileResponse(file, "image/tiff", sha256)
