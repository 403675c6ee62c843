"""Sets of patches of several tiles that are compared, with the shapes to order for them. Pure numpy."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner.arranging import arrange_quickly, arrange_shapes
from service.planner.bounds import Relaxation, relax
from service.planner.by_area import PatchRanking, rank_patches
from service.planner.exchange import exchanged
from service.planner.growth import free_neighbours
from service.planner.objectives import Objective
from service.planner.rankings import Mask, PrefixRanking, by_step, by_utility, by_window
from service.planner.scene_orders import (
    Check,
    SceneOrders,
    ShapeLayout,
    covered,
    covered_patches,
    lattice_values,
    on_lattice,
    scene_orders,
)
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms


@dataclass(frozen=True, kw_only=True)
class PricedCandidate:
    """Patches to buy, with the shapes to order for them."""

    asked: Mask
    selected: Mask
    """The patches asked for, and perhaps others that lie in the same shapes."""
    arranged: Mask
    """The selected patches, and perhaps others that the shapes enclose: the layout follows from these."""
    worth: float
    layout: ShapeLayout

    def merit(self, objective: Objective) -> tuple[float, int]:
        """Return a key that is larger for better candidates: by the objective, then by a lower cost."""
        value = objective.value(self.worth, self.layout.amount)
        return round(-value if objective.measure == "cost" else value, 9), -self.layout.amount.minor


@dataclass(frozen=True, kw_only=True)
class PricedScene:
    """A scene of T tiles with its patches ranked; sets of patches are priced when they are tried."""

    orders: SceneOrders
    eligible: Mask
    taken: Mask
    """Eligible patches that are not bought, because they are owned or on order. Shapes may enclose them."""
    utilities: NDArray[np.float64]  # (T, 16); 0 where not eligible or taken
    plan_by_area: PatchRanking
    ranked: NDArray[np.intp]
    """The useful patches, best first: positions in the raveled (T, 16) arrays."""
    relaxation: Relaxation
    layouts: dict[tuple[bool, bytes], ShapeLayout] = field(default_factory=dict)
    """The layouts that were found, by effort and patches."""

    @cached_property
    def lattice(self) -> NDArray[np.float64]:
        """The utilities on the lattice."""
        return lattice_values(self.orders, self.utilities)

    @cached_property
    def rankings(self) -> tuple[PrefixRanking, ...]:
        """The rankings that propose what to buy."""
        return (
            by_step(self.orders, self.utilities),
            by_utility(self.ranked, self.eligible.shape),
            by_window(self.orders, self.utilities, self.lattice),
        )

    @cached_property
    def everything(self) -> PricedCandidate:
        """Every patch of every eligible tile."""
        return self.candidate(self.eligible)

    @property
    def most(self) -> Money:
        """A limit that every quickly priced set keeps."""
        return Money(np.iinfo(np.int64).max, self.orders.terms.currency)

    @cached_property
    def cheapest(self) -> Money:
        """The cost of the most useful patch by itself."""
        return self.layout(by_utility(self.ranked, self.eligible.shape).first(1)).amount

    def candidate(self, asked: Mask, *, quickly: bool = False) -> PricedCandidate:
        """Price a set of patches as it is."""
        worth = float(self.utilities[asked].sum())
        layout = self.layout(asked, quickly=quickly)
        return PricedCandidate(asked=asked, selected=asked, arranged=asked, worth=worth, layout=layout)

    def layout(self, patches: Mask, *, quickly: bool = False) -> ShapeLayout:
        """Return the shapes around patches, once for each set."""
        key = (quickly, np.packbits(patches).tobytes())
        if key not in self.layouts:
            self.orders.check()
            arrange = arrange_quickly if quickly else arrange_shapes
            self.layouts[key] = arrange(self.orders, patches)
        return self.layouts[key]


def price_scene(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    columns: int,
    terms: PriceTerms,
    taken: Mask,
    check: Check = lambda: None,
) -> PricedScene:
    """Rank a scene: utilities (T, 16), eligible (T,), areas and taken (T, 16).

    Tiles are listed row by row, `columns` in each row. `check` is called between the steps of each search.
    """
    patches = np.broadcast_to(eligible[:, None], taken.shape)
    buyable = patches & ~taken
    values = np.where(buyable, utilities.astype(np.float64), 0)
    orders, cells = scene_orders(areas_m2, columns, terms, check), whole_cm2(areas_m2)
    least_cm2 = terms.rules.least_cells(orders.tile.narrowest) * int(cells.min())
    return PricedScene(
        orders=orders,
        eligible=patches,
        taken=taken,
        utilities=values,
        plan_by_area=rank_patches(utilities, eligible, areas_m2, terms.ignoring_shapes(), taken),
        ranked=np.argsort(-values, axis=None, kind="stable")[: np.count_nonzero(values)],
        relaxation=relax(values[buyable], cells[buyable], terms, least_cm2),
    )


def with_paid(
    scene: PricedScene, asked: Mask, *, quickly: bool = False, kept: Mask | None = None
) -> PricedCandidate:
    """Add the patches that cost nothing more: those in the ordered shapes and beside them, or all.

    Patches that are not `kept` (T, 16) may be exchanged for more useful ones; without it, all may.
    """
    one = scene.candidate(asked, quickly=quickly)
    if asked.any() and scene.everything.layout.amount <= one.layout.amount:
        return replace(scene.everything, asked=asked)
    while (within := covered(scene.orders, one.layout) & scene.eligible).sum() > one.selected.sum():
        wider = scene.candidate(within, quickly=quickly)
        if wider.layout.amount > one.layout.amount:
            break
        one = wider
    one = _grown(scene, one, quickly=quickly)
    return replace(one if quickly else _exchanged(scene, one, kept), asked=asked)


def _grown(scene: PricedScene, one: PricedCandidate, *, quickly: bool) -> PricedCandidate:
    """Add useful patches beside shapes that are billed for more than they cover."""
    useful = (scene.utilities > 0) & scene.eligible
    while (more := free_neighbours(scene.orders, one.layout, scene.utilities, useful & ~one.selected)).any():
        wider = scene.candidate(one.selected | more, quickly=quickly)
        if wider.layout.amount > one.layout.amount:
            break
        one = wider
    return one


def _exchanged(scene: PricedScene, one: PricedCandidate, kept: Mask | None) -> PricedCandidate:
    """Exchange patches at the edges of shapes for more useful ones at no cost."""
    orders = scene.orders
    fixed = on_lattice(orders, scene.taken if kept is None else kept | scene.taken)
    free = on_lattice(orders, scene.eligible & ~scene.taken)
    cells = exchanged(orders, one.layout, scene.lattice, fixed, free)
    other = scene.candidate(covered_patches(orders, cells) & scene.eligible)
    better = other.layout.amount <= one.layout.amount and other.worth > one.worth
    return other if better else one
