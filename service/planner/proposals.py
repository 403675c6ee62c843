"""The sets of patches that an objective compares in a scene of several tiles. Pure numpy.

One search within a limit of money serves `max_cost` and `lambda`: what another objective would find for the
same money is compared too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

import numpy as np

from service.money import Money, minor_per_major
from service.planner.by_area import decide_by_area
from service.planner.candidates import PricedCandidate, PricedScene, with_paid
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.planner.prefix_search import (
    LARGE_LATTICE,
    SMALL_LATTICE,
    around,
    best_prefix,
    beyond,
    longest_prefix,
    with_rest_spent,
)
from service.planner.rankings import Mask, by_utility
from service.planner.scene_orders import covered_patches
from service.pricing.billing import tariff_of

THOROUGH = 2
"""Number of the best sets, priced quickly, whose shapes are arranged thoroughly.

Those of the plan by area always are, so that no plan is worse than without regard to shapes.
"""
REPEATS = 3
"""Limit of the steps by which a plan is improved; in large scenes there is one."""


def proposals(scene: PricedScene, objective: Objective, usual: Mask) -> Iterator[PricedCandidate]:
    """Propose sets that keep the objective's limits; without a threshold, buying nothing is one of them.

    A set may hold taken patches, which its shapes enclose. `usual` (T, 16) would be bought if none were
    taken. It is one of the sets, so that an order never costs more because of what is owned.
    """
    enclosing = [usual] if scene.taken.any() else []
    match objective:
        case (
            Policy(threshold=threshold)
            | TargetAccuracy(threshold=threshold)
            | GuaranteedLoss(threshold=threshold)
        ):
            asked = (scene.utilities >= threshold) & scene.eligible
            wider = best_prefix(scene, beyond(scene, asked), objective, scene.most)
            by_area = _by_area(scene, objective)
            found = [*_best(scene, objective, [asked, by_area, wider], asked), scene.candidate(by_area)]
            found += [with_paid(scene, asked | one, kept=asked) for one in enclosing]
            yield from (replace(one, asked=asked) for one in found)
        case MaxPatches(patches=patches):
            yield from _of_number(scene, patches, enclosing)
        case CostWeight():
            yield from (scene.candidate(one) for one in enclosing)
            yield from _under_weight(scene, objective)
        case MaxCost(limit=limit):
            found = [scene.candidate(one) for one in enclosing]
            yield from (one for one in found if one.layout.amount <= limit)
            yield from _within_limit(scene, objective)
        case _:
            assert_never(objective)


def _by_area(scene: PricedScene, objective: Objective) -> Mask:
    return decide_by_area(scene.plan_by_area, objective).selected


def _best(
    scene: PricedScene, objective: Objective, sets: Iterable[Mask], kept: Mask | None = None
) -> list[PricedCandidate]:
    """Price sets quickly, with what they pay for, and the best of them thoroughly."""
    different = {one.tobytes(): one for one in sets}
    quick = [with_paid(scene, one, quickly=True) for one in different.values()]
    quick.sort(key=lambda one: one.merit(objective), reverse=True)
    return [with_paid(scene, one.asked, kept=kept) for one in quick[:THOROUGH]]


def _of_number(scene: PricedScene, patches: int, enclosing: list[Mask]) -> Iterator[PricedCandidate]:
    """Propose the most useful patches in shapes around them, around taken ones, and around everything."""
    asked = by_utility(scene.ranked, scene.eligible.shape).first(min(patches, len(scene.ranked)))
    yield from (scene.candidate(asked | (one & scene.taken)) for one in (asked, *enclosing))
    if asked.any():
        worth = float(scene.utilities[asked].sum())
        yield replace(scene.everything, asked=asked, selected=asked, worth=worth)


def _within_limit(scene: PricedScene, objective: MaxCost) -> list[PricedCandidate]:
    """Propose the most useful sets that a limit pays for."""
    limit, nothing, by_area = objective.limit, np.zeros_like(scene.eligible), _by_area(scene, objective)
    sets = [nothing, by_area]
    sets += [longest_prefix(scene, one, limit) for one in scene.rankings]
    if not _large(scene):
        sets += [best_prefix(scene, one, objective, limit) for one in scene.rankings]
    quick = _affordable([with_paid(scene, one, quickly=True) for one in sets], limit)
    sets = [one.asked for one in quick] + [with_rest_spent(scene, one, limit) for one in quick]
    found = [*_best(scene, objective, sets), scene.everything]
    found += [scene.candidate(one) for one in (nothing, by_area)]
    if scene.lattice.size <= SMALL_LATTICE:
        ranked = by_utility(scene.ranked, scene.eligible.shape)
        found.append(with_paid(scene, longest_prefix(scene, ranked, limit, quickly=False)))
    found = _affordable(found, limit)
    for _ in range(1 if _large(scene) else REPEATS):
        best = max(found, key=lambda one: one.merit(objective))
        loose = _loosened(scene, best, limit)
        more = [with_rest_spent(scene, best, loose), with_rest_spent(scene, best, limit)]
        more.append(longest_prefix(scene, around(scene, best), loose))
        if loose > limit:
            more += [longest_prefix(scene, one, loose) for one in scene.rankings]
        found += _affordable(_best(scene, objective, more), limit)
        if max(found, key=lambda one: one.merit(objective)) is best:
            break
    return found


def _large(scene: PricedScene) -> bool:
    return scene.lattice.size > LARGE_LATTICE


def _loosened(scene: PricedScene, one: PricedCandidate, limit: Money) -> Money:
    """Return the quick price to allow, so that thoroughly arranged shapes may use up a limit."""
    quick = scene.candidate(one.selected, quickly=True).layout.amount
    paid = max(1, one.layout.amount.minor)
    return Money(max(limit.minor, limit.minor * quick.minor // paid), limit.currency)


def _affordable(found: Iterable[PricedCandidate], limit: Money) -> list[PricedCandidate]:
    return [one for one in found if one.layout.amount <= limit]


def _under_weight(scene: PricedScene, objective: CostWeight) -> list[PricedCandidate]:
    """Propose sets that are worth their cost at a lambda, and what the same money could buy instead."""
    sets = [np.zeros_like(scene.eligible), _by_area(scene, objective)]
    sets += [best_prefix(scene, one, objective, scene.most) for one in scene.rankings]
    found = [*_best(scene, objective, sets), scene.everything, *map(scene.candidate, sets[:2])]
    searched: set[Money] = set()
    while len(searched) < (1 if _large(scene) else REPEATS):
        best = max(found, key=lambda one: one.merit(objective))
        limit = best.layout.amount
        if limit in searched:
            break
        searched.add(limit)
        found.append(with_paid(scene, _worth_their_cost(scene, best, objective)))
        found.append(with_paid(scene, best_prefix(scene, around(scene, best), objective, scene.most)))
        found += _within_limit(scene, MaxCost(limit=limit))
    return found


def _worth_their_cost(scene: PricedScene, one: PricedCandidate, objective: CostWeight) -> Mask:
    """Return the patches of a candidate without those of shapes that cost more than they are worth."""
    layout, tariff = one.layout, tariff_of(scene.orders.terms)
    if not len(layout.areas_cm2):
        return one.asked
    weights = tariff.weights(layout.areas_cm2)
    total = weights.sum()
    saved = tariff.totals(np.append(total, total - weights))
    costs = objective.per_unit * (saved[0] - saved[1:]) / minor_per_major(scene.orders.terms.currency)
    values = scene.lattice[layout.rows, layout.columns]
    worth = np.bincount(layout.owner, weights=values, minlength=len(costs))
    kept = (worth >= costs)[layout.owner]
    cells = np.zeros(scene.lattice.shape, dtype=np.bool_)
    cells[layout.rows[kept], layout.columns[kept]] = True
    return covered_patches(scene.orders, cells) & one.selected
