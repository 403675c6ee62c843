"""The amounts that cancelling an order would settle and release, stated before anything is changed."""

from uuid import UUID

from service.database.engine import Database
from service.errors import ConflictError
from service.ledger.repository import find_order_money
from service.money import Money
from service.orders.ending import check_not_complete
from service.orders.final_bill import bill_arrived, read_arrived
from service.orders.repository import find_order, statuses_now
from service.orders.schemas import CancelPreview
from service.orders.tables import GIVEN_UP
from service.web.money import MoneyOut
from service.web.paging import Link


class OrderEndedError(ConflictError):
    """A preview of cancelling an order that was cancelled, rejected or expired before."""

    code = "order-ended"
    title = "The order has ended before"


def preview_cancel(database: Database, workspace_id: UUID, order_id: UUID) -> CancelPreview:
    """Compute what cancelling an order would settle and release. The bill is computed without a session.

    Errors: not-found, order-completed, order-ended.
    """
    with database.sessions() as session:
        order = find_order(session, workspace_id, order_id)
        status = statuses_now(session, [order_id])[order_id]
        check_not_complete(order)
        if status in GIVEN_UP:
            raise OrderEndedError(
                f"The order is {status.removeprefix('user_')}; nothing is left to cancel.",
                order=str(order_id),
            )
        money = find_order_money(session, workspace_id, order_id)
        arrived = read_arrived(session, order)
        patches = order.patches
    nothing = Money(0, money.total.currency)
    bill = None if arrived is None else bill_arrived(arrived)
    came, billed, difference = (bill.patches, bill.billed, bill.difference) if bill else (0, nothing, nothing)
    released = money.held - difference
    return CancelPreview(
        order=order_id,
        delivered=came,
        awaited=patches - came,
        settled=MoneyOut.of(money.settled),
        billed=MoneyOut.of(billed),
        difference=MoneyOut.of(difference),
        released=MoneyOut.of(released),
        detail=f"{came:,} of {patches:,} patches came. The provider's bill for them is {billed}, and "
        f"{money.settled} is settled. Cancelling settles {difference} more and releases {released}.",
        links=[
            Link(rel="order", href=f"/v1/orders/{order_id}"),
            Link(rel="cancel", href=f"/v1/orders/{order_id}/cancel", title="POST"),
        ],
    )
