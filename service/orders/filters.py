"""The query parameters that choose orders of a list."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Select, String, cast, or_, select

from service.ledger.tags import CostCenterQuery, TagDep
from service.orders.repository import labelled
from service.orders.tables import STATUS_NOW, Order, OrderStatus
from service.plans.tables import Plan
from service.pricing.tables import PriceList
from service.web.days import DaysDep
from service.web.values import SearchText

Conditions = list[ColumnElement[bool]]


def read_order_filter(  # noqa: PLR0913  (each parameter is a filter)
    days: DaysDep,
    tag: TagDep,
    cost_center: CostCenterQuery = None,
    status: Annotated[
        list[OrderStatus] | None, Query(description="Status of the order; give it again to allow several.")
    ] = None,
    budget: Annotated[UUID | None, Query(description="Id of the budget that pays.")] = None,
    plan: Annotated[UUID | None, Query(description="Id of the plan that was ordered.")] = None,
    provider: Annotated[
        SearchText | None,
        Query(max_length=200, description="Provider of the plan's price list, as it is written there."),
    ] = None,
    name: Annotated[SearchText | None, Query(max_length=200, description="Name of the order.")] = None,
    external_id: Annotated[
        SearchText | None, Query(max_length=200, description="Id of the order in a system of yours.")
    ] = None,
    q: Annotated[
        SearchText | None,
        Query(
            min_length=1,
            max_length=100,
            description="Text in the id, name, external id, tags or cost centre of the order.",
        ),
    ] = None,
) -> Conditions:
    """Return the conditions of a query of orders; 422 for days in the wrong order and half a tag."""
    conditions = [*labelled(tag, cost_center), *days.hold(Order.created_at)]
    if status:
        conditions.append(STATUS_NOW.in_(status))
    if budget is not None:
        conditions.append(Order.budget_id == budget)
    if plan is not None:
        conditions.append(Order.plan_id == plan)
    if name is not None:
        conditions.append(Order.name == name)
    if external_id is not None:
        conditions.append(Order.external_id == external_id)
    if q is not None:
        conditions.append(order_holds(q))
    if provider is not None:
        conditions.append(Order.plan_id.in_(plans_of_provider(provider)))
    return conditions


def order_holds(text: str) -> ColumnElement[bool]:
    """Return the condition that a text is in an order's id, names, tags or cost centre."""
    places = (
        cast(Order.id, String), Order.name, Order.external_id, cast(Order.tags, String), Order.cost_center
    )  # fmt: skip
    return or_(*(place.icontains(text, autoescape=True) for place in places))


def plans_of_provider(provider: str) -> Select[UUID]:
    """Return the query of the plans at the prices of a provider."""
    lists = select(PriceList.id).where(PriceList.provider == provider)
    return select(Plan.id).where(Plan.price_list_id.in_(lists))


OrderFilterDep = Annotated[Conditions, Depends(read_order_filter)]
