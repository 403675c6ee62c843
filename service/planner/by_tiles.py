"""Plans of several tiles where the price depends on shapes. Pure numpy.

The best set of shapes is a combinatorial problem, so the planner compares candidates. Two rankings propose
them: patches by utility, and a greedy knapsack of steps from one choice of a tile to a better one, by utility
per cost. Each candidate is priced as it would be ordered, next to buying nothing, buying everything and the
plan by area. The best one is taken, and `bounds` limits how much better any plan could be.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner.bounds import Relaxation, bound_of, relax
from service.planner.by_area import PatchRanking, decide_by_area, rank_patches
from service.planner.decision import Decision, Purchase, conclude
from service.planner.growth import free_neighbours
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.planner.scene_orders import SceneOrders, ShapeLayout, arrange_shapes, covered, scene_orders
from service.planner.tile_orders import BITS
from service.planner.tile_steps import Steps, rank_steps
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms

Mask = NDArray[np.bool_]  # (T, 16)
TRIES = 8
"""Number of prefix lengths probed per refinement round."""


@dataclass(frozen=True, kw_only=True)
class PricedCandidate:
    """Patches to buy, with the shapes to order for them."""

    asked: Mask
    selected: Mask
    """The patches asked for, and perhaps others that lie in the same shapes."""
    worth: float
    layout: ShapeLayout


@dataclass(frozen=True, kw_only=True)
class PrefixRanking:
    """A ranking, best value first; only its prefixes are bought."""

    length: int
    first: Callable[[int], Mask]
    """The patches of a prefix, by its length."""


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

    @cached_property
    def by_utility(self) -> PrefixRanking:
        """The ranking of patches by utility."""
        ranked, shape = self.ranked, self.eligible.shape
        return PrefixRanking(length=len(ranked), first=lambda count: _patches(ranked[:count], shape))

    @cached_property
    def by_step(self) -> PrefixRanking:
        """The ranking of steps from one choice of a tile to a better one."""
        steps = rank_steps(self.utilities, self.orders.tile.cover.weights)
        tiles = len(self.utilities)
        return PrefixRanking(length=len(steps.tiles), first=lambda count: _choices(steps, count, tiles))

    @cached_property
    def everything(self) -> PricedCandidate:
        """Every patch of every eligible tile."""
        return _as_it_is(self, self.eligible)

    @cached_property
    def cheapest(self) -> Money:
        """The cost of the most useful patch on its own."""
        return arrange_shapes(self.orders, self.by_utility.first(1)).amount


def price_scene(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    columns: int,
    terms: PriceTerms,
    taken: Mask,
) -> PricedScene:
    """Rank a scene: utilities (T, 16), eligible (T,), areas and taken (T, 16).

    Tiles are listed row by row, `columns` in each row.
    """
    patches = np.broadcast_to(eligible[:, None], taken.shape)
    buyable = patches & ~taken
    values = np.where(buyable, utilities.astype(np.float64), 0)
    orders, cells = scene_orders(areas_m2, columns, terms), whole_cm2(areas_m2)
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


def decide_by_tiles(scene: PricedScene, objective: Objective, *, usual: Mask) -> Decision:
    """Choose the best candidate; `usual` (T, 16) would be bought if no patch were taken."""
    terms = scene.orders.terms
    best = max(_candidates(scene, objective, usual), key=lambda one: _merit(one, objective))
    selected, asked = best.selected & ~scene.taken, best.asked & ~scene.taken
    wanted, taken = int(np.count_nonzero(asked)), int(np.count_nonzero(scene.taken))
    reached, spared = objective.value(best.worth, best.layout.amount), usual & scene.taken
    purchase = Purchase(
        selected=selected,
        filled=selected & ~asked,
        arranged=best.selected,
        wanted=wanted,
        bill=best.layout.bill(terms),
        spared=int(np.count_nonzero(spared)),
        with_spared=arrange_shapes(scene.orders, best.selected | spared).bill(terms),
        everything=scene.everything.layout.bill(terms),
        eligible=int(np.count_nonzero(scene.eligible)) - taken,
        taken=taken,
        cheapest=scene.cheapest,
        bound=bound_of(objective.measure, reached, objective.best_value(scene.relaxation, wanted)),
    )
    return conclude(purchase, terms, objective)


def _candidates(scene: PricedScene, objective: Objective, usual: Mask) -> Iterator[PricedCandidate]:
    """Propose sets that keep the objective's limits; without a threshold, buying nothing is one of them.

    A set may hold taken patches, which its shapes enclose. One of the sets is the plan as if none were taken,
    so that an order never costs more because of what is owned.
    """
    plan_by_area = decide_by_area(scene.plan_by_area, objective, usual=usual).selected
    enclosing = [usual] if scene.taken.any() else []
    match objective:
        case (
            Policy(threshold=threshold)
            | TargetAccuracy(threshold=threshold)
            | GuaranteedLoss(threshold=threshold)
        ):
            asked = (scene.utilities >= threshold) & scene.eligible
            around = _best_length(scene, _beyond(scene, asked), objective)
            yield from (
                replace(_with_paid(scene, one), asked=asked)
                for one in (asked, plan_by_area, around.selected, *(asked | one for one in enclosing))
            )
        case MaxPatches(patches=patches):
            asked = scene.by_utility.first(min(patches, scene.by_utility.length))
            yield from (_as_it_is(scene, asked | (one & scene.taken)) for one in (asked, *enclosing))
        case CostWeight():
            yield from (_with_paid(scene, one) for one in (np.zeros_like(scene.eligible), plan_by_area))
            yield scene.everything
            yield from (_as_it_is(scene, one) for one in enclosing)
            yield from (_best_length(scene, one, objective) for one in (scene.by_step, scene.by_utility))
        case MaxCost(limit=limit):
            fitting = [_longest(scene, one, limit) for one in (scene.by_step, scene.by_utility)]
            fitting += [_with_paid(scene, plan_by_area), scene.everything]
            fitting += [_as_it_is(scene, one) for one in enclosing]
            fitting = [one for one in fitting if one.layout.amount <= limit]
            yield from fitting
            yield from (_completed(scene, one, limit) for one in fitting)
        case _:
            assert_never(objective)


def _as_it_is(scene: PricedScene, asked: Mask) -> PricedCandidate:
    worth = float(scene.utilities[asked].sum())
    layout = arrange_shapes(scene.orders, asked)
    return PricedCandidate(asked=asked, selected=asked, worth=worth, layout=layout)


def _with_paid(scene: PricedScene, asked: Mask) -> PricedCandidate:
    """Add the patches that cost nothing more: those in the ordered shapes and beside them, or all."""
    one = _as_it_is(scene, asked)
    if asked.any() and scene.everything.layout.amount <= one.layout.amount:
        return replace(scene.everything, asked=asked)
    while (within := covered(scene.orders, one.layout) & scene.eligible).sum() > one.selected.sum():
        wider = _as_it_is(scene, within)
        if wider.layout.amount > one.layout.amount:
            break
        one = wider
    return replace(_grown(scene, one), asked=asked)


def _grown(scene: PricedScene, one: PricedCandidate) -> PricedCandidate:
    """Add useful patches beside shapes that are billed for more than they cover."""
    useful = (scene.utilities > 0) & scene.eligible
    while (more := free_neighbours(scene.orders, one.layout, scene.utilities, useful & ~one.selected)).any():
        wider = _as_it_is(scene, one.selected | more)
        if wider.layout.amount > one.layout.amount:
            break
        one = wider
    return one


def _best_length(scene: PricedScene, ranking: PrefixRanking, objective: Objective) -> PricedCandidate:
    """Search the best prefix: probe a few lengths, then again between the neighbours of the best one."""
    low, high = 0, ranking.length
    while True:
        lengths = np.unique(np.linspace(low, high, TRIES + 1).astype(np.int64)).tolist()
        tried = [_as_it_is(scene, ranking.first(length)) for length in lengths]
        best_at = max(range(len(tried)), key=lambda at: _merit(tried[at], objective))
        if high - low <= TRIES:
            return _with_paid(scene, tried[best_at].asked)
        low, high = lengths[max(best_at - 1, 0)], lengths[min(best_at + 1, len(lengths) - 1)]


def _longest(scene: PricedScene, ranking: PrefixRanking, limit: Money) -> PricedCandidate:
    """Bisect for a prefix that the limit pays for and whose successor it does not."""
    fits, beyond = 0, ranking.length + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if arrange_shapes(scene.orders, ranking.first(middle)).amount <= limit:
            fits = middle
        else:
            beyond = middle
    return _with_paid(scene, ranking.first(fits))


def _completed(scene: PricedScene, one: PricedCandidate, limit: Money) -> PricedCandidate:
    """Spend the rest of a limit on the most useful patches that a candidate lacks."""
    return _longest(scene, _beyond(scene, one.selected), limit)


def _beyond(scene: PricedScene, asked: Mask) -> PrefixRanking:
    """Rank the patches that a set lacks by utility; each prefix includes the set itself."""
    lacking = scene.ranked[~asked.ravel()[scene.ranked]]
    return PrefixRanking(
        length=len(lacking), first=lambda count: asked | _patches(lacking[:count], asked.shape)
    )


def _merit(one: PricedCandidate, objective: Objective) -> tuple[float, int]:
    """Return a key that is larger for better candidates: by the objective, then by a lower cost."""
    value = objective.value(one.worth, one.layout.amount)
    return round(-value if objective.measure == "cost" else value, 9), -one.layout.amount.minor


def _patches(flat: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask.flat[flat] = True
    return mask


def _choices(steps: Steps, count: int, tiles: int) -> Mask:
    """Return the patches (T, 16) chosen after the first steps; a tile's last step replaces those before."""
    choices = np.zeros(tiles, dtype=np.int64)
    choices[steps.tiles[:count]] = steps.choices[:count]
    return BITS[choices].astype(np.bool_)
