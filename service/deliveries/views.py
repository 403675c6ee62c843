"""The result of a file for many patches, as JSON."""

from collections import Counter
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.deliveries.collecting import FileReport, FileUse
from service.deliveries.joining import PartlyCovered
from service.deliveries.many_patches import FilesReceipt
from service.deliveries.schemas import DeliveryOut, SupersededFile
from service.deliveries.settling import Effect, Receipt
from service.money import Money
from service.orders.schemas import Footprint
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.values import as_line
from service.web.warnings import WarningOut

PatchOutcome = Literal["settled", "superseded", "already-delivered", "not-covered", "refused"]


class PatchOut(BaseModel):
    """The result for one patch that the upload shows at least in part."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    patch: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    outcome: PatchOutcome = Field(
        description="`settled`: stored and paid. `superseded`: stored beside the earlier files, used now "
        "and free. `already-delivered`: the same bytes were delivered before. `not-covered`: a part of it is "
        "shown, which is kept until other files show the rest. `refused`: shown, but not accepted."
    )
    sha256: str | None = Field(
        None, description="SHA-256 of the GeoTIFF that delivers the patch, or that it was joined to."
    )
    version: int | None = Field(None, description="Version of that file among those of the patch, from 1.")
    supersedes: SupersededFile | None = Field(None, description="The file that was in use before.")
    settled: MoneyOut | None = Field(None, description="Amount that was paid for the patch, once.")
    files: list[str] | None = Field(
        None,
        description="SHA-256 of the files that show the patch together, of this upload and of earlier ones. "
        "Omitted when one file shows it.",
    )
    covered: float | None = Field(
        None, description="Share of the patch's area that all files so far cover, 0 to 1."
    )
    remainder: Footprint | None = Field(
        None, description="Ground that is still missing, in longitude and latitude (EPSG:4326)."
    )
    problem: dict[str, Any] | None = Field(None, description="Reason of a refusal: type, title, detail.")
    warnings: list[WarningOut] | None = Field(None, description="Doubts about an accepted patch.")


class FileOut(BaseModel):
    """Result of one file of the upload."""

    name: str | None = Field(
        None, description="Path in the archive. Omitted for a GeoTIFF that was sent as it is."
    )
    sha256: str | None = Field(
        None, description="SHA-256 of the file. Omitted for a file that was not tried."
    )
    size: int = Field(description="Size of the file in bytes.")
    use: FileUse = Field(
        description="`used`: patches or parts of them were taken from it. `refused`: it was tried and "
        "nothing was taken. `ignored`: it was not tried."
    )
    detail: str | None = Field(None, description="Reason why the file was refused or ignored.")
    checks: dict[str, Any] | None = Field(
        None, description="How the file was read: CRS, size, bands, numbers."
    )


class OutcomeCounts(BaseModel):
    """Numbers of patches by outcome."""

    settled: int = Field(description="Awaited patches that were stored and paid.")
    superseded: int = Field(description="Delivered patches that have a newer file now.")
    already_delivered: int = Field(description="Patches that these bytes had delivered before.")
    not_covered: int = Field(description="Awaited patches of which a part is shown, and kept.")
    refused: int = Field(description="Patches that are shown, but were not accepted.")
    untouched: int = Field(description="Awaited patches that lie outside the upload.")
    left: int = Field(
        description="Covered patches beyond the 4,096 that one upload stores. Send the file again for them."
    )


EXAMPLE: dict[str, Any] = {
    "order": "0f6c2a52-7a0e-4d7e-9a51-5b1b6f1f3c11",
    "settled": {"amount": "0.40", "currency": "USD"},
    "counts": {
        "settled": 1, "superseded": 0, "already_delivered": 0, "not_covered": 1, "refused": 0,
        "untouched": 4, "left": 0,
    },
    "patches": [
        {
            "tile": 0, "patch": 5, "outcome": "settled", "version": 1, "covered": 1.0,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "settled": {"amount": "0.40", "currency": "USD"},
        },
        {
            "tile": 0, "patch": 9, "outcome": "not-covered", "covered": 0.5,
            "files": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
            "remainder": {
                "type": "Polygon",
                "coordinates": [[[9.0, 47.9], [9.01, 47.9], [9.01, 47.92], [9.0, 47.92], [9.0, 47.9]]],
            },
        },
    ],
    "files": [
        {"name": "PSScene/visual.tif", "size": 1048576, "use": "used"},
        {
            "name": "PSScene/udm2.tif", "size": 4096, "use": "ignored",
            "detail": "It is a mask by its name, not imagery.",
        },
    ],
    "links": [{"rel": "order", "href": "/v1/orders/0f6c2a52-7a0e-4d7e-9a51-5b1b6f1f3c11"}],
}  # fmt: skip


class FilesDeliveryOut(BaseModel):
    """The result of a file or an archive for many patches."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    order: UUID = Field(description="Id of the order.")
    settled: MoneyOut = Field(description="Amount that this upload paid in all.")
    counts: OutcomeCounts = Field(description="How many patches have each outcome.")
    patches: list[PatchOut] = Field(description="The patches that the upload shows, in plan order.")
    files: list[FileOut] = Field(description="The file, or every file of the archive.")
    links: list[Link] = Field(description="The order.")


