"""Budgets and adjustments as JSON."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from service.ledger.book import Movement
from service.ledger.proposal_schemas import ProposalOut
from service.ledger.proposals import SHOWN_WAITING, WaitingProposals
from service.ledger.repository import Adjustment, Budget
from service.ledger.tags import MOST_TAGS, Tag, TagName
from service.ledger.terms import BudgetTermsError, Enforcement, Period
from service.money import Money
from service.web.money import MoneyIn, MoneyOut
from service.web.paging import Link
from service.web.values import BodyWholeNumber, Day, Line, Note, invalid


class TermsIn(BaseModel):
    """Terms of a budget. null or omitted fields fall back to the defaults of a new budget."""

    model_config = ConfigDict(extra="forbid")

    period: Period | None = Field(
        None, description="How often the limit is granted again; `none` (the default) grants it once."
    )
    starts_on: Day | None = Field(None, description="First day (UTC) on which the budget pays.")
    ends_on: Day | None = Field(None, description="Last day (UTC) on which the budget pays.")
    enforcement: Enforcement | None = Field(
        None,
        description="Effect on an order beyond the limit: `block` rejects it (default), `warn` accepts "
        "it with a warning, `off` accepts it.",
    )
    thresholds: list[Annotated[BodyWholeNumber, Field(ge=1, le=200)]] | None = Field(
        None,
        max_length=10,
        description="Percentages of the limit. The order that reaches one gets a warning.",
    )
    tags: dict[TagName, Tag | None] | None = Field(
        None, max_length=MOST_TAGS, description="Your own names and values."
    )
    approval_above: MoneyIn | None = Field(
        None,
        description="Orders and charges wait until another holder approves them when they and what their "
        "holder has ordered and charged alone within 24 hours cost more. Changes that give more freedom wait "
        "as well.",
    )

    def changes(self, currency: str) -> dict[str, Any]:
        """Return the members that the client sent, money as Money. BudgetTermsError in another currency."""
        sent = {name: getattr(self, name) for name in TermsIn.model_fields if name in self.model_fields_set}
        if self.approval_above is not None:
            sent["approval_above"] = amount_in(currency, self.approval_above)
        return sent


class BudgetIn(TermsIn):
    """A budget to open: its name, its limit and its terms."""

    name: Line = Field(
        min_length=1,
        max_length=100,
        description="Name, unique in the workspace.",
        examples=["Harvest 2026"],
    )
    limit: MoneyIn = Field(description="Most money that orders may hold and spend.")


class BudgetChange(TermsIn):
    """A change of a budget: a JSON merge patch (RFC 7396). Omitted fields stay, null restores the default."""

    limit: MoneyIn | None = Field(
        None, description="New limit. It must not be below what the budget holds and has spent."
    )

    def new_limit(self, limit: Money) -> Money:
        """Return the limit after the change. BudgetTermsError for null and for another currency."""
        if "limit" not in self.model_fields_set:
            return limit
        if self.limit is None:
            raise BudgetTermsError("A budget needs a limit. Set it to 0.00 to spend nothing.")
        return amount_in(limit.currency, self.limit)


def amount_in(currency: str, money: MoneyIn) -> Money:
    """Return an amount that a client sent. BudgetTermsError when it is not in the budget's currency."""
    if money.currency != currency:
        raise BudgetTermsError(
            f"The budget is in {currency}; the amount is in {money.currency}. Send it in {currency}.",
            currency=currency,
        )
    return money.money()


class TermsOut(BaseModel):
    """Terms of a budget in force."""

    period: Period = Field(description="How often the limit is granted again.")
    starts_on: date | None = Field(
        description="First day (UTC) on which the budget pays; omitted: no first day."
    )
    ends_on: date | None = Field(description="Last day (UTC) on which the budget pays; omitted: no last day.")
    enforcement: Enforcement = Field(
        description="Effect on an order beyond the limit: `block` rejects it, `warn` accepts it with a "
        "warning, `off` accepts it."
    )
    thresholds: list[int] = Field(description="Percentages of the limit, ascending.")
    tags: dict[str, str] = Field(description="Your own names and values.")
    approval_above: MoneyOut | None = Field(
        description="Amount that a holder can order and charge alone within 24 hours; omitted: no approval."
    )


class BudgetOut(TermsOut):
    """A budget."""

    id: UUID = Field(description="Id of the budget.")
    name: str = Field(description="Name, unique in the workspace.")
    version: int = Field(description="Number of the terms, 1 for a new budget; also the ETag.")
    limit: MoneyOut = Field(
        description="Most money that orders may hold and spend, per period if there is one."
    )
    available: MoneyOut = Field(description="Money that new orders can hold.")
    waiting: list[ProposalOut] = Field(
        description="Charges and changes of terms that wait for the key of another holder: the newest "
        f"{SHOWN_WAITING}. The link `waiting` leads to all of them."
    )
    waiting_number: int = Field(description="How many of them wait.")
    created_at: datetime = Field(description="Time at which the budget was opened.")
    links: list[Link] = Field(description="Links to the budget, its usage, its ledger and what waits.")

    @classmethod
    def of(cls, budget: Budget, waiting: WaitingProposals) -> "BudgetOut":
        """Write a budget for JSON, with its proposals that wait."""
        path = f"/v1/budgets/{budget.id}"
        terms, above = budget.terms, budget.terms.approval_above
        return cls(
            id=budget.id,
            name=budget.name,
            version=budget.version,
            limit=MoneyOut.of(budget.limit),
            available=MoneyOut.of(budget.available),
            period=terms.period,
            starts_on=terms.starts_on,
            ends_on=terms.ends_on,
            enforcement=terms.enforcement,
            thresholds=list(terms.thresholds),
            tags=dict(terms.tags),
            approval_above=None if above is None else MoneyOut.of(above),
            waiting=[ProposalOut.of(one) for one in waiting.newest],
            waiting_number=waiting.number,
            created_at=budget.created_at,
            links=[
                Link(rel="self", href=path),
                Link(rel="usage", href=f"{path}/usage"),
                Link(rel="ledger", href=f"/v1/ledger?budget={budget.id}"),
                Link(rel="waiting", href=f"/v1/proposals?waiting=true&budget={budget.id}"),
            ],
        )


