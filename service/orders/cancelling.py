"""The amounts that cancelling an order would settle and release, stated before anything is changed."""

from uuid import UUID

from service.database.engine import Database
from service.ledger.repository import find_order_money
from service.money import Money
from service.orders.final_bill import ArrivedBill, bill_arrived, read_arrived
from service.orders.repository import find_order, statuses_now
from service.orders.schemas import CancelPreview
from service.orders.tables import OPEN
from service.web.money import MoneyOut
from service.web.paging import Link


def preview_cancel(database: Database, workspace_id: UUID, order_id: UUID) -> CancelPreview:
    """Compute what cancelling an order would settle and release. The bill is computed without a session.

    Of an order that ended before, nothing is settled and released. Errors: not-found.
    """
    with database.sessions() as session:
        order = find_order(session, workspace_id, order_id)
        status = statuses_now(session, [order_id])[order_id]
        money = find_order_money(session, workspace_id, order_id)
        arrived = read_arrived(session, order)
        patches = order.patches
    nothing = Money(0, money.total.currency)
    bill = (
        bill_arrived(arrived)
        if arrived
        else ArrivedBill(patches=0, billed=nothing, settled=nothing, basis="terms")
    )
    if status not in OPEN:
        detail = f"The order is {status.removeprefix('user_')}; nothing is left to cancel."
        return _preview(order_id, bill, 0, (money.settled, money.settled, nothing, nothing), detail)
    difference = bill.difference
    released = money.held - difference
    detail = (
        f"{bill.patches:,} of {patches:,} patches came. The provider's bill for them is {bill.billed}, and "
        f"{money.settled} is settled. Cancelling settles {difference} more and releases {released}."
    )
    amounts = (money.settled, bill.billed, difference, released)
    return _preview(order_id, bill, patches - bill.patches, amounts, detail)


def _preview(
    order_id: UUID, bill: ArrivedBill, awaited: int, amounts: tuple[Money, Money, Money, Money], detail: str
) -> CancelPreview:
    settled, billed, difference, released = map(MoneyOut.of, amounts)
    return CancelPreview(
        order=order_id,
        delivered=bill.patches,
        awaited=awaited,
        settled=settled,
        billed=billed,
        difference=difference,
        released=released,
        detail=detail,
        links=[
            Link(rel="order", href=f"/v1/orders/{order_id}"),
            Link(rel="cancel", href=f"/v1/orders/{order_id}/cancel", title="POST"),
        ],
    )
