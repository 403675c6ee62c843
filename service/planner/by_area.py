"""Plans where the price depends only on an order's area. Pure numpy.

Patches are ranked once: by utility, ties by tile and patch index. Every objective buys a prefix of that
ranking, so more money never removes a patch, and no patch is bought while a more useful one is left.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from service.money import Money, minor_per_major
from service.planner.bounds import Bound, Relaxation, bound_of, relax
from service.planner.decision import Decision, Purchase, conclude
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill, tariff_of


@dataclass(frozen=True, kw_only=True)
class PatchRanking:
    """N patches that can be bought, the most useful first, with area and price of each prefix of 0..N."""

    terms: PriceTerms
    cells_cm2: NDArray[np.int64]  # (T, 16); 0 where not eligible
    taken: NDArray[np.bool_]  # (T, 16): eligible, but owned or on order
    flat: NDArray[np.intp]  # (N,) positions in the raveled (T, 16) arrays
    utilities: NDArray[np.float64]  # (N,) falling
    areas_cm2: NDArray[np.int64]  # (N + 1,) rising from 0
    amounts: NDArray[np.int64]  # (N + 1,) minor units, rising from 0
    relaxation: Relaxation


def rank_patches(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    areas_m2: NDArray[np.float64],
    terms: PriceTerms,
    taken: NDArray[np.bool_],
) -> PatchRanking:
    """Rank and price every eligible patch that is not taken, once for any number of objectives."""
    patches = np.flatnonzero(eligible[:, None] & ~taken)
    values = utilities.ravel()[patches].astype(np.float64)
    best_first = np.argsort(-values, kind="stable")  # stable: equal utilities stay in index order
    flat = patches[best_first]
    cells = np.where(eligible[:, None], whole_cm2(areas_m2), 0)
    areas = cells.ravel()[flat]
    prefix = np.concatenate(([0], np.cumsum(areas)))
    return PatchRanking(
        terms=terms,
        cells_cm2=cells,
        taken=taken,
        flat=flat,
        utilities=values[best_first],
        areas_cm2=prefix,
        amounts=tariff_of(terms).amounts(prefix),
        relaxation=relax(values[best_first], areas, terms),
    )


def decide_by_area(ranking: PatchRanking, objective: Objective, *, usual: Decision | None = None) -> Decision:
    """Choose how many of the ranked patches to buy; `usual` is the decision if none were taken."""
    limit = len(ranking.flat) if objective.most_patches is None else objective.most_patches
    wanted = min(_wanted(ranking, objective), limit)
    bought = min(_with_free(ranking, wanted), limit)
    terms, shape = ranking.terms, ranking.taken.shape
    selected, area = _mask(ranking.flat[:bought], shape), int(ranking.areas_cm2[bought])
    spared = ranking.taken & (False if usual is None else usual.selected)
    spared_cm2 = int(ranking.cells_cm2[spared].sum())
    cheapest = int(ranking.amounts[min(1, len(ranking.flat))])
    purchase = Purchase(
        selected=selected,
        filled=_mask(ranking.flat[wanted:bought], shape),
        arranged=selected,
        wanted=wanted,
        bill=bill([area], terms),
        spared=int(np.count_nonzero(spared)),
        with_spared=bill([area + spared_cm2], terms),
        usual=None if usual is None else usual.bill,
        everything=bill([int(ranking.cells_cm2.sum())], terms),
        eligible=len(ranking.flat),
        taken=int(np.count_nonzero(ranking.taken)),
        cheapest=Money(cheapest, terms.currency),
        bound=_bound(ranking, bought, wanted, objective),
    )
    return conclude(purchase, terms, objective)


def _bound(ranking: PatchRanking, bought: int, wanted: int, objective: Objective) -> Bound:
    worth = float(ranking.utilities[:bought].sum())
    reached = objective.value(worth, Money(int(ranking.amounts[bought]), ranking.terms.currency))
    return bound_of(objective.measure, reached, objective.best_value(ranking.relaxation, wanted))


def _wanted(ranking: PatchRanking, objective: Objective) -> int:
    """Return the length of the prefix that the objective asks for; the shortest of equally good ones."""
    useful = int(np.count_nonzero(ranking.utilities))
    match objective:
        case (
            Policy(threshold=threshold)
            | TargetAccuracy(threshold=threshold)
            | GuaranteedLoss(threshold=threshold)
        ):
            return int(np.count_nonzero(ranking.utilities >= threshold))
        case CostWeight(per_unit=weight):
            worth = np.concatenate(([0.0], np.cumsum(ranking.utilities)))
            cost = ranking.amounts / minor_per_major(ranking.terms.currency)
            return int(np.argmax(worth - weight * cost))
        case MaxCost(limit=limit):
            return min(_longest(ranking.amounts, limit.minor), useful)
        case MaxPatches(patches=patches):
            return min(patches, useful)
        case _:
            assert_never(objective)


def _with_free(ranking: PatchRanking, wanted: int) -> int:
    """Extend a non-empty prefix by free patches: up to the minimum area or charge, or by all of them."""
    if not wanted:
        return 0
    if ranking.amounts[-1] <= ranking.amounts[wanted]:
        return len(ranking.flat)
    tariff = tariff_of(ranking.terms)

    # Unrounded prices: mere rounding must not add patches that cost a fraction of a cent.
    def price(area_cm2: np.int64) -> int:
        return tariff.exact(int(area_cm2))

    return bisect_right(ranking.areas_cm2, price(ranking.areas_cm2[wanted]), key=price) - 1


def _longest(rising: NDArray[np.int64], limit: int) -> int:
    return int(np.searchsorted(rising, limit, side="right")) - 1


def _mask(flat: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(int(np.prod(shape)), dtype=np.bool_)
    mask[flat] = True
    return mask.reshape(shape)
