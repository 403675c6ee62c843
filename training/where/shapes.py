"""Choices that know how polygons are billed: under a minimum area, patches are bought in clusters.

A price turns expected objects and billed area into one number, value - price x billed, which each scene
maximises by itself; raising the price buys less. The search is greedy: it grows a polygon below its minimum
over the patches that then cost nothing, drops polygons worth less than their bill, joins neighbours where
one bill is less than two, and changes single patches as long as that helps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.where.bills import Terms, billed_km2, edge_of, polygons

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]
ROUNDS = 8
"""Most repetitions of all moves; scenes settle after two or three."""
LEAST_GAIN = 1e-9
"""Smallest gain that counts: less is rounding."""
LARGEST_GAP = 4
"""Longest way between two polygons, in patches, over which they may be joined."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The value of each patch of a scene (R, C), and how it is sold."""

    values: Values
    terms: Terms

    def gain(self, mask: Mask, price: float) -> float:
        """Return the value of a choice minus its bill at a price per km2."""
        return float(self.values[mask].sum()) - price * billed_km2(mask, self.terms)


def choose(scene: Scene, price: float, start: Mask) -> Mask:
    """Choose the patches of a scene at a price, in value per km2: bool (R, C).

    `start` is a choice to improve, beside the patches that are worth their own area: nothing, or the choice
    at a higher price.
    """
    plain = scene.values > price * scene.terms.patch_km2
    if not scene.terms.minimum_km2:
        return plain
    found = [_improved(scene, one, price) for one in (plain, start)]
    # Beyond the price of the whole scene every patch is free: no search finds that step by step.
    return max([*found, np.ones_like(plain)], key=lambda mask: scene.gain(mask, price))


def _improved(scene: Scene, start: Mask, price: float) -> Mask:
    mask, best = start, scene.gain(start, price)
    for _ in range(ROUNDS):
        before = best
        for move in (_join, _grow, _seed, _drop, _toggle):
            candidate = move(scene, mask, price)
            gain = scene.gain(candidate, price)
            if gain > best + LEAST_GAIN:
                mask, best = candidate, gain
        if best <= before + LEAST_GAIN:
            break
    return mask


def _join(scene: Scene, mask: Mask, price: float) -> Mask:
    """Join near polygons by an L of patches, where that raises the gain."""
    numbers, _ = polygons(mask)
    places = np.argwhere(mask)
    owners = numbers[mask]
    apart = np.abs(places[:, None] - places[None]).sum(2)  # (K, K) for K bought patches
    first, second = np.nonzero((apart <= LARGEST_GAP) & (owners[:, None] < owners[None]))
    nearest = np.argsort(apart[first, second], kind="stable")
    _, ways = np.unique(np.stack([owners[first], owners[second]])[:, nearest], axis=1, return_index=True)
    best, gain = mask, scene.gain(mask, price)
    for way in nearest[ways]:
        for path in _paths(best, places[first[way]], places[second[way]]):
            joined = scene.gain(path, price)
            if joined > gain + LEAST_GAIN:
                best, gain = path, joined
    return best


def _paths(mask: Mask, one: NDArray[np.int64], other: NDArray[np.int64]) -> Iterator[Mask]:
    """Yield the choice with either L between two patches."""
    for corner in ((one[0], other[1]), (other[0], one[1])):
        path = mask.copy()
        for (top, left), (bottom, right) in pairwise((tuple(one), corner, tuple(other))):
            rows, columns = sorted((top, bottom)), sorted((left, right))
            path[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = True
        yield path


def _grow(scene: Scene, mask: Mask, _price: float) -> Mask:
    """Grow every polygon to its minimum."""
    numbers, sizes = polygons(mask)
    grown = mask.copy()
    for number in np.flatnonzero(sizes * scene.terms.patch_km2 < scene.terms.minimum_km2) + 1:
        grown |= _cluster(scene, numbers == number)
    return grown


def _seed(scene: Scene, mask: Mask, _price: float) -> Mask:
    """Add a cluster around the best patch that is neither bought nor beside one that is."""
    left = np.where(mask | edge_of(mask), -np.inf, scene.values)
    one = np.zeros_like(mask)
    one.ravel()[left.argmax()] = True
    return mask | _cluster(scene, one)


def _cluster(scene: Scene, mask: Mask) -> Mask:
    """Grow a polygon by its most valuable neighbours, while they add nothing to its bill."""
    cluster = mask.copy()
    rows, columns = mask.shape
    most = int(scene.terms.minimum_km2 / scene.terms.patch_km2 + 1e-9)
    reached = [
        (-scene.values[row, column], row, column) for row, column in np.argwhere(edge_of(mask)).tolist()
    ]
    heapify(reached)
    seen = {(row, column) for _, row, column in reached}
    for _ in range(most - np.count_nonzero(mask)):
        if not reached:
            break
        _, row, column = heappop(reached)
        cluster[row, column] = True
        for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= place[0] < rows and 0 <= place[1] < columns
            if inside and place not in seen and not cluster[place]:
                seen.add(place)
                heappush(reached, (-scene.values[place], *place))
    return cluster


def _drop(scene: Scene, mask: Mask, price: float) -> Mask:
    """Leave the polygons that are worth less than their bill."""
    numbers, sizes = polygons(mask)
    worth = np.bincount(numbers.ravel(), scene.values.ravel(), len(sizes) + 1)[1:]
    lost = np.flatnonzero(worth < price * scene.terms.billed(sizes)) + 1
    return mask & ~np.isin(numbers, lost)


def _toggle(scene: Scene, mask: Mask, price: float) -> Mask:
    """Buy or leave single patches, where that raises the gain."""
    best, gain = mask.copy(), scene.gain(mask, price)
    dear = scene.values < price * scene.terms.patch_km2
    # A patch changes a bill by at most its own area: only these can gain by themselves. Patches away from
    # every polygon are clusters of their own, which `_seed` tries.
    for place in np.flatnonzero(np.where(mask, dear, edge_of(mask) & ~dear)):
        best.ravel()[place] ^= True
        changed = scene.gain(best, price)
        if changed > gain + LEAST_GAIN:
            gain = changed
        else:
            best.ravel()[place] ^= True
    return best
