"""From utilities and prices to what is bought. Pure numpy; the reasoning is in `docs/planning.md`.

Patches are ranked once: by utility, ties by tile and patch index. Every objective buys a prefix of
that ranking, so more money never un-buys a patch, and no patch is bought while a better one is left.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.money import Money, exponent
from service.plans.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy, TargetAccuracy
from service.plans.reasons import Outcome, explain
from service.pricing.billing import Bill, Terms, bill, list_price, tariff_of, whole_cm2


class ShapePricesError(InvalidInputError):
    """The price list bills each shape by itself: shapes then decide the cost, not the sum of areas."""

    code = "priced-by-shape"
    title = "This price list cannot be planned with"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to buy of a scene of T tiles, what it costs, and why. Savings in minor units."""

    selected: NDArray[np.bool_]
    """(T, 16), patch ids column-major."""
    filled: NDArray[np.bool_]
    """(T, 16): the selected patches that came free, because the bill would be no smaller without them."""
    wanted: int
    """How many patches the objective asked for, before the free ones."""
    bill: Bill
    everything: Bill
    """The baseline: every patch of every eligible tile, from the same price list."""
    list_saving: Money
    """Baseline minus bill with minimums ignored: what a provider without any would save you."""
    billable_saving: Money
    """Baseline minus bill: what is really not paid."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """N eligible patches, best first, and what each prefix of 0..N of them is worth and costs."""

    terms: Terms
    shape: tuple[int, ...]  # (T, 16)
    flat: NDArray[np.intp]  # (N,) positions in the raveled (T, 16) arrays
    utilities: NDArray[np.float64]  # (N,) falling
    areas_cm2: NDArray[np.int64]  # (N + 1,) rising from 0
    amounts: NDArray[np.int64]  # (N + 1,) minor units, rising from 0


def plan_purchases(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: Terms,
    objective: Objective,
) -> Decision:
    """Choose patches: utilities (T, 16) in [0, 1], eligible (T,), areas (T, 16) in square metres.

    Where areas are equal the choice is the best of all 2 ** (16 T) subsets by the real, rounded bill.
    Raises ShapePricesError where shapes are billed apart, ValueError for utilities outside [0, 1].
    """
    return decide(rank_patches(utilities, eligible, areas_m2, terms), objective)


def rank_patches(
    utilities: NDArray[np.float32], eligible: NDArray[np.bool_], areas_m2: NDArray[np.float64], terms: Terms
) -> Ranking:
    """Rank and price every eligible patch, once for any number of objectives. Raises as plan_purchases."""
    _check(utilities, terms)
    patches = np.flatnonzero(np.repeat(eligible, utilities.shape[1]))
    values = utilities.ravel()[patches].astype(np.float64)
    best_first = np.argsort(-values, kind="stable")  # stable: equal utilities stay in index order
    flat = patches[best_first]
    prefix = np.concatenate(([0], np.cumsum(whole_cm2(areas_m2).ravel()[flat])))
    return Ranking(
        terms=terms,
        shape=utilities.shape,
        flat=flat,
        utilities=values[best_first],
        areas_cm2=prefix,
        amounts=tariff_of(terms).amounts(prefix),
    )


def decide(ranking: Ranking, objective: Objective) -> Decision:
    """Choose how many of the ranked patches to buy."""
    limit = objective.patches if isinstance(objective, MaxPatches) else len(ranking.flat)
    wanted = min(_wanted(ranking, objective), limit)
    bought = min(_with_free(ranking, wanted), limit)
    return _decision(ranking, objective, wanted, bought)


def _check(utilities: NDArray[np.float32], terms: Terms) -> None:
    if not ((utilities >= 0) & (utilities <= 1)).all():
        raise ValueError("utilities must lie in [0, 1]")
    if not terms.price_of_order:
        raise ShapePricesError(
            "the price list bills every separate shape by itself; plans can be made with one that bills "
            "the sum of an order's areas",
            minimum_applies_to=terms.minimum_applies_to,
            areas_summed=terms.areas_summed,
        )


def _wanted(ranking: Ranking, objective: Objective) -> int:
    """Length of the prefix the objective asks for; among equally good ones the shortest."""
    useful = int(np.count_nonzero(ranking.utilities))
    match objective:
        case Policy(threshold=threshold) | TargetAccuracy(threshold=threshold):
            return int(np.count_nonzero(ranking.utilities >= threshold))
        case CostWeight(per_unit=weight):
            worth = np.concatenate(([0.0], np.cumsum(ranking.utilities)))
            cost = ranking.amounts / 10 ** exponent(ranking.terms.currency)
            return int(np.argmax(worth - weight * cost))
        case MaxCost(limit=limit):
            return min(_longest(ranking.amounts, limit.minor), useful)
        case MaxPatches(patches=patches):
            return min(patches, useful)


def _with_free(ranking: Ranking, wanted: int) -> int:
    """Extend a non-empty prefix by what comes free: all of it, or up to the minimum area or charge."""
    if not wanted:
        return 0
    if ranking.amounts[-1] <= ranking.amounts[wanted]:
        return len(ranking.flat)
    tariff = tariff_of(ranking.terms)

    def price(area_cm2: np.int64) -> int:
        return tariff.exact(int(area_cm2))

    return bisect_right(ranking.areas_cm2, price(ranking.areas_cm2[wanted]), key=price) - 1


def _longest(rising: NDArray[np.int64], limit: int) -> int:
    return int(np.searchsorted(rising, limit, side="right")) - 1


def _decision(ranking: Ranking, objective: Objective, wanted: int, bought: int) -> Decision:
    terms, shape = ranking.terms, ranking.shape
    chosen = bill([int(ranking.areas_cm2[bought])], terms)
    everything = bill([int(ranking.areas_cm2[-1])], terms)
    listed = [list_price(int(ranking.areas_cm2[count]), terms) for count in (len(ranking.flat), bought)]
    outcome = Outcome(
        wanted=wanted,
        bought=bought,
        eligible=len(ranking.flat),
        bill=chosen,
        everything=everything,
        cheapest=Money(int(ranking.amounts[min(1, len(ranking.flat))]), terms.currency),
        terms=terms,
    )
    return Decision(
        selected=_mask(ranking.flat[:bought], shape),
        filled=_mask(ranking.flat[wanted:bought], shape),
        wanted=wanted,
        bill=chosen,
        everything=everything,
        list_saving=Money(listed[0] - listed[1], terms.currency),
        billable_saving=Money(everything.amount.minor - chosen.amount.minor, terms.currency),
        reason=explain(outcome, objective),
    )


def _mask(flat: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(int(np.prod(shape)), dtype=np.bool_)
    mask[flat] = True
    return mask.reshape(shape)
