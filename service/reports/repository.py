"""Queries of orders with the figures and grounds of their plans, and their payments."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Select, column, func, select, table
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from service.access.tables import ApiKey
from service.errors import NotFoundError
from service.imagery.tile_grid import TileGrid
from service.invoices.reconciling import Reconciled, by_order
from service.invoices.repository import read_reconciled
from service.ledger.tags import merged_tags
from service.money import Money
from service.orders.repository import labelled, tags_of_budgets
from service.orders.tables import STATUS_NOW, Delivery, Order
from service.plans.arrays import MIN_VALID_SHARE
from service.plans.tables import Plan, Scene
from service.pricing.areas import to_cm2
from service.pricing.billing import PriceTerms, list_price
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from service.reports.figures import OrderFigures, ReusedFrom
from service.reports.filters import EVERYTHING, ReportFilter
from service.reports.ground import Ground
from service.reports.returned import GroundOf, ReturnedPatch, not_replaced, read_returned
from service.reports.savings import CountedOrder
from service.truth.repository import read_scores
from service.web.days import Days
from service.web.paging import Cursor, PageRequest

AMOUNTS = ("baseline", "cost", "settled", "refunded", "charged")
"""Amounts of OrderFigures whose minor units are columns that end in `_minor`."""
MONEY = table(
    "order_money",
    *map(column, ("order_id", "settled_minor", "refunded_minor", "charged_minor")),
    schema="ledger",
)
_BUDGET = table("budget", column("id"), column("name"), schema="ledger")
_DELIVERED = (
    select(func.count())
    .select_from(Delivery)
    .where(Delivery.order_id == Order.id)
    .scalar_subquery()
    .label("delivered")
)


def read_figures(
    session: Session, workspace_id: UUID, chosen: ReportFilter = EVERYTHING
) -> list[OrderFigures]:
    """Return the chosen orders of the workspace, oldest first, for `count_orders`.

    Of the plans' arrays only the valid shares are read, once per scene. Counting compares grounds, so it
    belongs after the session.
    """
    rows = session.execute(_figures(workspace_id).where(*_limits(chosen))).mappings().all()
    grounds = _grounds(session, workspace_id, {row["scene_id"] for row in rows})
    terms = _terms(session, {row["price_list_id"] for row in rows})
    returned = read_returned(session, workspace_id)
    invoiced = by_order(read_reconciled(session, workspace_id))
    budgets = tags_of_budgets(session, workspace_id)
    scores = read_scores(session, workspace_id)
    places = {
        row["order_id"]: GroundOf(row["price_list"], row["currency"], grounds[row["scene_id"]])
        for row in rows
    }
    return [
        _order_figures(
            {
                **row,
                "tags": merged_tags(budgets[row["budget_id"]], row["tags"]),
                "score": scores.get(row["order_id"]),
            },
            places[row["order_id"]].ground,
            terms[row["price_list_id"]],
            returned.get(row["order_id"], ()),
            not_replaced(returned.get(row["order_id"], ()), returned, places),
            invoiced.get(row["order_id"]),
        )
        for row in rows
    ]


def page_of_counted(
    counted: Sequence[CountedOrder], page: PageRequest
) -> tuple[list[CountedOrder], Cursor | None]:
    """Return one page of orders, newest first, and the cursor of the next."""
    newest = list(reversed(counted))
    if page.after is not None:
        after = (page.after.created_at, page.after.id)
        newest = [one for one in newest if (one.order.created_at, one.order.order_id) < after]
    shown = newest[: page.limit]
    if len(newest) <= page.limit:
        return shown, None
    return shown, Cursor(shown[-1].order.created_at, shown[-1].order.order_id)


def find_counted(counted: Sequence[CountedOrder], order_id: UUID) -> CountedOrder:
    """Return the figures of one order; NotFoundError when it is not among them."""
    for one in counted:
        if one.order.order_id == order_id:
            return one
    raise NotFoundError(f"There is no order {order_id}.", order=str(order_id))


def _figures(workspace_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Order.id.label("order_id"),
            Order.plan_id,
            Order.created_at,
            STATUS_NOW.label("status"),
            Order.currency,
            Order.budget_id,
            Order.tags,
            Order.cost_center,
            PriceList.name.label("price_list"),
            PriceList.example,
            PriceList.provider,
            _BUDGET.c.name.label("budget"),
            ApiKey.name.label("key"),
            Plan.price_list_id,
            Plan.scene_id,
            Scene.sha256.label("scene"),
            Plan.patches_bought,
            Plan.baseline_minor,
            Plan.cost_minor,
            Plan.list_saving_minor,
            _DELIVERED,
            Plan.reuse,
            Plan.bill["chosen"]["area_km2"].astext.label("chosen_km2"),
            Plan.bill["without_reuse"]["area_km2"].astext.label("without_km2"),
            Plan.bill["everything"]["area_km2"].astext.label("everything_km2"),
            MONEY.c.settled_minor,
            MONEY.c.refunded_minor,
            MONEY.c.charged_minor,
        )
        .join(Plan, Plan.id == Order.plan_id)
        .join(Scene, Scene.id == Plan.scene_id)
        .join(PriceList, PriceList.id == Plan.price_list_id)
        .join(MONEY, MONEY.c.order_id == Order.id)
        .join(_BUDGET, _BUDGET.c.id == Order.budget_id)
        .outerjoin(ApiKey, ApiKey.id == Order.key_id)
        .where(Order.workspace_id == workspace_id)
    )


def _limits(chosen: ReportFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that choose orders by the day of placing, budget, provider and labels."""
    found = Days(chosen.first, chosen.last).hold(Order.created_at)
    if chosen.budget is not None:
        found.append(Order.budget_id == chosen.budget)
    if chosen.provider is not None:
        found.append(PriceList.provider == chosen.provider)
    return found + labelled(chosen.tag, chosen.cost_center)


