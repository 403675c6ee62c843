"""What was spent, in the columns of the FinOps specification FOCUS 1.2: one row for each charge.

A charge is a movement of the ledger into or out of the account `spent`. docs/ledger.md says what each
column holds, and which columns of FOCUS are left out because nothing here knows them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.ledger.book import Movement
from service.money import Money
from service.web.tabular import Columns, Kind, Row

_CHARGES = text(r"""
    SELECT t.*, m.to_kind = 'spent' AS is_cost, b.name AS budget, w.name AS workspace, p.provenance,
        o.id AS order_id, o.plan_id, l.provider, l.product, l.name AS price_list, l.version
    FROM ledger.transfer t
    JOIN ledger.movement m USING (kind)
    JOIN ledger.budget b ON b.id = t.budget_id
    JOIN public.workspace w ON w.id = t.workspace_id
    LEFT JOIN public."order" o ON o.workspace_id = t.workspace_id
        AND o.id = CAST(substring(t.reference FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') AS uuid)
    LEFT JOIN public.plan p ON p.id = o.plan_id
    LEFT JOIN public.price_list l ON l.id = p.price_list_id
    WHERE t.workspace_id = :workspace AND t.seq < :before AND 'spent' IN (m.from_kind, m.to_kind)
    ORDER BY t.seq DESC LIMIT :limit
""")
CATEGORIES: Mapping[str, str] = {Movement.SETTLE: "Purchase", Movement.REFUND: "Credit"}
"""FOCUS's ChargeCategory of a movement; another one is an Adjustment."""


class Charge(BaseModel):
    """One charge; names and meanings are FOCUS's, `x_` marks our own."""

    BilledCost: Decimal = Field(description="major units; negative where money came back")
    EffectiveCost: Decimal
    BillingCurrency: str
    BillingAccountId: UUID = Field(description="the workspace")
    BillingAccountName: str
    SubAccountId: UUID = Field(description="the budget")
    SubAccountName: str
    ChargeCategory: str
    ChargeDescription: str
    ChargeFrequency: str
    ChargePeriodStart: datetime = Field(description="the day (UTC) of the charge")
    ChargePeriodEnd: datetime = Field(description="exclusive")
    ProviderName: str | None
    ServiceName: str | None = Field(description="the provider's product")
    SkuPriceId: str | None = Field(description="the price list and its version")
    ResourceId: str = Field(description="ORDER/TILE/PATCH, as `loupe trace` takes it")
    Tags: dict[str, str]
    x_LedgerSeq: int
    x_LedgerHash: str
    x_LedgerReference: str
    x_ChargedAt: datetime

    @property
    def row(self) -> Row:
        """The charge as a row of COLUMNS."""
        return tuple(dict(self).values())


_KINDS: Mapping[str, Kind] = {
    "BilledCost": "money", "EffectiveCost": "money", "ChargePeriodStart": "time", "ChargePeriodEnd": "time",
    "Tags": "tags", "x_LedgerSeq": "integer", "x_ChargedAt": "time",
}  # fmt: skip
COLUMNS: Columns = {name: _KINDS.get(name, "text") for name in Charge.model_fields}


def list_charges(
    session: Session, workspace_id: UUID, *, limit: int, before_seq: int
) -> tuple[list[Charge], int | None]:
    """Return up to `limit` charges, newest first, before a seq; and the seq to go on before."""
    values = {"workspace": workspace_id, "before": before_seq, "limit": limit + 1}
    rows = session.execute(_CHARGES, values).mappings().all()
    charges = [charge_of(row) for row in rows[:limit]]
    return charges, charges[-1].x_LedgerSeq if len(rows) > limit else None


def charge_of(row: Mapping[Any, Any]) -> Charge:
    """Write a movement into or out of `spent`, with what is known of its order, as a charge."""
    amount = Decimal(Money(row["amount"] if row["is_cost"] else -row["amount"], row["currency"]).amount)
    day = datetime.combine(row["at"].astimezone(UTC).date(), time(), UTC)
    resource = row["reference"].partition(":")[2].partition("#")[0]
    return Charge(
        BilledCost=amount,
        EffectiveCost=amount,
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
        ResourceId=resource,
        Tags=_tags(row),
        x_LedgerSeq=row["seq"],
        x_LedgerHash=row["hash"].hex(),
        x_LedgerReference=row["reference"],
        x_ChargedAt=row["at"],
    )


def _tags(row: Mapping[Any, Any]) -> dict[str, str]:
    """What the charge rests on, as far as it is known."""
    provenance: dict[str, Any] = row["provenance"] or {}
    known = {
        "order": row["order_id"],
        "plan": row["plan_id"],
        "bundle_sha256": provenance.get("bundle", {}).get("sha256"),
        "input_sha256": provenance.get("input_sha256"),
    }
    return {name: str(value) for name, value in known.items() if value is not None}
