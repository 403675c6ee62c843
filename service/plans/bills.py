"""What a plan's cost and savings were computed from, and the same arithmetic once more."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from service.plans.schemas import BILL_BASELINE, SavingsOut
from service.plans.tables import Plan
from service.pricing.billing import bill, list_price, to_cm2
from service.pricing.repository import find_price_list
from service.pricing.schemas import PriceListTerms
from service.web.paging import MoneyOut


class Figures(NamedTuple):
    """The money of a plan, minor units."""

    cost: int
    baseline: int
    list_saving: int
    billable_saving: int


class LineOut(BaseModel):
    """One billed area: what it covers, and what the minimum makes of it."""

    area_km2: str
    billable_km2: str


class BilledOut(LineOut):
    """An order's billed areas and their sums."""

    lines: list[LineOut]


class BillOut(BaseModel):
    """Areas and terms, and the figures that follow from them alone."""

    chosen: BilledOut = Field(description="the bought patches")
    everything: BilledOut = Field(description="every patch of the scene: the baseline")
    terms: PriceListTerms = Field(description="of the price list, as they were when the plan was made")
    cost: MoneyOut
    baseline: MoneyOut = Field(description=BILL_BASELINE)
    savings: SavingsOut


def bill_of(session: Session, plan: Plan) -> BillOut:
    """Write a plan's bill; a plan made before terms were kept shows those of its price list."""
    terms = plan.bill.get("terms") or find_price_list(session, plan.workspace_id, plan.price_list_id)
    return BillOut(
        chosen=plan.bill["chosen"],
        everything=plan.bill["everything"],
        terms=PriceListTerms.model_validate(terms, from_attributes=True),
        cost=MoneyOut.minor(plan.cost_minor, plan.currency),
        baseline=MoneyOut.minor(plan.baseline_minor, plan.currency),
        savings=SavingsOut.of(plan),
    )


def figures_of(plan: Plan) -> Figures:
    """Return the figures that a plan's row states."""
    return Figures(plan.cost_minor, plan.baseline_minor, plan.list_saving_minor, plan.billable_saving_minor)


def recompute(billed: Mapping[str, Any]) -> Figures:
    """Compute a plan's figures again from `chosen`, `everything` and `terms` as a bill holds them."""
    terms = PriceListTerms.model_validate(billed["terms"]).terms()
    chosen, everything = (_areas(billed[name]) for name in ("chosen", "everything"))
    cost, baseline = (bill(areas, terms).amount.minor for areas in (chosen, everything))
    listed = list_price(sum(everything), terms) - list_price(sum(chosen), terms)
    return Figures(cost, baseline, listed, baseline - cost)


def _areas(billed: Mapping[str, Any]) -> list[int]:
    return [to_cm2(Decimal(line["area_km2"])) for line in billed["lines"]]
