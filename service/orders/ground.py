"""The ground that a workspace owns or has on order, read from its orders and their deliveries."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, column, exists, func, or_, select, table, text
from sqlalchemy.orm import Session

from service.imagery.overlap import GridPatches, near
from service.imagery.placement import MAX_COARSENESS
from service.imagery.products import ordered_pixel_m
from service.imagery.tile_grid import TileGrid
from service.ledger.book import allocate
from service.orders.checklist import Checklist, Place
from service.orders.tables import OPEN, STATUS_NOW, Delivery, Order
from service.plans.arrays import PlanArrays
from service.plans.ground import BoughtGround
from service.plans.tables import Plan, Scene
from service.pricing.tables import PriceList

_EVIDENCE = table(
    "evidence", column("workspace_id"), column("seq"), column("kind"), column("subject"), schema="ledger"
)


class _OrderedScene(NamedTuple):
    """An order with the grid of its scene and the pixel size of its product."""

    order: Order
    status: str
    grid: TileGrid
    product_m: float


class _OwnedPatch(NamedTuple):
    """A delivered patch; `minor` is what was paid and not refunded."""

    tile: int
    patch: int
    side_px: int
    minor: int


def newest_evidence(session: Session, workspace_id: UUID) -> int:
    """Return the number of the workspace's newest evidence, for `orders_after`."""
    newest = select(func.coalesce(func.max(_EVIDENCE.c.seq), 0))
    return int(session.scalars(newest.where(_EVIDENCE.c.workspace_id == workspace_id)).one())


def orders_after(session: Session, workspace_id: UUID, evidence: int) -> set[UUID]:
    """Return the orders of a workspace whose evidence has a higher number: those placed after it."""
    newer = select(_EVIDENCE.c.subject).where(
        _EVIDENCE.c.workspace_id == workspace_id, _EVIDENCE.c.seq > evidence, _EVIDENCE.c.kind == "order"
    )
    return {UUID(subject) for subject in session.scalars(newer)}


def read_ground(
    session: Session, workspace_id: UUID, grid: TileGrid, among: Collection[UUID] | None = None
) -> list[BoughtGround]:
    """Return what a workspace owns or has on order near a grid.

    Delivered patches come first, those of the newest order before others; a patch that was refunded in full
    is left out, unless a file was delivered for it afterwards. Awaited patches of open orders follow, the
    oldest order first. `among` limits the orders that are read.
    """
    scenes = _near_scenes(session, workspace_id, grid, among)
    if not scenes:
        return []
    owned = _owned_patches(session, [one.order.id for one in scenes])
    delivered = [_delivered(one, owned[one.order.id]) for one in reversed(scenes) if one.order.id in owned]
    open_now = [one for one in scenes if one.status in OPEN]
    came = _delivered_places(session, [one.order.id for one in open_now])
    awaited = [_awaited(session, one, came.get(one.order.id, ())) for one in open_now]
    return delivered + [one for one in awaited if len(one.minor)]


def _near_scenes(
    session: Session, workspace_id: UUID, grid: TileGrid, among: Collection[UUID] | None
) -> list[_OrderedScene]:
    """Return the orders that own or await patches near a grid, oldest first."""
    has_deliveries = exists().where(Delivery.order_id == Order.id)
    conditions = [Order.workspace_id == workspace_id, or_(STATUS_NOW.in_(OPEN), has_deliveries)]
    if among is not None:
        conditions.append(Order.id.in_(among))
    if not (ids := _near_orders(session, grid, conditions)):
        return []
    query = (
        select(Order, STATUS_NOW, Scene.reading["grid"], PriceList.gsd_m)
        .join(Plan, Plan.id == Order.plan_id)
        .join(Scene, Scene.id == Plan.scene_id)
        .join(PriceList, PriceList.id == Plan.price_list_id)
        .where(Order.id.in_(ids), *conditions)
        .order_by(Order.created_at, Order.id)
    )
    return [
        _OrderedScene(order, status, TileGrid.from_json(values), float(gsd_m))
        for order, status, values, gsd_m in session.execute(query)
    ]


