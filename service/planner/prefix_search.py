"""Search for the prefix of a ranking that serves an objective best. Pure numpy.

Prefixes are priced with shapes that are found quickly; the caller arranges the best ones thoroughly.
"""

import numpy as np

from service.money import Money
from service.planner.candidates import PricedCandidate, PricedScene, with_paid
from service.planner.growth import neighbours_in_order
from service.planner.objectives import Objective
from service.planner.rankings import Mask, PrefixRanking, by_utility

TRIES = 8
"""Number of prefix lengths probed per round."""
ROUNDS = 4
"""Rounds of probing, each between the neighbours of the best length so far."""
SMALL_LATTICE = 1024
"""Cells up to which probes include the patches that cost nothing more."""
LARGE_LATTICE = 4096
"""Cells beyond which half of the rounds have to do, and a bisection stops early."""


def best_prefix(scene: PricedScene, ranking: PrefixRanking, objective: Objective, limit: Money) -> Mask:
    """Search the best prefix within a limit: probe a few lengths, then again beside the best one."""
    low, high = 0, ranking.length
    for _ in range(ROUNDS if scene.lattice.size <= LARGE_LATTICE else ROUNDS // 2):
        lengths = np.unique(np.linspace(low, high, TRIES + 1).astype(np.int64)).tolist()
        tried = [_probe(scene, ranking.first(length)) for length in lengths]
        best_at = max(
            range(len(tried)),
            key=lambda at: (tried[at].layout.amount <= limit, tried[at].merit(objective)),
        )
        if high - low <= TRIES:
            break
        low, high = lengths[max(best_at - 1, 0)], lengths[min(best_at + 1, len(lengths) - 1)]
    return tried[best_at].asked


def _probe(scene: PricedScene, asked: Mask) -> PricedCandidate:
    """Price a prefix quickly; in small scenes, with the patches that cost nothing more."""
    small = scene.lattice.size <= SMALL_LATTICE
    return with_paid(scene, asked, quickly=True) if small else scene.candidate(asked, quickly=True)


def longest_prefix(scene: PricedScene, ranking: PrefixRanking, limit: Money, *, quickly: bool = True) -> Mask:
    """Bisect for a prefix that the limit pays for and whose successor it does not."""
    fits, too_long = 0, ranking.length + 1
    enough = 1 if scene.lattice.size <= LARGE_LATTICE else max(1, ranking.length // 256)
    while too_long - fits > enough:
        middle = (fits + too_long) // 2
        if scene.candidate(ranking.first(middle), quickly=quickly).layout.amount <= limit:
            fits = middle
        else:
            too_long = middle
    return ranking.first(fits)


def beyond(scene: PricedScene, asked: Mask) -> PrefixRanking:
    """Rank the patches that a set lacks by utility; each prefix includes the set itself."""
    lacking = by_utility(scene.ranked[~asked.ravel()[scene.ranked]], asked.shape)
    return PrefixRanking(length=lacking.length, first=lambda count: asked | lacking.first(count))


def around(scene: PricedScene, one: PricedCandidate) -> PrefixRanking:
    """Rank the useful patches beside a candidate's shapes in the order in which these would grow."""
    useful = (scene.utilities > 0) & scene.eligible & ~one.selected
    near = by_utility(
        neighbours_in_order(scene.orders, one.layout, scene.utilities, useful), one.selected.shape
    )
    return PrefixRanking(length=near.length, first=lambda count: one.selected | near.first(count))


def with_rest_spent(scene: PricedScene, one: PricedCandidate, limit: Money) -> Mask:
    """Spend the rest of a limit on the most useful patches that a candidate lacks."""
    return longest_prefix(scene, beyond(scene, one.selected), limit)
