"""Groups of orders by a label: the overview and the reports add them up, and the list of orders shows one."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import ColumnElement, String, cast, select

from service.access.tables import ApiKey
from service.errors import InvalidInputError
from service.orders.filters import plans_of_provider
from service.orders.repository import labelled, without_tag
from service.orders.tables import Order
from service.plans.tables import Plan, Scene
from service.reports.figures import OrderFigures

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "cost-centre": "Cost centre",
        "provider": "Provider",
        "budget": "Budget",
        "key": "Key",
        "scene": "Scene",
    }
)
"""Titles of the groupings beside the tags of the orders, by their names in the address."""
TAG = "tag:"
"""Beginning of the name of a grouping by a tag."""


def title_of(by: str) -> str:
    """Return the title of a grouping. InvalidInputError for one that there is not."""
    if by.startswith(TAG) and by != TAG:
        return f"Tag: {by.removeprefix(TAG)}"
    if by not in GROUPS:
        choices = ", ".join(GROUPS)
        raise InvalidInputError(f"Orders have no groups by {by!r}. Choose one of {choices} and {TAG}NAME.")
    return GROUPS[by]


def group_of(order: OrderFigures, by: str) -> str:
    """Return the label by which an order is grouped; empty for an order without such a label."""
    match by:
        case "cost-centre":
            return order.cost_center or ""
        case "provider":
            return order.provider
        case "budget":
            return str(order.budget_id)
        case "key":
            return order.key or ""
        case "scene":
            return order.scene
        case _:
            return order.tags.get(by.removeprefix(TAG), "")


def shown_group(order: OrderFigures, by: str) -> str:
    """Return the label of an order as a table shows it."""
    match by:
        case "budget":
            return order.budget
        case "scene":
            return order.scene[:8]
        case _:
            return group_of(order, by) or "none"


def query_of(by: str, label: str) -> dict[str, str]:
    """Return the filters of the list of orders that choose a group. Its form has a field for budgets."""
    return {"budget": label} if by == "budget" else {"by": by, "group": label}


def is_in_group(by: str, label: str) -> ColumnElement[bool]:
    """Return the condition that an order of the query has a label; an empty one: that it has none."""
    match by:
        case "cost-centre":
            return Order.cost_center == label if label else Order.cost_center.is_(None)
        case "provider":
            return Order.plan_id.in_(plans_of_provider(label))
        case "budget":
            return cast(Order.budget_id, String) == label
        case "key":
            named = select(ApiKey.id).where(ApiKey.name == label)
            return Order.key_id.in_(named) if label else Order.key_id.is_(None)
        case "scene":
            scenes = select(Scene.id).where(Scene.sha256 == label)
            return Order.plan_id.in_(select(Plan.id).where(Plan.scene_id.in_(scenes)))
        case _:
            name = by.removeprefix(TAG)
            return labelled({name: label}, None)[0] if label else without_tag(name)