class ThresholdOut(BaseModel):
    """A threshold of a budget."""

    percent: int = Field(description="Percentage of the limit.")
    reached: bool = Field(description="Whether this much of the limit is held or spent.")


class UsageOut(BaseModel):
    """Use of a budget in this period: limit + beyond = held + spent + available."""

    limit: MoneyOut = Field(description="Most money that orders may hold and spend.")
    beyond: MoneyOut = Field(
        description="Money held or spent beyond the limit, with enforcement `warn` or `off`."
    )
    held: MoneyOut = Field(description="Money set aside for orders that await patches.")
    spent: MoneyOut = Field(
        description="Money paid for delivered patches, minus refunds, plus later charges."
    )
    available: MoneyOut = Field(description="Money that new orders can hold.")
    percent: float = Field(description="Percentage of the limit that is held or spent.")
    thresholds: list[ThresholdOut] = Field(description="The budget's thresholds, ascending.")
    period_starts_on: date = Field(
        description="Day from which spending counts. A new period starts with its first order or change."
    )

    @classmethod
    def of(cls, budget: Budget) -> "UsageOut":
        """Write a budget's balances for JSON."""
        return cls(
            limit=MoneyOut.of(budget.limit),
            beyond=MoneyOut.of(budget.beyond),
            held=MoneyOut.of(budget.held),
            spent=MoneyOut.of(budget.spent),
            available=MoneyOut.of(budget.available),
            percent=budget.used_percent,
            thresholds=[
                ThresholdOut(percent=percent, reached=budget.reaches(percent))
                for percent in budget.terms.thresholds
            ],
            period_starts_on=budget.period_starts_on,
        )


OF_AN_ORDER: JsonDict = {
    "title": "Refund or charge of an order",
    "properties": {"tile": {"type": "null"}, "patch": {"type": "null"}},
}
OF_A_DELIVERY: JsonDict = {
    "title": "Refund of one delivered patch",
    "properties": {"kind": {"const": "refund"}, "tile": {"type": "integer"}, "patch": {"type": "integer"}},
    "required": ["tile", "patch"],
}


class AdjustmentIn(BaseModel):
    """A refund of an order or of one delivered patch, or a later charge of an order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"oneOf": [OF_AN_ORDER, OF_A_DELIVERY]})

    kind: Literal["refund", "charge"] = Field(
        description="`refund` for a credit note, `charge` for an invoice above what was settled."
    )
    order: UUID = Field(description="Id of the order.")
    tile: BodyWholeNumber | None = Field(
        None, ge=0, description="With `patch`: the delivery to refund. Omit for the order."
    )
    patch: BodyWholeNumber | None = Field(
        None, ge=0, le=15, description="With `tile`: the delivery to refund."
    )
    amount: MoneyIn = Field(description="Amount above zero in the order's currency.")
    reason: Note = Field(
        description="Reason, kept with the ledger entry.", examples=["credit note 4711: cloud"]
    )

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if (self.tile is None) != (self.patch is None):
            raise invalid("place-invalid", "Send tile and patch together, or neither.")
        if self.tile is not None and self.kind == "charge":
            raise invalid("place-invalid", "A charge applies to a whole order; omit tile and patch.")
        return self

    @property
    def place(self) -> tuple[int, int] | None:
        """Tile and patch of the delivery to refund; None for the whole order."""
        return None if self.tile is None or self.patch is None else (self.tile, self.patch)


class AdjustmentOut(BaseModel):
    """A refund or a later charge, with its entry in the ledger."""

    order: UUID = Field(description="Id of the order.")
    number: int = Field(description="Number of the adjustment in its order: 1, 2, 3 ...")
    kind: Movement = Field(description="`refund` or `charge`.")
    tile: int | None = Field(description="Tile of the refunded delivery; omitted for a whole order.")
    patch: int | None = Field(description="Patch of the refunded delivery; omitted for a whole order.")
    amount: MoneyOut = Field(description="Amount.")
    reason: str = Field(description="Reason that was sent.")
    by: str | None = Field(description="Id of the key that posted the adjustment.")
    proposal: UUID | None = Field(
        description="Id of the proposal that another holder approved; omitted if none had to."
    )
    at: datetime = Field(description="Time of the adjustment.")
    seq: int = Field(description="Place of its entry in the workspace's ledger.")
    reference: str = Field(description="Reference of its entry in the ledger.")
    links: list[Link] = Field(description="Link to the order.")

    @classmethod
    def of(cls, adjustment: Adjustment) -> "AdjustmentOut":
        """Write an adjustment for JSON."""
        return cls(
            order=adjustment.order_id,
            number=adjustment.number,
            kind=adjustment.kind,
            tile=adjustment.tile,
            patch=adjustment.patch,
            amount=MoneyOut.of(adjustment.amount),
            reason=adjustment.reason,
            by=adjustment.key_id,
            proposal=adjustment.proposal_id,
            at=adjustment.at,
            seq=adjustment.seq,
            reference=adjustment.reference,
            links=[Link(rel="order", href=f"/v1/orders/{adjustment.order_id}")],
        )
