"""A greedy knapsack over tiles: steps from buying nothing to buying all useful patches. Pure numpy.

A tile's frontier is the highest utility for each cost; the steps follow its concave hull. The steps of all
tiles, sorted by utility per cost, are the greedy solution of the multiple-choice knapsack problem. It is
optimal at every cost that it reaches (Kellerer, Pferschy and Pisinger, Knapsack Problems, 2004,
section 11.2).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.planner.tile_orders import BITS, CHOICES

TILES_AT_ONCE = 64
"""Tiles per batch; bounds the `utilities @ bits` product to about 34 MB."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """N steps, best value first: the tile of each step, and the choice of patches it leads to."""

    tiles: Ints  # (N,)
    choices: Ints  # (N,)


@dataclass(frozen=True, kw_only=True)
class _Levels:
    """Choices grouped by cost; there are L different costs."""

    order: Ints  # (C,) choices
    starts: Ints  # (L,) first position of each cost in `order`
    costs: Floats  # (L,) rising from 0

    def choices(self, level: int) -> Ints:
        """Return the choices of one cost."""
        ends = np.append(self.starts[1:], len(self.order))
        return self.order[self.starts[level] : ends[level]]


def rank_steps(utilities: Floats, costs: Ints) -> Steps:
    """Rank the steps of all tiles: utilities (T, 16), costs (65536,) of each choice, equal for all tiles."""
    full = _full(costs)
    order = full[np.argsort(costs[full], kind="stable")]
    different, starts = np.unique(costs[order], return_index=True)
    levels = _Levels(order=order, starts=starts, costs=different.astype(np.float64))
    tiles, reached, values = _climb(_frontier(utilities, levels), levels.costs)
    best_first = np.argsort(-values, kind="stable")  # stable: keeps the order of a tile's own steps
    tiles, reached = tiles[best_first], reached[best_first]
    return Steps(tiles=tiles, choices=_choices(utilities, levels, tiles, reached))


def _full(costs: Ints) -> Ints:
    """Return the choices to which no patch can be added free; the others are never better."""
    dearer = [costs[CHOICES | 1 << patch] > costs for patch in range(PATCHES)]
    full: NDArray[np.bool_] = (np.stack(dearer, axis=1) | (BITS == 1)).all(axis=1)
    return CHOICES[full]


def _frontier(utilities: Floats, levels: _Levels) -> Floats:
    """Return the highest utility (T, L) of the choices of each cost."""
    bits = BITS[levels.order].T.astype(np.float64)  # (16, C)
    parts = [
        np.maximum.reduceat(utilities[at : at + TILES_AT_ONCE] @ bits, levels.starts, axis=1)
        for at in range(0, len(utilities), TILES_AT_ONCE)
    ]
    return np.concatenate(parts)


def _climb(frontier: Floats, costs: Floats) -> tuple[Ints, Ints, Floats]:
    """Follow every tile's concave hull: tile, level reached, utility per cost of each step, all (N,)."""
    everyone = np.arange(len(frontier))
    level = np.zeros(len(frontier), dtype=np.int64)
    tiles, reached, values = [everyone[:0]], [level[:0]], [np.zeros(0)]
    while len(everyone):
        gain = frontier[everyone] - frontier[everyone, level[everyone]][:, None]
        rise = costs - costs[level[everyone]][:, None]
        value = np.where(rise > 0, gain / np.where(rise > 0, rise, 1), -1)
        steepest = value.argmax(axis=1)
        worth = value[np.arange(len(everyone)), steepest]
        everyone, steepest, worth = everyone[worth > 0], steepest[worth > 0], worth[worth > 0]
        level[everyone] = steepest
        tiles.append(everyone)
        reached.append(steepest)
        values.append(worth)
    return np.concatenate(tiles), np.concatenate(reached), np.concatenate(values)


def _choices(utilities: Floats, levels: _Levels, tiles: Ints, reached: Ints) -> Ints:
    """Return the most useful choice (N,) of each step's cost."""
    found = np.zeros(len(tiles), dtype=np.int64)
    for level in np.unique(reached).tolist():
        choices = levels.choices(level)
        bits = BITS[choices].T.astype(np.float64)
        steps = np.flatnonzero(reached == level)
        for at in range(0, len(steps), TILES_AT_ONCE):
            some = steps[at : at + TILES_AT_ONCE]
            found[some] = choices[(utilities[tiles[some]] @ bits).argmax(axis=1)]
    return found
