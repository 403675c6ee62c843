"""Orders as JSON."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from service.ledger.tags import ExternalId, GivenName, Tag, Tags
from service.orders.final_bill import BillBasis
from service.orders.placing import OrderLabels
from service.orders.tables import OrderStatus
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.values import Day, Note
from service.web.warnings import WarningOut

OrderPath = Annotated[UUID, Path(description="Id of the order.")]


class OrderIn(BaseModel):
    """A plan to buy, and the budget that pays for it."""

    model_config = ConfigDict(extra="forbid")

    plan: UUID = Field(description="Id of the plan to order.")
    budget: UUID | None = Field(
        None,
        description="Id of the budget that pays. Default: the only budget in the plan's currency.",
    )
    name: GivenName | None = Field(None, description="Name of the order, for people. Default: the plan's.")
    external_id: ExternalId | None = Field(
        None, description="Id of the order in a system of yours. Default: the plan's."
    )
    tags: Tags = Field(
        {},
        description="Your own names and values, beside those of the budget. The plan's tags are added; "
        "these win where both have a name.",
        examples=[{"project": "harbours"}],
    )
    cost_center: Tag | None = Field(
        None, description="Cost centre that the order is booked to.", examples=["4711"]
    )

    @property
    def labels(self) -> OrderLabels:
        """Name, external id, tags and cost centre."""
        return OrderLabels(
            name=self.name, external_id=self.external_id, tags=self.tags, cost_center=self.cost_center
        )


class OrderNamesIn(BaseModel):
    """A change of an order's names: a JSON merge patch (RFC 7396). Omitted members stay, null removes."""

    model_config = ConfigDict(extra="forbid")

    name: GivenName | None = Field(None, description="Name of the order, for people.")
    external_id: ExternalId | None = Field(None, description="Id of the order in a system of yours.")


class DeadlineIn(BaseModel):
    """A later last day for the patches of an order."""

    model_config = ConfigDict(extra="forbid")

    last_day: Day = Field(
        description="Last day (UTC) on which the order awaits its patches; after the present deadline.",
        examples=["2026-12-31"],
    )
    note: Note | None = Field(None, description="Reason, kept in the order's history.")


class Amounts(BaseModel):
    """The order's money: total = held + settled + released, and net = settled - refunded + charged."""

    total: MoneyOut = Field(description="Amount that was held for the order in all.")
    held: MoneyOut = Field(description="Amount that is still held for awaited patches.")
    settled: MoneyOut = Field(description="Amount that was paid for delivered patches.")
    released: MoneyOut = Field(description="Amount that went back to the budget.")
    refunded: MoneyOut = Field(description="Amount that was refunded after payment.")
    charged: MoneyOut = Field(description="Amount that was charged later.")
    net: MoneyOut = Field(description="Final cost of the order.")


class PatchCounts(BaseModel):
    """The number of patches that were bought, were delivered, and are still awaited."""

    bought: int = Field(description="Number of patches that the order buys.")
    delivered: int = Field(description="Number of patches that were delivered.")
    awaited: int = Field(description="Number of patches that can still be delivered.")


class StatusStep(BaseModel):
    """One step of the order's history."""

    status: OrderStatus = Field(description="Status from this step on.")
    reason_code: str = Field(description="Cause of the step, such as `hold_taken` or `all_delivered`.")
    at: datetime = Field(description="Time of the step (UTC).")
    by: str | None = Field(
        None, description="Id of the key that caused the step. Omitted when the order expired."
    )
    note: str | None = Field(None, description="Note that was sent with a decision or a new deadline.")
    expires_at: datetime | None = Field(
        None, description="Deadline (UTC) from this step on. Omitted where the step does not set it."
    )


Rings = list[list[tuple[float, float]]]


class Footprint(BaseModel):
    """RFC 7946 geometry in longitude and latitude (EPSG:4326), in two parts across the antimeridian."""

    type: Literal["Polygon", "MultiPolygon"] = Field(description="GeoJSON type of the geometry.")
    coordinates: Rings | list[Rings] = Field(description="GeoJSON coordinates, longitude first.")


