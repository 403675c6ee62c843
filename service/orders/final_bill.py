"""The provider's bill for the delivered patches of an order that ends early.

A delivered patch settles its share of the plan's cost. Bills are not linear: under a minimum area, one patch
of four is billed like all four. An order that ends before all its patches came therefore settles the
difference between the provider's bill for what came and what was settled.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.grid import GRID
from service.database.engine import Database
from service.imagery.tile_grid import TileGrid
from service.ledger.book import allocate
from service.ledger.writer import settle
from service.money import Money
from service.orders.checklist import Checklist, Place
from service.orders.delivered import delivered_counts
from service.orders.repository import find_order, plan_of
from service.orders.tables import Delivery, FinalBill, LateBill, Order
from service.planner.order_shapes import Shape, compile_order
from service.plans.arrays import PlanArrays
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill
from service.pricing.schemas import PriceListTerms
from service.pricing.tables import PriceList

BillBasis = Literal["terms", "prices"]
"""`terms`: the terms of the plan's price list. `prices`: prices that were sent with the files."""

Mask = NDArray[np.bool_]  # (T, 16)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrived:
    """The delivered patches of an order, with all that their bill depends on."""

    selected: Mask
    arranged: Mask
    delivered: Mask
    grid: TileGrid
    terms: PriceTerms
    planned: Money
    settled: Money
    has_own_prices: bool
    """Whether a patch was paid at a price of its own instead of its share."""


@dataclass(frozen=True, kw_only=True)
class ArrivedBill:
    """The provider's bill for the delivered patches, and what was settled for them."""

    patches: int
    billed: Money
    settled: Money
    basis: BillBasis

    @property
    def difference(self) -> Money:
        """Amount of the bill that is not settled yet, at least zero."""
        return max(Money(0, self.billed.currency), self.billed - self.settled)


def read_arrived(session: Session, order: Order, late: Collection[Place] = ()) -> Arrived | None:
    """Return what was delivered of an order, and what comes `late` with it; None when nothing was."""
    query = select(Delivery.tile, Delivery.patch, Delivery.settled_minor).where(Delivery.order_id == order.id)
    rows = session.execute(query).all()
    if not (rows or late):
        return None
    plan = plan_of(session, order)
    arrays = PlanArrays.of(plan)
    tiles, patches, minor = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    delivered = np.zeros_like(arrays.selected)
    delivered[tiles, patches] = True
    for place in late:
        delivered[place] = True
    ranks = Checklist(selected=arrays.selected).ranks()[tiles, patches]
    shares = [allocate(order.planned, order.patches, int(rank)).minor for rank in ranks]
    return Arrived(
        selected=arrays.selected,
        arranged=arrays.arranged,
        delivered=delivered,
        grid=grid_of(session.get_one(Scene, plan.scene_id)),
        terms=_terms_of(session, plan),
        planned=order.planned,
        settled=order.money(int(minor.sum())),
        has_own_prices=shares != minor.tolist(),
    )


def bill_arrived(arrived: Arrived) -> ArrivedBill:
    """Compute the bill for the delivered patches, at most the plan's cost.

    Prices that were sent with files are the provider's bill. Otherwise the terms of the plan apply to the
    delivered area or, where prices depend on shapes, to the part of each ordered shape that came.
    """
    billed, basis = arrived.settled, BASES[arrived.has_own_prices]
    if basis == "terms":
        billed = min(bill(_areas_cm2(arrived), arrived.terms).amount, arrived.planned)
    return ArrivedBill(
        patches=int(arrived.delivered.sum()), billed=billed, settled=arrived.settled, basis=basis
    )


def find_arrived_bill(database: Database, workspace_id: UUID, order_id: UUID) -> ArrivedBill | None:
    """Compute the bill for what came of an order, without a session; None when nothing came."""
    with database.sessions() as session:
        arrived = read_arrived(session, find_order(session, workspace_id, order_id))
    return None if arrived is None else bill_arrived(arrived)


def settle_difference(session: Session, order: Order, found: ArrivedBill | None) -> None:
    """Pay what the bill for the delivered patches exceeds their payments by; the caller holds the lock.

    `found` was computed before the lock. If more patches came since, the bill is computed again.
    """
    count = delivered_counts(session, [order.id]).get(order.id, 0)
    if found is None or found.patches != count:
        arrived = read_arrived(session, order)
        found = None if arrived is None else bill_arrived(arrived)
    if found is None:
        return
    session.add(
        FinalBill(
            order_id=order.id,
            patches=found.patches,
            billed_minor=found.billed.minor,
            settled_minor=found.difference.minor,
            basis=found.basis,
        )
    )
    session.flush()  # first the bill: the evidence of its payment covers it
    settle(session, order.hold_id, found.difference, f"bill:{order.id}")


def bills_of(session: Session, order: Order) -> list[FinalBill | LateBill]:
    """Return the bills of an order that ended early, oldest first: of its end, and after late deliveries."""
    final = session.get(FinalBill, order.id)
    query = select(LateBill).where(LateBill.order_id == order.id).order_by(LateBill.number)
    return [*([] if final is None else [final]), *session.scalars(query)]


BASES: tuple[BillBasis, BillBasis] = ("terms", "prices")
"""Basis of a bill, by whether a patch has a price of its own."""


def _terms_of(session: Session, plan: Plan) -> PriceTerms:
    """Return the terms of a plan; one made before terms were kept in its row has those of its list."""
    terms = plan.bill.get("terms") or session.get_one(PriceList, plan.price_list_id)
    return PriceListTerms.model_validate(terms, from_attributes=True).terms()


def _areas_cm2(arrived: Arrived) -> list[int]:
    """Return the areas of the provider's bill: of all that came, or of each ordered shape."""
    areas_m2 = arrived.grid.patch_areas_m2()
    if arrived.terms.by_area:
        return [int(whole_cm2(areas_m2)[arrived.delivered].sum())]
    columns = arrived.grid.columns
    shapes = compile_order(arrived.selected, areas_m2, columns, arrived.terms, arrived.arranged)
    return _arrived_areas(arrived, shapes, whole_cm2(areas_m2))


def _arrived_areas(arrived: Arrived, shapes: tuple[Shape, ...], areas_cm2: NDArray[np.int64]) -> list[int]:
    """Return the area that came of each shape: all of it, padding included, once all its patches came."""
    tiles, patches = np.nonzero(arrived.selected)
    x = tiles % arrived.grid.columns * GRID + patches // GRID
    y = tiles // arrived.grid.columns * GRID + patches % GRID
    polygons = np.array([shape.polygon for shape in shapes], dtype=object)
    cells, owners = shapely.STRtree(polygons).query(shapely.points(x + 0.5, y + 0.5), predicate="within")
    _, first = np.unique(cells, return_index=True)  # a patch that two shapes cover is billed in one
    cells, owners = cells[first], owners[first]
    came = arrived.delivered[tiles, patches][cells]
    bought, delivered = (np.bincount(owners, weights, len(shapes)) for weights in (None, came))
    part = np.bincount(owners, areas_cm2[tiles, patches][cells] * came, len(shapes))
    whole = whole_cm2(np.array([shape.area_m2 for shape in shapes]))
    return [int(one) for one in np.where(delivered == bought, whole, part)]
