"""Late patches of an upload: what they would settle, and the hold on that."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.database.engine import Database
from service.deliveries.uploads import DeliveryUpload, FileUpload
from service.orders.checklist import Place
from service.orders.late import LateCharge, hold_late, quote_late
from service.orders.tables import Order, OrderStatus

Upload = DeliveryUpload | FileUpload


def quote_new(database: Database, caller: Caller, upload: Upload, new: Iterable[Place]) -> LateCharge | None:
    """Compute what new patches would settle before their order is locked; None unless they may come late."""
    places = list(new)
    if not (upload.accept_late and places):
        return None
    return quote_late(database, caller.workspace_id, upload.order_id, places, _price(upload))


def hold_new(
    session: Session,
    caller: Caller,
    order: Order,
    upload: Upload,
    new: Iterable[Place],
    quoted: LateCharge | None,
) -> LateCharge | None:
    """Hold the cost of new patches of an expired order under its lock; None if there is nothing to hold.

    Errors: those of `hold_late`.
    """
    places = list(new)
    if not (upload.accept_late and places and order.status == OrderStatus.EXPIRED):
        return None
    return hold_late(session, caller, order, places, _price(upload), quoted)


def _price(upload: Upload) -> str | None:
    """Return the price that was sent for the patch; a file for many patches takes none."""
    return upload.price.amount if isinstance(upload, DeliveryUpload) and upload.price else None
