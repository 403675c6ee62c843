"""Counted orders, kept in the process until a row is added that their figures rest on. Decision record 53."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import text

from service.database.engine import Database
from service.invoices.reconciling import Reconciled
from service.invoices.repository import read_reconciled
from service.reports.basis import FiguresBasis, read_basis
from service.reports.figures import OrderFigures
from service.reports.filters import EVERYTHING, ReportFilter
from service.reports.ground import NOWHERE
from service.reports.kept_values import KeptValues, Value
from service.reports.repository import read_figures
from service.reports.savings import CountedOrder, count_orders
from service.web.turns import CountingTurnDep

MOST_ORDERS = 20_000
"""Orders that one process keeps, over all workspaces and filters."""
LEAST_SIZE = 100
"""Orders as which any kept value counts at least, so that small values are bounded too."""
LETTERS = 10_000
"""Characters of an order's texts as which it counts once more."""
SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


class KeptFigures(KeptValues):
    """Counted orders, what pages derive from them, and orders beside their invoices, of all workspaces."""

    def __init__(self, most_orders: int = MOST_ORDERS) -> None:
        super().__init__(most_orders, LEAST_SIZE)

    def counted(
        self, database: Database, workspace_id: UUID, chosen: ReportFilter = EVERYTHING
    ) -> "CountedOrders":
        """Return the chosen orders of a workspace as `count_orders` counts them now.

        Holds a connection while it reads, and none while it counts.
        """
        with database.sessions() as session:
            basis = read_basis(session, workspace_id)
        place = (workspace_id, chosen.key)
        orders = self.value(
            (*place, "orders"), basis.orders, lambda: count_now(database, workspace_id, chosen), size_of
        )
        return CountedOrders(orders=orders, basis=basis, place=place, kept=self)

    def reconciled(self, database: Database, workspace_id: UUID) -> tuple[Reconciled, ...]:
        """Return every order of a workspace beside its invoices, oldest order first, as they are now.

        Nothing is counted, so no turn is needed.
        """
        with database.sessions() as session:
            basis = read_basis(session, workspace_id)
        return self.value(
            (workspace_id, "reconciled"), basis.orders, lambda: reconciled_now(database, workspace_id), len
        )


@dataclass(frozen=True, kw_only=True)
class CountedOrders:
    """Counted orders, oldest first, with their basis."""

    orders: tuple[CountedOrder, ...]
    basis: FiguresBasis
    place: tuple[Hashable, ...]
    kept: KeptFigures

    def derived(
        self,
        name: Hashable,
        compute: Callable[[tuple[CountedOrder, ...]], Value],
        rows: Callable[[Value], int] = lambda _: LEAST_SIZE,
    ) -> Value:
        """Return what `compute` makes of the orders; it is kept as long as they are, under a name.

        `rows` returns the number of orders or groups in the value, from which its memory is estimated.
        """
        return self.kept.value((*self.place, name), self.basis.orders, lambda: compute(self.orders), rows)

    def of_plans(self, name: Hashable, compute: Callable[[], Value]) -> Value:
        """Return what `compute` reads; it is kept under a name until the workspace has another plan."""
        return self.kept.value((*self.place, name), self.basis, compute, lambda _: LEAST_SIZE)


def count_now(
    database: Database, workspace_id: UUID, chosen: ReportFilter = EVERYTHING
) -> tuple[CountedOrder, ...]:
    """Read the figures of the chosen orders from one snapshot, and count them.

    The counted ones have no ground: a byte for each of 100,000 tiles, which nobody needs any more.
    """
    with database.sessions() as session:
        session.execute(SNAPSHOT)
        figures = read_figures(session, workspace_id, chosen)
    counted = count_orders(figures)  # compares grounds, so it holds no connection
    return tuple(replace(one, order=replace(one.order, ground=NOWHERE)) for one in counted)


def reconciled_now(database: Database, workspace_id: UUID) -> tuple[Reconciled, ...]:
    """Read orders and invoices from one snapshot, and compare them."""
    with database.sessions() as session:
        session.execute(SNAPSHOT)
        return tuple(read_reconciled(session, workspace_id))


def size_of(counted: Sequence[CountedOrder]) -> int:
    """Return as how many orders these count: one with long lists of invoices or reasons counts as several."""
    return sum(1 + _letters(one.order) // LETTERS for one in counted)


def _letters(order: OrderFigures) -> int:
    return sum(map(len, (*order.invoices, *order.credit_notes, *order.reasons, *order.tags.values())))


def kept_figures_of(request: Request) -> KeptFigures:
    """Return the figures that the running application keeps. A request that counts must have its turn."""
    return cast(KeptFigures, request.state.figures)


def get_kept_figures(request: Request, _turn: CountingTurnDep) -> KeptFigures:
    """Return the figures that the running application keeps, once the request may count."""
    return kept_figures_of(request)


KeptFiguresDep = Annotated[KeptFigures, Depends(get_kept_figures)]