def files_delivery(receipt: FilesReceipt) -> FilesDeliveryOut:
    """Write the result of an upload."""
    order, collected = receipt.order, receipt.collected
    patches = [_stored(one) for one in receipt.receipts]
    patches += [
        PatchOut(tile=tile, patch=patch, outcome="already-delivered", sha256=sha256)
        for (tile, patch), sha256 in collected.already.items()
    ]
    patches += [_partly(one) for one in collected.partly.values()]
    patches += [
        PatchOut(tile=tile, patch=patch, outcome="refused", problem=dict(error.problem()))
        for (tile, patch), error in collected.refused.items()
    ]
    paid = [
        order.money(one.delivery.settled_minor) for one in receipt.receipts if one.outcome is Effect.SETTLED
    ]
    return FilesDeliveryOut(
        order=order.id,
        settled=MoneyOut.of(sum(paid, start=Money(0, order.currency))),
        counts=_counts(patches, receipt),
        patches=sorted(patches, key=lambda one: (one.tile, one.patch)),
        files=[_file(one) for one in collected.reports],
        links=[Link(rel="order", href=f"/v1/orders/{order.id}")],
    )


def _counts(patches: list[PatchOut], receipt: FilesReceipt) -> OutcomeCounts:
    numbers = Counter(one.outcome for one in patches)
    return OutcomeCounts(
        settled=numbers["settled"],
        superseded=numbers["superseded"],
        already_delivered=numbers["already-delivered"],
        not_covered=numbers["not-covered"],
        refused=numbers["refused"],
        untouched=receipt.untouched,
        left=len(receipt.collected.left),
    )


def _stored(one: Receipt) -> PatchOut:
    file, before = one.file, one.supersedes
    warnings = [WarningOut(**warning) for warning in file.checks.get("warnings", ())]
    return PatchOut(
        tile=file.tile,
        patch=file.patch,
        outcome=one.outcome.value,
        sha256=file.sha256,
        version=file.version,
        supersedes=None if before is None else SupersededFile(version=before.version, sha256=before.sha256),
        settled=MoneyOut.of(one.order.money(one.delivery.settled_minor)),
        files=[part["sha256"] for part in file.checks.get("joined_from", ())] or None,
        covered=file.checks.get("covered"),
        warnings=warnings or None,
    )


def _partly(one: PartlyCovered) -> PatchOut:
    tile, patch = one.place
    return PatchOut(
        tile=tile,
        patch=patch,
        outcome="not-covered",
        files=list(one.files),
        covered=one.covered,
        remainder=Footprint.model_validate(one.remainder),
    )


def _file(one: FileReport) -> FileOut:
    return FileOut(
        name=None if one.name is None else as_line(one.name),
        sha256=one.sha256,
        size=one.size,
        use=one.use,
        detail=one.ignored or (None if one.problem is None else one.problem.detail),
        checks=dict(one.checks) or None,
    )


def receipt(stored: Receipt) -> DeliveryOut:
    """Write the receipt of a delivered file from rows that never change."""
    order, file, before = stored.order, stored.file, stored.supersedes
    path = f"/v1/orders/{order.id}"
    patch = f"{path}/tiles/{file.tile}/patches/{file.patch}"
    return DeliveryOut(
        order=order.id,
        tile=file.tile,
        patch=file.patch,
        version=file.version,
        supersedes=None if before is None else SupersededFile(version=before.version, sha256=before.sha256),
        sha256=file.sha256,
        size=file.size,
        settled=MoneyOut.of(order.money(stored.delivery.settled_minor)),
        checks=file.checks,
        delivered_at=file.created_at,
        links=[
            Link(rel="self", href=patch),
            Link(rel="file", href=f"{patch}?version={file.version}"),
            Link(rel="order", href=path),
        ],
    )