def _grounds(session: Session, workspace_id: UUID, scene_ids: set[UUID]) -> dict[UUID, Ground]:
    """Return the ground of each scene: all plans of a scene have the same tiles with data."""
    query = (
        select(Plan.scene_id, Scene.reading, Plan.valid_share)
        .join(Scene, Scene.id == Plan.scene_id)
        .where(Plan.scene_id.in_(scene_ids))
        .ext(distinct_on(Plan.scene_id))
        .order_by(Plan.scene_id, Plan.created_at)
    )
    return {
        scene_id: Ground(
            TileGrid.from_json(reading["grid"]),
            _planned(valid_share),
            reading.get("acquired_on"),
            bytes.fromhex(reading.get("sample", "")),
            workspace_id,
        )
        for scene_id, reading, valid_share in session.execute(query)
    }


def _planned(valid_share: bytes) -> bytes:
    return (np.frombuffer(valid_share, "<f4") >= MIN_VALID_SHARE).astype(np.uint8).tobytes()


def _terms(session: Session, price_list_ids: set[UUID]) -> dict[UUID, PriceTerms]:
    query = select(PriceList).where(PriceList.id.in_(price_list_ids))
    return {row.id: terms_of(row) for row in session.scalars(query)}


def _order_figures(
    row: Mapping[Any, Any],
    ground: Ground,
    terms: PriceTerms,
    returned: Sequence[ReturnedPatch],
    for_good_minor: int,
    invoiced: Reconciled | None,
) -> OrderFigures:
    amounts = {name: Money(row[f"{name}_minor"], row["currency"]) for name in AMOUNTS}
    list_cost = _listed(row["chosen_km2"], terms, amounts["cost"])
    listed = Money(row["list_saving_minor"], row["currency"]) + list_cost
    reuse = row["reuse"]
    return OrderFigures(
        order_id=row["order_id"],
        plan_id=row["plan_id"],
        created_at=row["created_at"],
        status=row["status"],
        price_list=row["price_list"],
        example=row["example"],
        ground=ground,
        patches_bought=row["patches_bought"],
        delivered=row["delivered"],
        list_baseline=_listed(row["everything_km2"], terms, listed),
        list_cost=list_cost,
        reused=Money.parse(reuse["saved"]["amount"] if reuse else "0", row["currency"]),
        list_reused=_listed(row["without_km2"], terms, list_cost) - list_cost,
        reuses=_reuses(reuse),
        returned_patches=len(returned),
        returned=Money(sum(one.minor for one in returned), row["currency"]),
        returned_for_good=Money(for_good_minor, row["currency"]),
        confirmed=invoiced is not None and invoiced.state == "agrees",
        invoices=invoiced.invoices if invoiced else (),
        credit_notes=invoiced.credit_notes if invoiced else (),
        reasons=invoiced.reasons if invoiced else (),
        tags=row["tags"],
        cost_center=row["cost_center"],
        provider=row["provider"],
        budget=row["budget"],
        budget_id=row["budget_id"],
        key=row["key"],
        scene=row["scene"],
        score=row["score"],
        **amounts,
    )


def _reuses(reuse: Mapping[str, Any] | None) -> tuple[ReusedFrom, ...]:
    """Read from which orders a plan reuses patches; a plan with `reuse=none` lists some and uses none."""
    if reuse is None or reuse["mode"] == "none":
        return ()
    return tuple(
        ReusedFrom(order_id=UUID(one["order"]), owned=one["owned"], on_order=one["on_order"])
        for one in reuse["orders"]
    )


def _listed(area_km2: str | None, terms: PriceTerms, otherwise: Money) -> Money:
    """Return the price of an area without minimums; `otherwise` for a plan that does not state its area."""
    return otherwise if area_km2 is None else list_price(to_cm2(Decimal(area_km2)), terms)
