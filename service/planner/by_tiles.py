"""Plans of several tiles under prices or rules of each shape. Pure numpy.

The best set of shapes is a combinatorial problem. Two rankings propose what to buy: patches by utility, and
steps from one choice of a tile to a better one by utility per cost. What they propose is priced as it would
be ordered, beside nothing, everything and the plan by area; the best is taken and measured by `bounds`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from service.planner import by_area
from service.planner.bounds import Bound, Relaxation, best, bound_of, measured, relax
from service.planner.decision import Decision, Purchase, conclude
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.planner.scene_orders import Layout, SceneOrders, covered, lay_out, scene_orders
from service.planner.tile_shapes import BITS
from service.planner.tile_steps import Steps, rank_steps
from service.pricing.billing import ANY_SHAPE, Terms, whole_cm2

Mask = NDArray[np.bool_]  # (T, 16)
TRIES = 8
"""Into how many parts a ranking is cut to look for its best length."""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Patches to buy and the shapes to order for them."""

    asked: Mask
    selected: Mask
    """Those asked for, and perhaps others that lie in the same shapes."""
    worth: float
    layout: Layout


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """N proposals, the best value first; whoever takes one takes those before it."""

    length: int
    first: Callable[[int], Mask]
    """The patches of the first n."""


@dataclass(frozen=True, kw_only=True)
class PricedScene:
    """A scene of T tiles whose patches are ranked; sets of them are priced when they are tried."""

    orders: SceneOrders
    eligible: Mask
    utilities: NDArray[np.float64]  # (T, 16); 0 where not eligible
    plan_by_area: by_area.Ranking
    ranked: NDArray[np.intp]
    """The useful patches, best first: positions in the raveled (T, 16) arrays."""
    relaxation: Relaxation

    @cached_property
    def by_utility(self) -> Ranking:
        """Patches."""
        ranked, shape = self.ranked, self.eligible.shape
        return Ranking(length=len(ranked), first=lambda count: _patches(ranked[:count], shape))

    @cached_property
    def by_step(self) -> Ranking:
        """Steps from one choice of a tile to a better one."""
        steps = rank_steps(self.utilities, self.orders.tile.cover.weights)
        tiles = len(self.utilities)
        return Ranking(length=len(steps.tiles), first=lambda count: _choices(steps, count, tiles))

    @cached_property
    def everything(self) -> Priced:
        """Every patch of every eligible tile."""
        return _as_it_is(self, self.eligible)

    @cached_property
    def cheapest_minor(self) -> int:
        """What the best patch alone would cost."""
        return lay_out(self.orders, self.by_utility.first(1)).amount


def price_scene(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    columns: int,
    terms: Terms,
) -> PricedScene:
    """Rank a scene: utilities (T, 16), eligible (T,), areas (T, 16); tiles row by row, so many columns."""
    values = np.where(eligible[:, None], utilities.astype(np.float64), 0)
    patches = np.broadcast_to(eligible[:, None], values.shape)
    orders, cells = scene_orders(areas_m2, columns, terms), whole_cm2(areas_m2)
    least_cm2 = orders.tile.narrowest**2 * int(cells.min())
    return PricedScene(
        orders=orders,
        eligible=patches,
        utilities=values,
        plan_by_area=by_area.rank_patches(utilities, eligible, areas_m2, _any_shape(terms)),
        ranked=np.argsort(-values, axis=None, kind="stable")[: np.count_nonzero(values)],
        relaxation=relax(values[patches], cells[patches], terms, least_cm2),
    )


def decide(scene: PricedScene, objective: Objective) -> Decision:
    """Choose the best of what is proposed."""
    terms = scene.orders.terms
    bought = max(_proposed(scene, objective), key=lambda one: _merit(scene, one, objective))
    purchase = Purchase(
        selected=bought.selected,
        filled=bought.selected & ~bought.asked,
        wanted=int(np.count_nonzero(bought.asked)),
        bill=bought.layout.bill(terms),
        everything=scene.everything.layout.bill(terms),
        eligible=int(np.count_nonzero(scene.eligible)),
        cheapest_minor=scene.cheapest_minor,
        bound=_bound(scene, bought, objective),
    )
    return conclude(purchase, terms, objective)


