"""Files that a client sends for bought patches: how to read them, their place, and what a patch cost."""

import hashlib
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from service.access.caller import CallerDep
from service.blobs import SpooledFile, spooling
from service.deliveries.decoding import ReadAs
from service.errors import InvalidInputError, MediaTypeError
from service.orders.checklist import Place
from service.orders.schemas import OrderPath
from service.orders.storage import LackDep, StorageUsedUpError
from service.settings import BlobsDep
from service.web.values import AmountText, YesOrNo

PATCH_MEDIA_TYPES = ("image/tiff", "application/octet-stream")
_RAW_FILE = {"type": "string", "format": "binary"}
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The GeoTIFF itself.",
        "required": True,
        "content": {kind: {"schema": _RAW_FILE} for kind in PATCH_MEDIA_TYPES},
    }
}
"""OpenAPI description of the body of one patch, which is read as bytes."""
FILE_MEDIA_TYPES = (
    "image/tiff",
    "application/zip",
    "application/x-zip-compressed",
    "application/octet-stream",
)
ANY_FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "A GeoTIFF, or a zip archive with GeoTIFFs as the provider sent it.",
        "required": True,
        "content": {kind: {"schema": _RAW_FILE} for kind in FILE_MEDIA_TYPES},
    }
}
"""OpenAPI description of the body of a file for many patches, which is spooled to disk."""
WRITTEN_AT_ONCE = 1024 * 1024
"""Bytes that are collected in memory before they are written."""

TilePath = Annotated[int, Path(description="Number of the tile in the plan, from 0.")]
PatchPath = Annotated[int, Path(description="Number of the patch in its tile, 0 to 15, column by column.")]


class PatchMediaTypeError(MediaTypeError):
    """A delivery whose body is not declared as a raw GeoTIFF."""

    title = "Send the GeoTIFF itself"


class PriceNotAcceptedError(InvalidInputError):
    """A price for a file that delivers many patches."""

    code = "price-not-accepted"
    title = "A price applies to one patch"


@dataclass(frozen=True, kw_only=True)
class AskedPrice:
    """A provider's price for one patch, such as "12.34"; `accepted` also when it exceeds the hold."""

    amount: str
    accepted: bool = False


