"""Spending in the columns of the FinOps specification FOCUS 1.2: one row for each charge.

A charge is a movement of the ledger into or out of the account `spent`. docs/ledger.md describes each
column, and lists the columns of FOCUS that are left out because their values are not known here.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from service.invoices.reconciling import Reconciled, by_order
from service.invoices.repository import read_reconciled
from service.ledger.book import Movement
from service.ledger.tags import merged_tags
from service.money import Money
from service.reports.filters import EVERYTHING, ReportFilter
from service.web.tabular import Columns, Kind, Row

_CHARGED = r"""
    FROM ledger.transfer t
    JOIN ledger.movement m USING (kind)
    JOIN ledger.budget b ON b.id = t.budget_id
    JOIN tagged n ON n.id = t.budget_id
    JOIN public.workspace w ON w.id = t.workspace_id
    LEFT JOIN public."order" o ON o.workspace_id = t.workspace_id
        AND o.id = CAST(substring(t.reference FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') AS uuid)
    LEFT JOIN ledger.adjustment a ON a.transfer_id = t.id
    LEFT JOIN public.plan p ON p.id = o.plan_id
    LEFT JOIN public.price_list l ON l.id = p.price_list_id
    WHERE t.workspace_id = :workspace AND 'spent' IN (m.from_kind, m.to_kind)
        AND (CAST(:first AS date) IS NULL OR CAST(t.at AT TIME ZONE 'UTC' AS date) >= :first)
        AND (CAST(:last AS date) IS NULL OR CAST(t.at AT TIME ZONE 'UTC' AS date) <= :last)
        AND (CAST(:budget AS uuid) IS NULL OR t.budget_id = :budget)
        AND (CAST(:provider AS text) IS NULL OR l.provider = :provider)
        AND (CAST(:tag AS jsonb) IS NULL OR n.tags || coalesce(o.tags, '{}') @> CAST(:tag AS jsonb))
        AND (CAST(:cost_center AS text) IS NULL OR o.cost_center = :cost_center)
"""


def of_charges(columns: str, end: str) -> TextClause:
    """Return a query of the chosen charges with their orders, plans and price lists."""
    return text(f"""
        WITH tagged AS MATERIALIZED (
            SELECT id, tags FROM ledger.budget_now WHERE workspace_id = :workspace
        )
        SELECT {columns} {_CHARGED} {end}
    """)  # noqa: S608  (parts of this package, never of a request)


_CHARGES = of_charges(
    """t.*, m.to_kind = 'spent' AS is_cost, b.name AS budget, w.name AS workspace, p.provenance,
    o.id AS order_id, o.plan_id, a.reason, l.provider, l.product, l.name AS price_list, l.version,
    n.tags AS budget_tags, o.tags AS order_tags, o.cost_center""",
    "AND t.seq < :before ORDER BY t.seq DESC LIMIT :limit",
)
CATEGORIES: Mapping[str, str] = {Movement.SETTLE: "Purchase", Movement.REFUND: "Credit"}
"""FOCUS's ChargeCategory of a movement; every other movement is an Adjustment."""


class Charge(BaseModel):
    """One charge in the columns of FOCUS; the prefix `x_` marks Loupe's own columns."""

    BilledCost: Decimal = Field(description="Amount in major units; negative for a refund.")
    EffectiveCost: Decimal = Field(description="Same as `BilledCost`.")
    BillingCurrency: str = Field(description="ISO 4217 code.")
    BillingAccountId: UUID = Field(description="Id of the workspace.")
    BillingAccountName: str = Field(description="Name of the workspace.")
    SubAccountId: UUID = Field(description="Id of the budget.")
    SubAccountName: str = Field(description="Name of the budget.")
    ChargeCategory: str = Field(
        description="`Purchase`, `Credit` (a refund) or `Adjustment` (a later charge)."
    )
    ChargeDescription: str = Field(description="Kind of the movement and the resource.")
    ChargeFrequency: str = Field(description="Always `One-Time`.")
    ChargePeriodStart: datetime = Field(description="Start of the day (UTC) of the charge.")
    ChargePeriodEnd: datetime = Field(description="End of that day, exclusive.")
    ProviderName: str | None = Field(description="Imagery provider.")
    ServiceName: str | None = Field(description="The provider's product.")
    SkuPriceId: str | None = Field(description="Name and version of the price list.")
    InvoiceId: str | None = Field(
        description="Numbers of the order's invoices; of a refund, of its credit notes. Null without any."
    )
    ResourceId: str = Field(description="ORDER/TILE/PATCH, as `loupe trace` takes it.")
    Tags: dict[str, str] = Field(
        description="Tags of the budget now and of the order, whose tags win where both have a name. Added, "
        "and above both: order, plan, bundle_sha256 and input_sha256 of the charge, if they are known."
    )
    x_CostCenter: str | None = Field(description="Cost centre of the order. Null without one.")
    x_Reason: str | None = Field(description="Reason of a refund or later charge.")
    x_LedgerSeq: int = Field(description="Number of the ledger entry.")
    x_LedgerHash: str = Field(description="Hash of the ledger entry.")
    x_LedgerReference: str = Field(description="Reference of the ledger entry.")
    x_ChargedAt: datetime = Field(description="Time of the ledger entry (UTC).")

    @property
    def row(self) -> Row:
        """The charge as a row of SPEND_COLUMNS."""
        return tuple(dict(self).values())


_KINDS: Mapping[str, Kind] = {
    "BilledCost": "money", "EffectiveCost": "money", "ChargePeriodStart": "time", "ChargePeriodEnd": "time",
    "Tags": "tags", "x_LedgerSeq": "integer", "x_ChargedAt": "time",
}  # fmt: skip
SPEND_COLUMNS: Columns = {name: _KINDS.get(name, "text") for name in Charge.model_fields}


def list_charges(
    session: Session, workspace_id: UUID, *, limit: int, before_seq: int, chosen: ReportFilter = EVERYTHING
) -> tuple[list[Charge], int | None]:
    """Return up to `limit` charges before a seq, newest first, and the seq that the next page is before."""
    values = {"workspace": workspace_id, "before": before_seq, "limit": limit + 1, **chosen.values()}
    values["tag"] = chosen.tag and json.dumps(chosen.tag)
    rows = session.execute(_CHARGES, values).mappings().all()
    invoiced = by_order(read_reconciled(session, workspace_id))
    charges = [charge_of(row, invoiced.get(row["order_id"])) for row in rows[:limit]]
    return charges, charges[-1].x_LedgerSeq if len(rows) > limit else None


def charge_of(row: Mapping[Any, Any], invoiced: Reconciled | None = None) -> Charge:
    """Write a movement into or out of `spent`, with its order and invoices if they are known, as a charge."""
    moved = Money(row["amount"], row["currency"])
    cost = Decimal((moved if row["is_cost"] else -moved).amount)
    day = datetime.combine(row["at"].astimezone(UTC).date(), time(), UTC)
    resource = row["reference"].partition(":")[2].partition("#")[0]
    documents = () if invoiced is None else (invoiced.invoices if row["is_cost"] else invoiced.credit_notes)
    return Charge(
        BilledCost=cost,
        EffectiveCost=cost,
        BillingCurrency=row["currency"],
        BillingAccountId=row["workspace_id"],
        BillingAccountName=row["workspace"],
        SubAccountId=row["budget_id"],
        SubAccountName=row["budget"],
        ChargeCategory=CATEGORIES.get(row["kind"], "Adjustment"),
        ChargeDescription=f"{row['kind']} {resource}",
        ChargeFrequency="One-Time",
        ChargePeriodStart=day,
        ChargePeriodEnd=day + timedelta(days=1),
        ProviderName=row["provider"],
        ServiceName=row["product"],
        SkuPriceId=row["price_list"] and f"{row['price_list']} v{row['version']}",
        InvoiceId=", ".join(documents) or None,
        ResourceId=resource,
        Tags=_tags(row),
        x_CostCenter=row["cost_center"],
        x_Reason=row["reason"],
        x_LedgerSeq=row["seq"],
        x_LedgerHash=row["hash"].hex(),
        x_LedgerReference=row["reference"],
        x_ChargedAt=row["at"],
    )


def _tags(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return the tags of budget and order, and the ids and digests behind a charge that are known."""
    provenance: dict[str, Any] = row["provenance"] or {}
    known = {
        "order": row["order_id"],
        "plan": row["plan_id"],
        "bundle_sha256": provenance.get("bundle", {}).get("sha256"),
        "input_sha256": provenance.get("input_sha256"),
    }
    ids = {name: str(value) for name, value in known.items() if value is not None}
    return merged_tags(row["budget_tags"], row["order_tags"] or {}) | ids
