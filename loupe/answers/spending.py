"""Charges in the columns of FOCUS, and their sums."""

from datetime import date, datetime
from decimal import Decimal

from pydantic import Field

from loupe.answers.base import Answer, Money, Part


class Charge(Answer):
    """One charge in the columns of FOCUS; the prefix `x_` marks Loupe's own columns."""

    billed_cost: Decimal = Field(alias="BilledCost")
    """Amount in major units; negative for a refund."""
    effective_cost: Decimal = Field(alias="EffectiveCost")
    """Same as `BilledCost`."""
    billing_currency: str = Field(alias="BillingCurrency")
    """ISO 4217 code."""
    billing_account_id: str = Field(alias="BillingAccountId")
    """Id of the workspace."""
    billing_account_name: str = Field(alias="BillingAccountName")
    """Name of the workspace."""
    sub_account_id: str = Field(alias="SubAccountId")
    """Id of the budget."""
    sub_account_name: str = Field(alias="SubAccountName")
    """Name of the budget."""
    charge_category: str = Field(alias="ChargeCategory")
    """`Purchase`, `Credit` (a refund) or `Adjustment` (a later charge)."""
    charge_description: str = Field(alias="ChargeDescription")
    """Kind of the movement and the resource."""
    charge_frequency: str = Field(alias="ChargeFrequency")
    """Always `One-Time`."""
    charge_period_start: datetime = Field(alias="ChargePeriodStart")
    """Start of the day (UTC) of the charge."""
    charge_period_end: datetime = Field(alias="ChargePeriodEnd")
    """End of that day, exclusive."""
    provider_name: str | None = Field(None, alias="ProviderName")
    """Imagery provider."""
    service_name: str | None = Field(None, alias="ServiceName")
    """The provider's product."""
    sku_price_id: str | None = Field(None, alias="SkuPriceId")
    """Name and version of the price list."""
    invoice_id: str | None = Field(None, alias="InvoiceId")
    """Numbers of the order's invoices; of a refund, of its credit notes. None without any."""
    resource_id: str = Field(alias="ResourceId")
    """ORDER/TILE/PATCH, as `loupe trace` takes it."""
    tags: dict[str, str] = Field(alias="Tags")
    """Tags of the budget now and of the order, whose tags win where both have a name.

    Added, and above both: order, plan, bundle_sha256 and input_sha256 of the charge, if they are known.
    """
    cost_center: str | None = Field(None, alias="x_CostCenter")
    """Cost centre of the order. None without one."""
    reason: str | None = Field(None, alias="x_Reason")
    """Reason of a refund or later charge."""
    ledger_seq: int = Field(alias="x_LedgerSeq")
    """Number of the ledger entry."""
    ledger_hash: str = Field(alias="x_LedgerHash")
    """Hash of the ledger entry."""
    ledger_reference: str = Field(alias="x_LedgerReference")
    """Reference of the ledger entry."""
    charged_at: datetime = Field(alias="x_ChargedAt")
    """Time of the ledger entry (UTC)."""


class CurrencySpend(Part):
    """All charges of one currency."""

    charges: int
    """Number of charges."""
    purchased: Money
    """Payments for delivered patches."""
    credited: Money
    """Refunds, as a positive amount."""
    adjusted: Money
    """Later charges."""
    net: Money
    """Purchased, minus credited, plus adjusted."""
    currency: str
    """ISO 4217 code."""


class SpendGroup(Part):
    """The charges of one group, by their day."""

    first_day: date | None = None
    """First day (UTC) of the step. None without `step`."""
    last_day: date | None = None
    """Last day (UTC) of the step, included. None without `step`."""
    group: str | None = None
    """Name of the group. None without `group_by`, and for orders without such a label."""
    currency: str
    """ISO 4217 code."""
    charges: int
    """Number of charges."""
    purchased: Money
    """Payments for delivered patches."""
    credited: Money
    """Refunds, as a positive amount."""
    adjusted: Money
    """Later charges."""
    net: Money
    """Purchased, minus credited, plus adjusted."""


class SpendReport(Answer):
    """Spending per currency, and divided into groups that add up to it. Money is never converted."""

    currencies: tuple[CurrencySpend, ...]
    """Sums per currency, in alphabetical order."""
    groups: tuple[SpendGroup, ...]
    """The same sums by group and step, oldest first."""
