"""Every stored plan priced again from its own row: what it cost, what everything would, what that saves."""

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.ledger.audit import Finding
from service.plans.tables import Plan
from service.pricing.billing import CM2_PER_KM2, list_price, order_price
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
    areas = [int(Decimal(plan.bill[name]["area_km2"]) * CM2_PER_KM2) for name in ("chosen", "everything")]
    cost, baseline = (order_price(area, terms) for area in areas)
    listed, listed_baseline = (list_price(area, terms) for area in areas)
    return cost, baseline, listed_baseline - listed, baseline - cost
