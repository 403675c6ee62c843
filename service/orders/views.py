"""Orders and deliveries written as the API shows them."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from models.grid import row_col
from service.errors import LoupeWarning
from service.imagery.geojson import Geometry
from service.ledger.repository import OrderMoney, money_of_orders
from service.orders.checklist import Checklist, Place
from service.orders.delivered import Delivered, delivered_counts, delivered_patches
from service.orders.final_bill import BillBasis, bills_of
from service.orders.parts import PartlyDelivered, partly_delivered
from service.orders.placing import PlacedOrder
from service.orders.repository import history, plan_of, statuses_now
from service.orders.schemas import (
    Amounts,
    AwaitedPatch,
    BilledPatches,
    DeliveredPatch,
    Footprint,
    OrderOut,
    OrderPatches,
    OrderSummary,
    PartlyDeliveredPatch,
    PatchCounts,
    StatusStep,
)
from service.orders.tables import NOT_DELIVERED_IN_TIME, OPEN, Order, OrderStatus, OrderStatusChange
from service.plans.arrays import PlanArrays
from service.plans.maps import outlines
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.web.money import MoneyOut
from service.web.paging import Link
from service.web.warnings import WarningOut

MOST_PATCHES = 4_096
"""Patches that an order lists of each kind; as they are delivered, the next ones appear."""


def summaries(session: Session, orders: Sequence[Order]) -> list[OrderSummary]:
    """Write a page of orders, with one query of each kind for all of them."""
    ids = [order.id for order in orders]
    statuses, delivered = statuses_now(session, ids), delivered_counts(session, ids)
    money = money_of_orders(session, ids)
    return [
        _summary(order, statuses[order.id], delivered.get(order.id, 0), money[order.id]) for order in orders
    ]


def full(session: Session, order: Order) -> OrderOut:
    """Write one order with its history and patches."""
    status = statuses_now(session, [order.id])[order.id]
    delivered = delivered_patches(session, order)
    money = money_of_orders(session, [order.id])[order.id]
    plan = plan_of(session, order)
    patches = OrderPatches(
        awaited=awaited_patches(session, order.id, plan, delivered) if status in OPEN else [],
        delivered=[_delivered(one) for one in delivered[:MOST_PATCHES]],
        partly=[_partly(one) for one in partly_delivered(session, order.id, MOST_PATCHES)],
    )
    summary = _summary(order, status, len(delivered), money)
    return OrderOut(
        **dict(summary),
        statuses=steps(session, order),
        patches=patches,
        final_bill=_final_bill(session, order),
    )


def new_order(placed: PlacedOrder, awaited: list[AwaitedPatch]) -> OrderOut:
    """Write an order that was just placed, without a query: the workspace's chain is locked."""
    order, nothing = placed.order, placed.order.money(0)
    status = OrderStatus(order.status)
    money = OrderMoney(
        budget_id=order.budget_id,
        total=order.planned,
        settled=nothing,
        released=nothing,
        refunded=nothing,
        charged=nothing,
    )
    return OrderOut(
        **dict(_summary(order, status, 0, money)),
        statuses=[_step(placed.step)],
        patches=OrderPatches(awaited=awaited if status in OPEN else [], delivered=[], partly=[]),
        warnings=_written(placed.warnings),
    )


def steps(session: Session, order: Order) -> list[StatusStep]:
    """Write an order's history, oldest first; an overdue order's ends with the step that expires it."""
    recorded = [_step(step) for step in history(session, order.id)]
    status = statuses_now(session, [order.id])[order.id]
    if status == OrderStatus.EXPIRED and recorded[-1].status != status:
        recorded.append(StatusStep(status=status, reason_code=NOT_DELIVERED_IN_TIME, at=order.expires_at))
    return recorded


def _step(step: OrderStatusChange) -> StatusStep:
    return StatusStep(
        status=OrderStatus(step.status),
        reason_code=step.reason_code,
        at=step.at,
        by=step.key_id,
        note=step.note,
        expires_at=step.expires_at,
    )


def _written(warnings: Sequence[LoupeWarning]) -> list[WarningOut] | None:
    return [WarningOut(**one.to_json()) for one in warnings] or None


