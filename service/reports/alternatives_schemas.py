"""The alternatives of an order as JSON, beside its saving."""

from uuid import UUID

from pydantic import Field

from service.plans.alternatives import Compared
from service.plans.alternatives_schemas import AlternativesOut
from service.reports.counterfactuals import Counterfactuals
from service.reports.savings import CountedOrder
from service.reports.schemas import ReportedSaving
from service.web.paging import Link


class OrderAlternatives(AlternativesOut):
    """The alternatives of an order, beside the saving that it realised."""

    order: UUID = Field(description="Id of the order.")
    realised: ReportedSaving | None = Field(
        description="Share of the order in the realised saving. Null while it adds nothing."
    )

    @classmethod
    def of_order(
        cls, counted: CountedOrder, read: Counterfactuals, compared: Compared
    ) -> "OrderAlternatives":
        """Write the alternatives of an order."""
        order_id, saving = counted.order.order_id, counted.realised_saving
        path = f"/v1/reports/savings/orders/{order_id}"
        return cls(
            **cls.members(read.found, compared, read.own, read.basis),
            order=order_id,
            realised=None if saving is None else ReportedSaving.of_kind("realised", saving),
            links=[
                Link(rel="self", href=f"{path}/alternatives"),
                Link(rel="saving", href=path),
                Link(rel="order", href=f"/v1/orders/{order_id}"),
                Link(rel="plan", href=f"/v1/plans/{counted.order.plan_id}"),
            ],
        )