def _proposed(scene: PricedScene, objective: Objective) -> Iterator[Priced]:
    """Sets that keep the objective's limits; nothing is always among them."""
    plan_by_area = by_area.decide(scene.plan_by_area, objective).selected
    match objective:
        case Policy(threshold=threshold) | TargetAccuracy(threshold=threshold):
            asked = (scene.utilities >= threshold) & scene.eligible
            around = _best_length(scene, _beyond(scene, asked), objective)
            yield from (
                replace(_with_paid(scene, one), asked=asked) for one in (asked, plan_by_area, around.selected)
            )
        case MaxPatches(patches=patches):
            yield _as_it_is(scene, scene.by_utility.first(min(patches, scene.by_utility.length)))
        case CostWeight():
            yield from (_with_paid(scene, one) for one in (np.zeros_like(scene.eligible), plan_by_area))
            yield scene.everything
            yield from (_best_length(scene, one, objective) for one in (scene.by_step, scene.by_utility))
        case MaxCost(limit=limit):
            fitting = [_longest(scene, one, limit.minor) for one in (scene.by_step, scene.by_utility)]
            fitting += [_with_paid(scene, plan_by_area), scene.everything]
            fitting = [one for one in fitting if one.layout.amount <= limit.minor]
            yield from fitting
            yield from (_completed(scene, one, limit.minor) for one in fitting)


def _as_it_is(scene: PricedScene, asked: Mask) -> Priced:
    worth = float(scene.utilities[asked].sum())
    return Priced(asked=asked, selected=asked, worth=worth, layout=lay_out(scene.orders, asked))


def _with_paid(scene: PricedScene, asked: Mask) -> Priced:
    """A set and what costs nothing more: all that lies in its shapes, or the whole scene."""
    one = _as_it_is(scene, asked)
    if asked.any() and scene.everything.layout.amount <= one.layout.amount:
        return replace(scene.everything, asked=asked)
    while (within := covered(scene.orders, one.layout) & scene.eligible).sum() > one.selected.sum():
        wider = _as_it_is(scene, within)
        if wider.layout.amount > one.layout.amount:
            break
        one = wider
    return replace(one, asked=asked)


def _best_length(scene: PricedScene, ranking: Ranking, objective: Objective) -> Priced:
    """The best first n of a ranking, looked for ever nearer around the best of a few."""
    low, high = 0, ranking.length
    while True:
        lengths = np.unique(np.linspace(low, high, TRIES + 1).astype(np.int64)).tolist()
        tried = [_as_it_is(scene, ranking.first(length)) for length in lengths]
        best_at = max(range(len(tried)), key=lambda at: _merit(scene, tried[at], objective))
        if high - low <= TRIES:
            return _with_paid(scene, tried[best_at].asked)
        low, high = lengths[max(best_at - 1, 0)], lengths[min(best_at + 1, len(lengths) - 1)]


def _longest(scene: PricedScene, ranking: Ranking, limit_minor: int) -> Priced:
    """The longest first n of a ranking that fits a limit and whose successor does not."""
    fits, beyond = 0, ranking.length + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if lay_out(scene.orders, ranking.first(middle)).amount <= limit_minor:
            fits = middle
        else:
            beyond = middle
    return _with_paid(scene, ranking.first(fits))


def _completed(scene: PricedScene, one: Priced, limit_minor: int) -> Priced:
    """What is left of a limit spent on the most useful patches that one set lacks."""
    return _longest(scene, _beyond(scene, one.selected), limit_minor)


def _beyond(scene: PricedScene, asked: Mask) -> Ranking:
    """A set, and ever more of the patches it lacks, by utility."""
    lacking = scene.ranked[~asked.ravel()[scene.ranked]]
    return Ranking(length=len(lacking), first=lambda count: asked | _patches(lacking[:count], asked.shape))


def _merit(scene: PricedScene, one: Priced, objective: Objective) -> tuple[float, int]:
    """How good by the objective, then how cheap: more is better."""
    measure, value = measured(objective, one.worth, one.layout.amount, scene.orders.terms.currency)
    return round(-value if measure == "cost" else value, 9), -one.layout.amount


def _bound(scene: PricedScene, bought: Priced, objective: Objective) -> Bound:
    currency = scene.orders.terms.currency
    measure, reached = measured(objective, bought.worth, bought.layout.amount, currency)
    return bound_of(measure, reached, best(scene.relaxation, objective, int(bought.asked.sum())))


def _any_shape(terms: Terms) -> Terms:
    """The same prices where shapes do not count."""
    return replace(terms, areas_summed=True, minimum_applies_to="order", rules=ANY_SHAPE)


def _patches(flat: NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask.flat[flat] = True
    return mask


def _choices(steps: Steps, count: int, tiles: int) -> Mask:
    """The choice of every tile after the first steps: of a tile's steps the last one counts."""
    choices = np.zeros(tiles, dtype=np.int64)
    choices[steps.tiles[:count]] = steps.choices[:count]
    return BITS[choices].astype(np.bool_)
