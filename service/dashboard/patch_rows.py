"""The patches of one tile of a plan as rows of a table, and the shapes of its order. Opens no session."""

from dataclasses import dataclass, replace

from shapely.affinity import translate

from models.grid import GRID, PATCHES, row_col
from service.dashboard.windows import Window, whole
from service.planner.order_shapes import Shape, compile_order
from service.planner.patches import PATCH_REASONS
from service.plans.arrays import PlanArrays
from service.plans.patch_facts import PatchFacts, arrangement_of
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.billing import PriceTerms
from service.web.money import MoneyOut

LAYERS = {"on-order": "ordered", "no-data": "unbought"}
"""Layers of the picture whose name is not that of the state of their patches."""


@dataclass(frozen=True, kw_only=True)
class PatchRow:
    """A patch of a tile: its decision and its price."""

    index: int
    row: int
    column: int
    kind: str
    """Layer of the picture that shows it: bought, filled, padding, owned, ordered, or unbought."""
    utility: float
    objects: float | None
    """Number of objects that is expected or was read; None for a bundle that counts nothing."""
    cost: MoneyOut | None
    """Share of the bill; None for a patch that is not bought."""
    marginal: MoneyOut
    """Amount that leaving it out would save, or that adding it would cost."""
    reason: str


def order_shapes(plan: Plan, scene: Scene, terms: PriceTerms, window: Window) -> list[Shape]:
    """Return the shapes of a plan's order near a window, on the lattice of the scene's patches.

    Where shapes do not matter for the bill, only the window and the tiles around it are merged: a shape that
    goes on is cut there, outside the picture.
    """
    grid, arrays = grid_of(scene), PlanArrays.of(plan)
    near = window.widened(grid, 1) if terms.by_area else whole(grid)
    shapes = compile_order(
        near.cut(grid, arrays.selected),
        near.cut(grid, grid.patch_areas_m2()),
        near.columns,
        terms,
        near.cut(grid, arrays.arranged),
        arrangement_of(plan),
    )
    corner = near.left * GRID, near.top * GRID
    return [replace(one, polygon=translate(one.polygon, *corner)) for one in shapes]


def tile_rows(plan: Plan, scene: Scene, terms: PriceTerms, tile: int) -> list[PatchRow]:
    """Return the 16 patches of a tile; none where the tile is not planned."""
    facts = PatchFacts.of(plan, scene, terms)
    arrays = facts.arrays
    if not arrays.eligible[tile]:
        return []
    costs = facts.costs(range(tile, tile + 1))
    return [
        PatchRow(
            index=index,
            row=row_col(index)[0],
            column=row_col(index)[1],
            kind=LAYERS.get(facts.state(tile, index), facts.state(tile, index)),
            utility=arrays.shown_utility(tile, index),
            objects=arrays.shown_objects(tile, index),
            cost=MoneyOut.of(costs[index]) if arrays.selected[tile, index] else None,
            marginal=MoneyOut.of(facts.marginal(tile, index)),
            reason=PATCH_REASONS[str(facts.reasons[tile, index])],
        )
        for index in range(PATCHES)
    ]