def _summary(order: Order, status: OrderStatus, delivered: int, money: OrderMoney) -> OrderSummary:
    return OrderSummary(
        id=order.id,
        plan=order.plan_id,
        budget=order.budget_id,
        name=order.name,
        external_id=order.external_id,
        tags=dict(order.tags),
        cost_center=order.cost_center,
        status=status,
        created_at=order.created_at,
        expires_at=order.expires_at,
        amounts=_amounts(money if status in OPEN else money.once_ended()),
        counts=PatchCounts(
            bought=order.patches,
            delivered=delivered,
            awaited=order.patches - delivered if status in OPEN else 0,
        ),
        links=_links(order, status),
    )


def _final_bill(session: Session, order: Order) -> BilledPatches | None:
    bills = bills_of(session, order)
    if not bills:
        return None
    return BilledPatches(
        patches=bills[-1].patches,
        billed=MoneyOut.of(order.money(bills[-1].billed_minor)),
        difference=MoneyOut.of(order.money(sum(one.settled_minor for one in bills))),
        basis=cast(BillBasis, bills[-1].basis),
    )


def _amounts(money: OrderMoney) -> Amounts:
    return Amounts(
        total=MoneyOut.of(money.total),
        held=MoneyOut.of(money.held),
        settled=MoneyOut.of(money.settled),
        released=MoneyOut.of(money.released),
        refunded=MoneyOut.of(money.refunded),
        charged=MoneyOut.of(money.charged),
        net=MoneyOut.of(money.net),
    )


def _links(order: Order, status: OrderStatus) -> list[Link]:
    path = f"/v1/orders/{order.id}"
    links = [
        Link(rel="self", href=path),
        Link(rel="monitor", href=f"{path}/statuses"),
        Link(rel="plan", href=f"/v1/plans/{order.plan_id}"),
        Link(rel="budget", href=f"/v1/budgets/{order.budget_id}"),
        Link(rel="classification", href=f"{path}/classification", title="POST"),
        Link(rel="truth", href=f"{path}/truth"),
        Link(rel="saving", href=f"/v1/reports/savings/orders/{order.id}"),
    ]
    if order.hold_id is not None:
        links.append(Link(rel="ledger", href=f"/v1/ledger?hold={order.hold_id}"))
    if status == OrderStatus.HELD:
        links.append(Link(rel="approval", href=f"{path}/approval", title="POST"))
    if status in OPEN:
        links.append(Link(rel="cancel", href=f"{path}/cancel", title="POST"))
        links.append(Link(rel="deadline", href=f"{path}/deadline", title="POST"))
    return links


def awaited_patches(
    session: Session, order_id: UUID, plan: Plan, delivered: Sequence[Delivered] = ()
) -> list[AwaitedPatch]:
    """Write the patches that an order of `plan` awaits; the order need not exist yet."""
    checklist = Checklist(selected=PlanArrays.of(plan).selected)
    waiting = checklist.awaited((one.tile, one.patch) for one in delivered)
    shown = waiting[:MOST_PATCHES]
    tiles, patches = np.array(shown, dtype=np.intp).reshape(-1, 2).T
    places = outlines(grid_of(session.get_one(Scene, plan.scene_id)), tiles, patches)
    return [_awaited_patch(order_id, *found) for found in zip(shown, places, strict=True)]


def _awaited_patch(order_id: UUID, place: Place, outline: Geometry) -> AwaitedPatch:
    tile, patch = place
    row, col = row_col(patch)
    return AwaitedPatch(
        tile=tile,
        patch=patch,
        row=row,
        col=col,
        footprint=Footprint.model_validate(outline),
        upload=f"/v1/orders/{order_id}/tiles/{tile}/patches/{patch}",
    )


def _delivered(one: Delivered) -> DeliveredPatch:
    return DeliveredPatch(
        tile=one.tile,
        patch=one.patch,
        version=one.version,
        sha256=one.sha256,
        files=list(one.files) or None,
        size=one.size,
        settled=MoneyOut.of(one.settled),
        delivered_at=one.created_at,
    )


def _partly(one: PartlyDelivered) -> PartlyDeliveredPatch:
    return PartlyDeliveredPatch(
        tile=one.tile,
        patch=one.patch,
        covered=one.covered,
        remainder=None if one.remainder is None else Footprint.model_validate(one.remainder),
        files=one.files,
    )