class AwaitedPatch(BaseModel):
    """A bought patch that has not been delivered: send a file that covers `footprint` to `upload`."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    patch: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    row: int = Field(description="Row of the patch in its tile, 0 to 3 from the top.")
    col: int = Field(description="Column of the patch in its tile, 0 to 3 from the left.")
    footprint: Footprint = Field(description="Outline of the patch, which the file must cover.")
    upload: str = Field(description="Path to `PUT` the file to.")


class DeliveredPatch(BaseModel):
    """A patch that was delivered and paid for."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    patch: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    version: int = Field(description="Version of the file in use, from 1; higher after a redelivery.")
    sha256: str = Field(description="SHA-256 of the newest delivered file, which is the one in use.")
    files: list[str] | None = Field(
        None,
        description="SHA-256 of the files that the patch was joined from. Omitted when one file shows it.",
    )
    size: int = Field(description="Size of that file in bytes.")
    settled: MoneyOut = Field(description="Amount that was paid for the patch, once.")
    delivered_at: datetime = Field(description="Time of the delivery of that file (UTC).")


class PartlyDeliveredPatch(BaseModel):
    """A patch of which files show a part. They are kept; nothing is paid until other files show the rest."""

    tile: int = Field(description="Number of the tile in the plan, from 0.")
    patch: int = Field(description="Number of the patch in its tile, 0 to 15, column by column.")
    covered: float = Field(description="Share of the patch's area that the files cover together, 0 to 1.")
    remainder: Footprint | None = Field(
        None,
        description="Ground that is still missing, in longitude and latitude (EPSG:4326). Omitted when the "
        "files cover the patch but were not accepted together.",
    )
    files: list[str] = Field(description="SHA-256 of the files, oldest first.")


class BilledPatches(BaseModel):
    """The provider's bill for the patches that came, beside what was settled for them."""

    patches: int = Field(description="Number of delivered patches.")
    billed: MoneyOut = Field(description="Provider's bill for the delivered patches.")
    difference: MoneyOut = Field(
        description="Amount of that bill beyond what the deliveries settled; it is settled when the order "
        "ends (reference `bill:ORDER`), and after patches that came late (`bill:ORDER#1`)."
    )
    basis: BillBasis = Field(
        description="`terms`: billed by the terms of the plan's price list. `prices`: the sum of the "
        "payments, because prices were sent with the files."
    )


class CancelPreview(BaseModel):
    """The result of cancelling an order now."""

    order: UUID = Field(description="Id of the order.")
    delivered: int = Field(description="Number of delivered patches, which stay paid.")
    awaited: int = Field(description="Number of patches that would be cancelled.")
    settled: MoneyOut = Field(description="Amount settled so far.")
    billed: MoneyOut = Field(description="Provider's bill for the delivered patches.")
    difference: MoneyOut = Field(description="Amount that cancelling would settle.")
    released: MoneyOut = Field(description="Amount that cancelling would release to the budget.")
    detail: str = Field(description="The same in one sentence.")
    links: list[Link] = Field(description="The order, and the action that cancels it.")


class OrderSummary(BaseModel):
    """An order in a list."""

    id: UUID = Field(description="Id of the order.")
    plan: UUID = Field(description="Id of the plan that it buys.")
    budget: UUID = Field(description="Id of the budget that pays.")
    name: str | None = Field(None, description="Name of the order. Omitted without one.")
    external_id: str | None = Field(
        None, description="Id of the order in a system of yours. Omitted without one."
    )
    tags: dict[str, str] = Field(
        description="The order's own names and values. Exports show the budget's tags beside them; the "
        "order's win where both have a name."
    )
    cost_center: str | None = Field(None, description="Cost centre of the order. Omitted without one.")
    status: OrderStatus = Field(description="Status of the order now.")
    created_at: datetime = Field(description="Time at which the order was placed (UTC).")
    expires_at: datetime = Field(description="Time at which undelivered patches are cancelled (UTC).")
    amounts: Amounts = Field(description="The order's money.")
    counts: PatchCounts = Field(description="Numbers of patches.")
    links: list[Link] = Field(description="Related resources and the actions that are possible now.")


class OrderPatches(BaseModel):
    """The patches of an order in plan order; each list names at most 4,096 of them."""

    awaited: list[AwaitedPatch] = Field(description="Patches that can still be delivered.")
    delivered: list[DeliveredPatch] = Field(description="Patches that were delivered.")
    partly: list[PartlyDeliveredPatch] = Field(
        description="Patches of which files show a part, also after the order has ended. While it is open, "
        "they are awaited too."
    )


class OrderOut(OrderSummary):
    """An order with its history and its patches."""

    statuses: list[StatusStep] = Field(description="History of the order, oldest first.")
    patches: OrderPatches = Field(description="Awaited and delivered patches.")
    final_bill: BilledPatches | None = Field(
        None,
        description="Bill for what came of an order that was cancelled or expired after a delivery; once "
        "more after each late delivery.",
    )
    warnings: list[WarningOut] | None = Field(
        None,
        description="Warnings about the budget and about ground that is paid again, given once, when the "
        "order is placed.",
    )
