"""The savings report, order by order, as CSV."""

import csv
import io
from collections.abc import Iterable

from service.money import Money
from service.reports.savings import OrderFigures

COLUMNS = (
    "order", "plan", "ordered_at", "status", "patches_bought", "currency", "baseline", "cost",
    "list_saving", "billable_saving", "settled", "realised_saving",
)  # fmt: skip


def to_csv(figures: Iterable[OrderFigures]) -> str:
    """Write one row per order, RFC 4180, amounts in major units; unknown figures are left empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(_row(order) for order in figures)
    return out.getvalue()


def _row(order: OrderFigures) -> tuple[object, ...]:
    amounts = (
        order.baseline_minor,
        order.cost_minor,
        order.list_saving_minor,
        order.billable_saving_minor,
        order.net_minor,
        order.realised_saving_minor,
    )
    written = ("" if minor is None else Money(minor, order.currency).amount for minor in amounts)
    return (
        order.order_id, order.plan_id, order.created_at.isoformat(), order.status, order.patches_bought,
        order.currency, *written,
    )  # fmt: skip
