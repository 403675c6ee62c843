"""Orders and deliveries as JSON."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from service.orders.tables import OrderStatus
from service.web.paging import Link, MoneyOut


class OrderIn(BaseModel):
    """Which plan to buy, and from which budget."""

    model_config = ConfigDict(extra="forbid")

    plan: UUID
    budget: UUID | None = Field(
        None, description="default: the workspace's only budget in the plan's currency"
    )


class ApprovalIn(BaseModel):
    """What a second key decides about an order above its budget's `approval_above`."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"]
    note: str | None = Field(None, min_length=1, max_length=500)


class Amounts(BaseModel):
    """Where the order's money is: total = held + settled + released, net = settled - refunded + charged."""

    total: MoneyOut
    held: MoneyOut
    settled: MoneyOut
    released: MoneyOut
    refunded: MoneyOut
    charged: MoneyOut
    net: MoneyOut = Field(description="what the order cost in the end")


class PatchCounts(BaseModel):
    """How many patches were bought, have come, and are still to come."""

    bought: int
    delivered: int
    awaited: int


class StatusStep(BaseModel):
    """One step of the order's history."""

    status: OrderStatus
    reason_code: str
    at: datetime
    by: str | None = Field(None, description="id of the key; none where the clock did it")
    note: str | None = None


class OrderWarning(BaseModel):
    """What the budget has to say about an order that it lets through."""

    code: Literal["threshold-reached", "limit-exceeded"]
    detail: str


Rings = list[list[tuple[float, float]]]


class Footprint(BaseModel):
    """RFC 7946 geometry, longitude and latitude (EPSG:4326); in two where it crosses the antimeridian."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: Rings | list[Rings]


class AwaitedPatch(BaseModel):
    """A bought patch that has not come: cover `footprint` and PUT the file to `upload`."""

    tile: int
    patch: int
    row: int
    col: int
    footprint: Footprint
    upload: str


class DeliveredPatch(BaseModel):
    """A patch that came and was paid for."""

    tile: int
    patch: int
    sha256: str
    size: int = Field(description="bytes")
    settled: MoneyOut
    delivered_at: datetime


class OrderSummary(BaseModel):
    """An order in a list."""

    id: UUID
    plan: UUID
    budget: UUID
    status: OrderStatus
    created_at: datetime
    expires_at: datetime = Field(description="patches that did not come by then are not bought")
    amounts: Amounts
    counts: PatchCounts
    links: list[Link]


class OrderPatches(BaseModel):
    """What is still to come and what came, in plan order; each list names at most 4,096 patches."""

    awaited: list[AwaitedPatch]
    delivered: list[DeliveredPatch]


class OrderOut(OrderSummary):
    """An order with its history and its patches."""

    statuses: list[StatusStep]
    patches: OrderPatches
    warnings: list[OrderWarning] | None = Field(None, description="told once, when the order is placed")


class DeliveryOut(BaseModel):
    """The receipt of one patch; sending the same bytes again gives the same receipt."""

    order: UUID
    tile: int
    patch: int
    sha256: str
    size: int = Field(description="bytes")
    settled: MoneyOut
    checks: dict[str, Any] = Field(description="what was verified of the file, with the numbers")
    delivered_at: datetime
    links: list[Link]
