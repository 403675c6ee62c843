"""Orders: their money, their history and their patches."""

from datetime import datetime
from typing import Any

from loupe.answers.base import Answer, Link, Money, Part, WarningNote


class Amounts(Part):
    """The order's money: total = held + settled + released, and net = settled - refunded + charged."""

    total: Money
    """Amount that was held for the order in all."""
    held: Money
    """Amount that is still held for awaited patches."""
    settled: Money
    """Amount that was paid for delivered patches."""
    released: Money
    """Amount that went back to the budget."""
    refunded: Money
    """Amount that was refunded after payment."""
    charged: Money
    """Amount that was charged later."""
    net: Money
    """Final cost of the order."""


class PatchCounts(Part):
    """The number of patches that were bought, were delivered, and are still awaited."""

    bought: int
    """Number of patches that the order buys."""
    delivered: int
    """Number of patches that were delivered."""
    awaited: int
    """Number of patches that can still be delivered."""


class StatusStep(Part):
    """One step of the order's history."""

    status: str
    """Status from this step on."""
    reason_code: str
    """Cause of the step, such as `hold_taken` or `all_delivered`."""
    at: datetime
    """Time of the step (UTC)."""
    by: str | None = None
    """Id of the key that caused the step. None when the order expired."""
    note: str | None = None
    """Note that was sent with a decision or a new deadline."""
    expires_at: datetime | None = None
    """Deadline (UTC) from this step on. None where the step does not set it."""


class Footprint(Part):
    """RFC 7946 geometry in longitude and latitude (EPSG:4326), in two parts across the antimeridian."""

    type: str
    """GeoJSON type of the geometry."""
    coordinates: Any
    """GeoJSON coordinates, longitude first."""


class AwaitedPatch(Part):
    """A bought patch that has not been delivered: send a file that covers `footprint` to `upload`."""

    tile: int
    """Number of the tile in the plan, from 0."""
    patch: int
    """Number of the patch in its tile, 0 to 15, column by column."""
    row: int
    """Row of the patch in its tile, 0 to 3 from the top."""
    col: int
    """Column of the patch in its tile, 0 to 3 from the left."""
    footprint: Footprint
    """Outline of the patch, which the file must cover."""
    upload: str
    """Path to `PUT` the file to."""


class DeliveredPatch(Part):
    """A patch that was delivered and paid for."""

    tile: int
    """Number of the tile in the plan, from 0."""
    patch: int
    """Number of the patch in its tile, 0 to 15, column by column."""
    version: int
    """Version of the file in use, from 1; higher after a redelivery."""
    sha256: str
    """SHA-256 of the newest delivered file, which is the one in use."""
    files: tuple[str, ...] | None = None
    """SHA-256 of the files that the patch was joined from. None when one file shows it."""
    size: int
    """Size of that file in bytes."""
    settled: Money
    """Amount that was paid for the patch, once."""
    delivered_at: datetime
    """Time of the delivery of that file (UTC)."""


class PartlyDeliveredPatch(Part):
    """A patch of which files show a part. They are kept; nothing is paid until other files show the rest."""

    tile: int
    """Number of the tile in the plan, from 0."""
    patch: int
    """Number of the patch in its tile, 0 to 15, column by column."""
    covered: float
    """Share of the patch's area that the files cover together, 0 to 1."""
    remainder: Footprint | None = None
    """Ground that is still missing, in longitude and latitude (EPSG:4326).

    None when the files cover the patch but were not accepted together.
    """
    files: tuple[str, ...]
    """SHA-256 of the files, oldest first."""


class OrderPatches(Part):
    """The patches of an order in plan order; each list names at most 4,096 of them."""

    awaited: tuple[AwaitedPatch, ...]
    """Patches that can still be delivered."""
    delivered: tuple[DeliveredPatch, ...]
    """Patches that were delivered."""
    partly: tuple[PartlyDeliveredPatch, ...]
    """Patches of which files show a part, also after the order has ended.

    While it is open, they are awaited too.
    """


class BilledPatches(Part):
    """The provider's bill for the patches that came, beside what was settled for them."""

    patches: int
    """Number of delivered patches."""
    billed: Money
    """Provider's bill for the delivered patches."""
    difference: Money
    """Amount of that bill beyond what the deliveries settled; it is settled when the order ends (reference
    `bill:ORDER`), and after patches that came late (`bill:ORDER#1`).
    """
    basis: str
    """`terms`: billed by the terms of the plan's price list.

    `prices`: the sum of the payments, because prices were sent with the files.
    """


class OrderSummary(Answer):
    """An order in a list."""

    id: str
    """Id of the order."""
    plan: str
    """Id of the plan that it buys."""
    budget: str
    """Id of the budget that pays."""
    name: str | None = None
    """Name of the order. None without one."""
    external_id: str | None = None
    """Id of the order in a system of yours. None without one."""
    tags: dict[str, str]
    """The order's own names and values.

    Exports show the budget's tags beside them; the order's win where both have a name.
    """
    cost_center: str | None = None
    """Cost centre of the order. None without one."""
    status: str
    """Status of the order now."""
    created_at: datetime
    """Time at which the order was placed (UTC)."""
    expires_at: datetime
    """Time at which undelivered patches are cancelled (UTC)."""
    amounts: Amounts
    """The order's money."""
    counts: PatchCounts
    """Numbers of patches."""
    links: tuple[Link, ...]
    """Related resources and the actions that are possible now."""


class Order(OrderSummary):
    """An order with its history and its patches."""

    statuses: tuple[StatusStep, ...]
    """History of the order, oldest first."""
    patches: OrderPatches
    """Awaited and delivered patches."""
    final_bill: BilledPatches | None = None
    """Bill for what came of an order that was cancelled or expired after a delivery; once more after each
    late delivery.
    """
    warnings: tuple[WarningNote, ...] | None = None
    """Warnings about the budget and about ground that is paid again, given once, when the order is placed."""


class CancelPreview(Answer):
    """The result of cancelling an order now."""

    order: str
    """Id of the order."""
    delivered: int
    """Number of delivered patches, which stay paid."""
    awaited: int
    """Number of patches that would be cancelled."""
    settled: Money
    """Amount settled so far."""
    billed: Money
    """Provider's bill for the delivered patches."""
    difference: Money
    """Amount that cancelling would settle."""
    released: Money
    """Amount that cancelling would release to the budget."""
    detail: str
    """The same in one sentence."""
    links: tuple[Link, ...]
    """The order, and the action that cancels it."""
