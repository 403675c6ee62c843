"""The savings report, order by order, as rows of a file."""

from decimal import Decimal

from service.money import Money
from service.reports.savings import OrderFigures
from service.web.tabular import Columns, Row

COLUMNS: Columns = {
    "order": "text", "plan": "text", "ordered_at": "time", "status": "text", "patches_bought": "integer",
    "currency": "text", "baseline": "money", "cost": "money", "list_saving": "money",
    "billable_saving": "money", "settled": "money", "realised_saving": "money",
}  # fmt: skip


def row_of(order: OrderFigures) -> Row:
    """Write an order as a row of COLUMNS, amounts in major units; unknown figures are None."""
    amounts = (
        order.baseline_minor,
        order.cost_minor,
        order.list_saving_minor,
        order.billable_saving_minor,
        order.net_minor,
        order.realised_saving_minor,
    )
    written = (None if minor is None else Decimal(Money(minor, order.currency).amount) for minor in amounts)
    return (
        order.order_id, order.plan_id, order.created_at, order.status, order.patches_bought, order.currency,
        *written,
    )  # fmt: skip
