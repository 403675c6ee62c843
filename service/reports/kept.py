"""Counted orders, kept in the process until a row is added that their figures rest on. Decision record 53."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import text

from service.database.engine import Database
from service.reports.basis import FiguresBasis, read_basis
from service.reports.filters import EVERYTHING, ReportFilter
from service.reports.repository import read_figures
from service.reports.savings import CountedOrder, count_orders

MOST_ORDERS = 20_000
"""Orders that one process keeps, over all workspaces and filters."""
LEAST_SIZE = 100
"""Orders as which any kept value counts at least, so that small values are bounded too."""
Value = TypeVar("Value")


class KeptFigures:
    """Values that stay as long as their basis; those that were not asked for longest give way."""

    def __init__(self, most_orders: int = MOST_ORDERS) -> None:
        self._most, self._size, self._lock = most_orders, 0, Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any, int]] = OrderedDict()

    def value(
        self, place: Hashable, basis: Hashable, compute: Callable[[], Value], orders: Callable[[Value], int]
    ) -> Value:
        """Return the value that was computed for a place on this basis, or compute it.

        The basis must have been read before the rows that `compute` reads. Then a value of newer rows is
        found only by readers of the older basis, and nobody reads that one any more.
        """
        with self._lock:
            known = self._kept.get(place)
            if known is not None and known[0] == basis:
                self._kept.move_to_end(place)
                return cast(Value, known[1])
        value = compute()  # without the lock: several threads may compute the same
        self._keep(place, basis, value, max(LEAST_SIZE, orders(value)))
        return value

    def _keep(self, place: Hashable, basis: Hashable, value: object, size: int) -> None:
        with self._lock:
            replaced = self._kept.pop(place, None)
            self._size += size - (0 if replaced is None else replaced[2])
            self._kept[place] = basis, value, size
            while self._size > self._most:
                _, (_, _, given_up) = self._kept.popitem(last=False)
                self._size -= given_up

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
            (*place, "orders"), basis.orders, lambda: count_now(database, workspace_id, chosen), len
        )
        return CountedOrders(orders=orders, basis=basis, place=place, kept=self)


@dataclass(frozen=True, kw_only=True)
class CountedOrders:
    """Counted orders, oldest first, with their basis."""

    orders: tuple[CountedOrder, ...]
    basis: FiguresBasis
    place: tuple[Hashable, ...]
    kept: KeptFigures

    def derived(self, name: Hashable, compute: Callable[[tuple[CountedOrder, ...]], Value]) -> Value:
        """Return what `compute` makes of the orders; it is kept as long as they are, under a name."""
        return self.kept.value(
            (*self.place, name), self.basis.orders, lambda: compute(self.orders), lambda _: LEAST_SIZE
        )

    def of_plans(self, name: Hashable, compute: Callable[[], Value]) -> Value:
        """Return what `compute` reads; it is kept under a name until the workspace has another plan."""
        return self.kept.value((*self.place, name), self.basis, compute, lambda _: LEAST_SIZE)


def count_now(
    database: Database, workspace_id: UUID, chosen: ReportFilter = EVERYTHING
) -> tuple[CountedOrder, ...]:
    """Read the figures of the chosen orders from one snapshot, and count them."""
    with database.sessions() as session:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        figures = read_figures(session, workspace_id, chosen)
    return tuple(count_orders(figures))  # compares grounds, so it holds no connection


def get_kept_figures(request: Request) -> KeptFigures:
    """Return the figures that the running application keeps."""
    return cast(KeptFigures, request.state.figures)


KeptFiguresDep = Annotated[KeptFigures, Depends(get_kept_figures)]
