"""The money of a plan: savings, the areas and terms behind them, and the same arithmetic again."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from service.money import Money
from service.plans.tables import Plan
from service.pricing.areas import to_cm2
from service.pricing.billing import bill, list_price
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList
from service.web.money import MoneyOut

LIST_BASELINE = "the area of every patch of the scene at the list price, minimums ignored"
BILL_BASELINE = "the provider's bill for every patch of the scene, from the same price list"


class PlanFigures(NamedTuple):
    """The money of a plan."""

    cost: Money
    baseline: Money
    list_saving: Money
    billable_saving: Money
    reuse_saving: Money


class PlanSaving(MoneyOut):
    """A saving and the baseline that it is measured against."""

    baseline: str = Field(description="Cost that the saving is measured against.")


class PlanSavings(BaseModel):
    """Savings of a plan: three figures that are never mixed."""

    list: PlanSaving = Field(
        description="Baseline minus cost, minimums ignored. What reuse saves (`reuse.saved`) is not in it."
    )
    billable: PlanSaving = Field(
        description="Baseline minus cost, minimums included. What reuse saves (`reuse.saved`) is not in it: "
        "`cost`, `reuse.saved` and this saving sum to the baseline."
    )
    realised: None = Field(
        None, description="Always null in a plan. `/v1/reports/savings` has this figure for settled orders."
    )

    @classmethod
    def of(cls, plan: Plan) -> "PlanSavings":
        """Write a plan's savings."""
        listed = MoneyOut.of(plan.list_saving).model_dump()
        billable = MoneyOut.of(plan.billable_saving).model_dump()
        return cls(
            list=PlanSaving(**listed, baseline=LIST_BASELINE),
            billable=PlanSaving(**billable, baseline=BILL_BASELINE),
        )


class BilledArea(BaseModel):
    """One billed area, before and after minimum areas."""

    area_km2: str = Field(description="Area covered, in square kilometres.")
    billable_km2: str = Field(description="Area billed, minimum areas included, in square kilometres.")


class BilledAreas(BilledArea):
    """The billed areas of an order and their sums."""

    lines: list[BilledArea] = Field(description="Each billed area: the whole order, or each of its shapes.")


class PlanBill(BaseModel):
    """Areas and terms, and the figures that follow from them."""

    chosen: BilledAreas = Field(description="Areas of the bought patches.")
    without_reuse: BilledAreas | None = Field(
        None,
        description="Areas of the bought patches and of those that would be bought if they were not owned or "
        "on order. Null if there are no such patches.",
    )
    everything: BilledAreas = Field(description="Areas of every patch of the scene: the baseline.")
    terms: PriceListTerms = Field(description="Terms of the price list when the plan was made.")
    cost: MoneyOut = Field(description="Bill for the bought patches.")
    baseline: MoneyOut = Field(description=f"Cost of buying everything: {BILL_BASELINE}.")
    savings: PlanSavings = Field(description="Savings against the baseline.")
    saved_by_reuse: MoneyOut = Field(description="Bill without reuse minus the cost.")


def bill_of(plan: Plan, price_list: PriceList) -> PlanBill:
    """Write a plan's bill; a plan made before terms were kept in its row shows those of its price list."""
    terms = plan.bill.get("terms") or price_list
    return PlanBill(
        chosen=plan.bill["chosen"],
        without_reuse=plan.bill.get("without_reuse"),
        everything=plan.bill["everything"],
        terms=PriceListTerms.model_validate(terms, from_attributes=True),
        cost=MoneyOut.of(plan.cost),
        baseline=MoneyOut.of(plan.baseline),
        savings=PlanSavings.of(plan),
        saved_by_reuse=MoneyOut.of(plan.reuse_saving),
    )


def figures_of(plan: Plan) -> PlanFigures:
    """Return the figures that a plan's row states."""
    return PlanFigures(plan.cost, plan.baseline, plan.list_saving, plan.billable_saving, plan.reuse_saving)


def recompute(billed: Mapping[str, Any]) -> PlanFigures:
    """Compute a plan's figures again from the areas and the `terms` of its bill."""
    terms = PriceListTerms.model_validate(billed["terms"]).terms()
    reused = billed.get("without_reuse") or billed["chosen"]
    chosen, without, everything = map(_areas, (billed["chosen"], reused, billed["everything"]))
    cost, bought_new, baseline = (bill(areas, terms).amount for areas in (chosen, without, everything))
    listed = list_price(sum(everything), terms) - list_price(sum(without), terms)
    return PlanFigures(cost, baseline, listed, baseline - bought_new, bought_new - cost)


def _areas(billed: Mapping[str, Any]) -> list[int]:
    return [to_cm2(Decimal(line["area_km2"])) for line in billed["lines"]]
