"""Every stored plan priced again from its own row: what it cost, what everything would, what that saves."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.ledger.audit import Finding
from service.plans.bills import figures_of, recompute
from service.plans.tables import Plan
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList

PAGE = 100


def audit_plans(session: Session) -> Iterator[Finding]:
    """Yield the plans whose figures are not what their areas cost, or whose terms are not their list's."""
    query = select(Plan, PriceList).join(PriceList, PriceList.id == Plan.price_list_id).order_by(Plan.id)
    for plan, price_list in session.execute(query.execution_options(yield_per=PAGE)):
        published = PriceListTerms.model_validate(price_list, from_attributes=True).model_dump(mode="json")
        # A plan made before terms were kept in its row is priced by its list's.
        frozen = plan.bill.get("terms", published)
        if figures_of(plan) != recompute(plan.bill | {"terms": frozen}):
            yield Finding(rule="P1 a plan's money recomputes from its row", subject=str(plan.id))
        if frozen != published:
            yield Finding(rule="P2 a plan's terms are its price list's", subject=str(plan.id))
