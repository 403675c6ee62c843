"""The values of an order's page: its saving, the bill, the payments and the invoice lines behind it."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from service.access.repository import holder_of
from service.bundles.registry import Bundles
from service.dashboard.changes import PageWatch, order_mark
from service.dashboard.labels import read_labels
from service.dashboard.order_patches import patch_window
from service.dashboard.order_rows import WorkspaceNames, time_now
from service.dashboard.plan_page import described
from service.dashboard.session import PATH
from service.database.engine import Database
from service.invoices.reconciling import Reconciled
from service.invoices.repository import lines_naming
from service.invoices.tables import Invoice, InvoiceLine
from service.ledger.filters import LineFilter
from service.ledger.lines import LedgerLineOut
from service.ledger.repository import NEWEST, list_adjustments
from service.ledger.transfers import LedgerLine, find_line, list_lines
from service.money import Money
from service.orders.repository import find_order
from service.orders.tables import Order
from service.orders.views import full
from service.plans.bills import bill_of
from service.plans.repository import find_priced_plan
from service.reports.definitions import Outside
from service.reports.kept import KeptFigures
from service.reports.repository import find_counted
from service.reports.schemas import OrderSavings
from service.web.money import MoneyOut

ENTRIES = 200
"""Most entries of the hold, and most refunds and charges, on the page."""
OUTSIDE: dict[Outside | None, str] = {
    None: "Every patch was delivered and paid for.",
    "example-prices": "Not part of the realised saving: the prices are examples, and no offers.",
    "awaits-approval": "Not known yet: the order awaits approval.",
    "nothing-delivered": "Not known yet: nothing was delivered.",
    "not-complete": "Not known yet: not every patch was delivered.",
    "returned": "Every patch was refunded as unusable, so no ground counts.",
    "ended-early": "The order ended early: what was paid is a cost, and its ground saves nothing.",
}
"""Why the ground of an order counts or not, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class InvoicedLineRow:
    """A line of an invoice or credit note that names the order."""

    invoice: UUID
    kind: str
    number: str
    provider: str
    issued_on: date
    position: int
    reference: str
    amount: MoneyOut

    @classmethod
    def of(cls, invoice: Invoice, line: InvoiceLine) -> "InvoicedLineRow":
        """Write one line of a document."""
        return cls(
            invoice=invoice.id,
            kind=invoice.kind,
            number=invoice.number,
            provider=invoice.provider,
            issued_on=invoice.issued_on,
            position=line.position,
            reference=line.reference,
            amount=MoneyOut.of(Money(line.amount_minor, invoice.currency)),
        )


def read_order_page(
    bundles: Bundles,
    database: Database,
    kept: KeptFigures,
    workspace_id: UUID,
    order_id: UUID,
    patches_from: int = 0,
    tiles_from: int = 0,
) -> dict[str, Any]:
    """Return the values of the template `order.html`; NotFoundError outside the workspace.

    `patches_from` and `tiles_from` are the first rows of the windows of patches and of labelled tiles.
    """
    with database.sessions() as session:
        mark = order_mark(session, workspace_id, order_id)
        order = find_order(session, workspace_id, order_id)
        plan, _, price_list = find_priced_plan(session, workspace_id, order.plan_id)
        entries, more = _entries(session, order)
        written = full(session, order)
        names = WorkspaceNames.of(session, workspace_id)
        values = {
            "watch": PageWatch.at(f"{PATH}/orders/{order_id}", mark),
            "order": written,
            "names": names,
            "order_key": order.key_id,
            "owner": None if order.key_id is None else holder_of(session, order.key_id),
            "patches": patch_window(session, written, patches_from),
            "labels": read_labels(session, bundles, order, tiles_from),
            "counts_objects": plan.expected is not None,
            "now": time_now(session),
            "bill": bill_of(plan, price_list),
            "price_list": described(price_list),
            "entries": [LedgerLineOut.of(line) for line in entries],
            "more": more,
            "lines": [InvoicedLineRow.of(*row) for row in lines_naming(session, workspace_id, order_id)],
        }
    reconciled = kept.reconciled(database, workspace_id)
    compared = next((one for one in reconciled if one.order_id == order_id), None)
    saving = OrderSavings.of(find_counted(kept.counted(database, workspace_id).orders, order_id))
    return values | _invoiced(compared) | {"saving": saving, "outside": OUTSIDE[saving.outside]}


def _entries(session: Session, order: Order) -> tuple[list[LedgerLine], bool]:
    """Return an order's hold, payments, refunds and charges, newest first, and whether there are more."""
    workspace_id = order.workspace_id
    found, following = (
        ([], None)
        if order.hold_id is None
        else list_lines(session, workspace_id, LineFilter(hold_id=order.hold_id), limit=ENTRIES)
    )
    adjusted, later = list_adjustments(
        session, workspace_id, limit=ENTRIES, before_seq=NEWEST, order_id=order.id
    )
    lines = [*found, *(find_line(session, workspace_id, one.seq) for one in adjusted)]
    lines.sort(key=lambda line: -line.transfer.seq)
    return lines, following is not None or later is not None


def _invoiced(compared: Reconciled | None) -> dict[str, Any]:
    """Return what invoices and credit notes sum to, and how they differ from the ledger."""
    if compared is None:
        return {
            "invoiced": None,
            "credited": None,
            "difference": "Nothing was paid, and nothing is invoiced.",
        }
    return {
        "invoiced": MoneyOut.of(compared.invoiced),
        "credited": MoneyOut.of(compared.credited) if compared.credited else None,
        "difference": compared.detail,
    }