def _near_orders(session: Session, grid: TileGrid, conditions: Sequence[ColumnElement[bool]]) -> list[UUID]:
    # Only ids and grids: a workspace has many orders, of which few are near.
    query = select(Order.id, Scene.reading["grid"]).join(Plan, Plan.id == Order.plan_id)
    rows = session.execute(query.join(Scene, Scene.id == Plan.scene_id).where(*conditions)).all()
    are_near = near(grid, [TileGrid.from_json(values) for _, values in rows])
    return [order_id for (order_id, _), is_near in zip(rows, are_near, strict=True) if is_near]


_OWNED = """
    SELECT d.order_id, d.tile, d.patch, newest.side, d.settled_minor - coalesce(r.refunded, 0) AS minor
    FROM public.delivery d
    JOIN LATERAL (
        SELECT f.created_at, round(sqrt(octet_length(f.pixels) / 3.0))::integer AS side
        FROM public.delivered_file f
        WHERE f.order_id = d.order_id AND f.tile = d.tile AND f.patch = d.patch
        ORDER BY f.version DESC LIMIT 1
    ) AS newest ON true
    JOIN ledger.order_money m ON m.order_id = d.order_id
    LEFT JOIN LATERAL (
        SELECT sum(a.amount)::bigint AS refunded, max(a.at) AS at
        FROM ledger.adjustment a
        WHERE a.order_id = d.order_id AND a.tile = d.tile AND a.patch = d.patch AND a.kind = 'refund'
    ) AS r ON true
    LEFT JOIN LATERAL (
        SELECT max(a.at) AS at FROM ledger.adjustment a WHERE a.order_id = d.order_id AND a.kind = 'refund'
    ) AS whole ON true
    WHERE d.order_id = ANY(:orders) AND newest.side > 0  -- its pixels were not deleted
        AND NOT (coalesce(r.refunded, 0) > 0 AND r.refunded >= d.settled_minor AND r.at >= newest.created_at)
        AND NOT (m.refunded_minor > 0 AND m.refunded_minor >= m.settled_minor + m.charged_minor
            AND whole.at >= newest.created_at)
    ORDER BY d.order_id, d.tile, d.patch
"""


def _owned_patches(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, list[_OwnedPatch]]:
    """Return the delivered patches of orders that were not refunded in full."""
    found: dict[UUID, list[_OwnedPatch]] = {}
    for order_id, *values in session.execute(text(_OWNED), {"orders": list(order_ids)}):
        found.setdefault(order_id, []).append(_OwnedPatch(*values))
    return found


def _delivered_places(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, list[Place]]:
    query = select(Delivery.order_id, Delivery.tile, Delivery.patch).where(Delivery.order_id.in_(order_ids))
    found: dict[UUID, list[Place]] = {}
    for order_id, tile, patch in session.execute(query):
        found.setdefault(order_id, []).append((tile, patch))
    return found


def _delivered(scene: _OrderedScene, owned: Sequence[_OwnedPatch]) -> BoughtGround:
    sides = {one.side_px for one in owned}
    stored_m = {side: ordered_pixel_m(scene.grid, side) for side in sides}
    # A delivery was checked to be at most twice as coarse as it is stored, whatever its product is called.
    pixel_m = {side: max(one, min(scene.product_m, one * MAX_COARSENESS)) for side, one in stored_m.items()}
    return _bought(
        scene,
        ((one.tile, one.patch) for one in owned),
        delivered=True,
        pixel_m=[pixel_m[one.side_px] for one in owned],
        minor=[max(one.minor, 0) for one in owned],
    )


def _awaited(session: Session, scene: _OrderedScene, came: Iterable[Place]) -> BoughtGround:
    order = scene.order
    checklist = Checklist(selected=PlanArrays.of(session.get_one(Plan, order.plan_id)).selected)
    places, ranks = checklist.awaited(came), checklist.ranks()
    shares = [allocate(order.planned, order.patches, int(ranks[place])).minor for place in places]
    return _bought(scene, places, delivered=False, pixel_m=[scene.product_m] * len(places), minor=shares)


def _bought(scene: _OrderedScene, places: Iterable[Place], **values: Any) -> BoughtGround:
    tiles, patches = np.array(list(places), dtype=np.int64).reshape(-1, 2).T
    return BoughtGround(
        order_id=scene.order.id,
        order_status=scene.status,
        delivered=values["delivered"],
        patches=GridPatches(grid=scene.grid, tiles=tiles, patches=patches),
        pixel_m=np.array(values["pixel_m"], dtype=np.float64),
        minor=np.array(values["minor"], dtype=np.int64),
        currency=scene.order.currency,
    )