@dataclass(frozen=True, kw_only=True)
class DeliveryUpload:
    """One file for one patch of an order.

    `price` is given when the patch did not cost its share of the plan's cost.
    """

    order_id: UUID
    tile: int
    patch: int
    body: bytes
    read_as: ReadAs
    price: AskedPrice | None = None
    accept_late: bool = False
    lack: StorageUsedUpError | None = None
    """Refusal of the file if it is new, when the workspace has no room for it."""

    @property
    def place(self) -> Place:
        """Tile and patch."""
        return self.tile, self.patch

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes as they came."""
        return hashlib.sha256(self.body).hexdigest()


def get_read_as(
    bands: Annotated[
        str | None,
        Query(
            max_length=50,
            description="Red, green and blue band of the file, counted from 1, such as `3,2,1`. Default: "
            "`delivery_bands` of the price list, or else what the file says.",
        ),
    ] = None,
    radiometry: Annotated[
        str | None, Query(max_length=50, description="Meaning of the pixel values, as in `POST /v1/plans`.")
    ] = None,
    accept_unlike: Annotated[
        YesOrNo,
        Query(
            description="Take a patch even if it does not look like the scene that it was bought for; the "
            "receipt states it as a warning. Otherwise the answer is 409 `patch-unlike-scene`."
        ),
    ] = False,
) -> ReadAs:
    """Return how to read a delivered file."""
    return ReadAs(bands=bands, radiometry=radiometry, accept_unlike=accept_unlike)


ReadAsDep = Annotated[ReadAs, Depends(get_read_as)]


def get_price(
    price: Annotated[
        AmountText | None,
        Query(
            description="Price of the patch in the order's currency. Default: its share of the plan's cost.",
        ),
    ] = None,
    accept_price: Annotated[
        YesOrNo, Query(description="Hold more money on the budget if the price exceeds the order's hold.")
    ] = False,
) -> AskedPrice | None:
    """Return the price that is asked for one patch."""
    return None if price is None else AskedPrice(amount=price, accepted=accept_price)


AcceptLate = Annotated[
    YesOrNo,
    Query(
        description="Take patches of an order that has expired: their cost is held on its budget again and "
        "the bill for everything that came is settled. Without effect on other orders."
    ),
]


async def get_upload(
    request: Request,
    order_id: OrderPath,
    tile: TilePath,
    patch: PatchPath,
    _caller: CallerDep,  # checked before the body is read: an unknown caller cannot send one
    read_as: ReadAsDep,
    price: Annotated[AskedPrice | None, Depends(get_price)],
    lack: LackDep,
    accept_late: AcceptLate = False,
) -> DeliveryUpload:
    """Read the uploaded file, which the body cap bounds; PatchMediaTypeError (415) for another body."""
    _check_media_type(request, PATCH_MEDIA_TYPES)
    return DeliveryUpload(
        order_id=order_id,
        tile=tile,
        patch=patch,
        body=await request.body(),
        read_as=read_as,
        price=price,
        accept_late=accept_late,
        lack=lack,
    )


UploadDep = Annotated[DeliveryUpload, Depends(get_upload)]


@dataclass(frozen=True, kw_only=True)
class FileUpload:
    """A file or an archive for any patches of an order, spooled to disk."""

    order_id: UUID
    file: SpooledFile
    read_as: ReadAs
    accept_late: bool = False
    lack: StorageUsedUpError | None = None
    """Refusal of files that are new, when the workspace has no room for the upload."""

    def check_room(self, file: SpooledFile, known: Set[str]) -> None:
        """Raise storage-used-up for a file of the upload that is not `known`, if there is no room for it."""
        if self.lack is not None and file.sha256 not in known:
            raise self.lack


async def get_file_upload(
    request: Request,
    order_id: OrderPath,
    _caller: CallerDep,  # checked before the body is read
    read_as: ReadAsDep,
    blobs: BlobsDep,
    lack: LackDep,
    accept_late: AcceptLate = False,
    price: Annotated[
        str | None,
        Query(
            deprecated=True,
            description="Not accepted here: every patch is paid its share of the plan's cost. Deliver a "
            "patch at another price with `PUT /v1/orders/{order_id}/tiles/{tile}/patches/{patch}`.",
        ),
    ] = None,
) -> AsyncIterator[FileUpload]:
    """Spool the body to disk while it arrives, and remove it afterwards unless it was kept.

    Errors: PatchMediaTypeError (415), PriceNotAcceptedError (422), 413 from the body cap.
    """
    _check_media_type(request, FILE_MEDIA_TYPES)
    if price is not None:
        raise PriceNotAcceptedError(
            "A file for many patches takes no price, because each patch is paid its share of the plan's "
            "cost. Deliver the patches that cost something else one by one, with their price."
        )
    with spooling(blobs) as spool:
        waiting = bytearray()
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) >= WRITTEN_AT_ONCE:
                await run_in_threadpool(spool.write, waiting)
                waiting.clear()
        await run_in_threadpool(spool.write, waiting)
        file = await run_in_threadpool(spool.close)
        yield FileUpload(order_id=order_id, file=file, read_as=read_as, accept_late=accept_late, lack=lack)


FileUploadDep = Annotated[FileUpload, Depends(get_file_upload, scope="function")]


def _check_media_type(request: Request, accepted: Sequence[str]) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in accepted:
        said = f"is {media_type}" if media_type else "has no Content-Type"
        raise PatchMediaTypeError(
            f"The request body {said}. Send the file as {' or '.join(accepted)}.", accepted=list(accepted)
        )
