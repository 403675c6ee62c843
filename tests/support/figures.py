"""Figures of orders, and the savings that they add up to."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from affine import Affine

from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.reports.figures import OrderFigures
from service.reports.ground import Ground
from service.reports.savings import Savings, count_orders, savings_by_currency

STATUSES = (
    "held", "accepted", "processing", "completed", "user_cancelled", "rejected", "expired",
)  # fmt: skip


def make_ground(column: int = 0) -> Ground:
    """Make a scene of 2 x 2 tiles of 80 m that lies `column` tiles east of the first."""
    transform = Affine(10, 0, 500_000 + 80 * column, 0, -10, 5_300_000)
    grid = TileGrid(columns=2, rows=2, tile_px=8, transform=transform, crs="EPSG:32632")
    return Ground(grid, bytes([1, 1, 1, 1]))


def make_order(number: int = 1, status: str = "accepted", **overrides: Any) -> OrderFigures:
    """Make the order placed at second `number`: 40 instead of 100, nothing paid."""
    currency = overrides.pop("currency", "USD")
    minor = {"baseline": 100_00, "cost": 40_00, "list_baseline": 100_00, "list_cost": 25_00}
    minor |= dict.fromkeys(
        ("reused", "list_reused", "settled", "refunded", "charged", "returned", "returned_for_good"), 0
    )
    minor |= {name: overrides.pop(name) for name in tuple(overrides) if name in minor}
    values: dict[str, Any] = {
        "order_id": UUID(int=number), "plan_id": UUID(int=2),
        "created_at": datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=number),
        "status": status, "patches_bought": 4, "delivered": 0, "price_list": "acme", "ground": make_ground(),
        "example": False, "returned_patches": 0, "confirmed": False,
    }  # fmt: skip
    values |= {name: Money(amount, currency) for name, amount in minor.items()}
    return OrderFigures(**(values | overrides))


def total(*orders: OrderFigures) -> Savings:
    """Add up orders of one currency."""
    (savings,) = savings_by_currency(count_orders(orders))
    return savings
