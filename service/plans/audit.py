"""Every stored plan priced again from its own row: what it cost, what everything would, what that saves."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.ledger.audit import Finding
from service.plans.tables import Plan
from service.pricing.billing import bill, list_price, to_cm2
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList

PAGE = 100


def audit_plans(session: Session) -> Iterator[Finding]:
    """Yield the plans whose figures are not what their areas cost under their price list."""
    query = select(Plan, PriceList).join(PriceList, PriceList.id == Plan.price_list_id).order_by(Plan.id)
    for plan, price_list in session.execute(query.execution_options(yield_per=PAGE)):
        if _figures(plan) != _recomputed(plan, price_list):
            yield Finding(rule="P1 a plan's money recomputes from its row", subject=str(plan.id))


def _figures(plan: Plan) -> tuple[int, int, int, int]:
    return plan.cost_minor, plan.baseline_minor, plan.list_saving_minor, plan.billable_saving_minor


def _recomputed(plan: Plan, price_list: PriceList) -> tuple[int, int, int, int]:
    terms = terms_of(price_list)
    chosen, everything = (_areas(plan.bill[name]) for name in ("chosen", "everything"))
    cost, baseline = (bill(areas, terms).amount.minor for areas in (chosen, everything))
    listed = list_price(sum(everything), terms) - list_price(sum(chosen), terms)
    return cost, baseline, listed, baseline - cost


def _areas(billed: dict[str, Any]) -> list[int]:
    return [to_cm2(Decimal(line["area_km2"])) for line in billed["lines"]]
