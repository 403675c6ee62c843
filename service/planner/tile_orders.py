"""Every choice of a tile's patches, and the cheapest legal order around each. Pure numpy, exact.

A choice is a number of 16 bits, bit p for patch p (column-major). Of the 65,536 choices 11,506 are connected,
so all of them can be tabulated.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, bill, tariff_of
from service.pricing.charge_rules import Bill
from service.pricing.shape_rules import ANY_SHAPE, ShapeRules

CHOICES = np.arange(1 << PATCHES, dtype=np.int64)
BITS = (CHOICES[:, None] >> np.arange(PATCHES)) & 1  # (65536, 16)
EVERYTHING = (1 << PATCHES) - 1
_FIRST_ROW, _LAST_ROW = 0x1111, 0x8888
_UNREACHED = np.iinfo(np.int64).max // 2

Choices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The lightest legal shapes around every choice: their total weight, and how to list them."""

    weights: NDArray[np.int64]  # (65536,)
    shape: Choices
    """First shape of the optimal cover of each choice; remove it and look up the rest recursively."""

    def shapes(self, choice: int) -> list[int]:
        """Return the shapes around one choice; together they contain it, and perhaps padding."""
        found = []
        while choice:
            shape = int(self.shape[choice])
            found.append(shape)
            choice &= ~shape
        return found


@dataclass(frozen=True, kw_only=True)
class TileOrders:
    """The cheapest legal order around every choice of one tile's patches."""

    terms: PriceTerms
    narrowest: int
    """Patches that a shape must be wide; beyond 4, only a square around the tile can be ordered."""
    patches_cm2: NDArray[np.int64]  # (16,)
    areas_cm2: NDArray[np.int64]  # (65536,) of each choice as one shape, or of that square
    cover: Cover
    amounts: NDArray[np.int64]  # (65536,) minor units

    def around(self, spare: int) -> tuple[NDArray[np.int64], Choices]:
        """Return the least amount (65536,) of each choice if its shapes may enclose patches of `spare`.

        Also returns the choice, with the enclosed patches, that costs this amount.
        """
        amounts, choices = self.amounts, CHOICES
        for patch in np.flatnonzero(BITS[spare]):
            wider = CHOICES | 1 << patch
            cheaper = amounts[wider] < amounts
            amounts = np.where(cheaper, amounts[wider], amounts)
            choices = np.where(cheaper, choices[wider], choices)
        return amounts, choices

    def bill(self, choice: int) -> Bill:
        """Bill the cheapest order around a choice."""
        return bill([int(self.areas_cm2[shape]) for shape in self.cover.shapes(choice)], self.terms)


def order_choices(areas_m2: NDArray[np.float64], terms: PriceTerms) -> TileOrders:
    """Find the cheapest legal order around every choice of one tile: areas (1, 16) in square metres."""
    patches = whole_cm2(areas_m2)[0]
    narrowest = terms.rules.narrowest(float(patches.mean()))
    areas = BITS @ patches
    if narrowest > GRID:
        areas[EVERYTHING] = narrowest**2 * int(patches.sum()) // PATCHES
    tariff = tariff_of(terms)
    weights = tariff.weights(areas)
    if terms.rules == ANY_SHAPE:
        cover = cover_with_parts(weights)
    else:
        cover = cover_with(legal_shapes(terms.rules, narrowest), weights)
    return TileOrders(
        terms=terms,
        narrowest=narrowest,
        patches_cm2=patches,
        areas_cm2=areas,
        cover=cover,
        amounts=tariff.totals(cover.weights),
    )


@lru_cache(maxsize=64)
def legal_shapes(rules: ShapeRules, narrowest: int) -> Choices:
    """Return the connected choices that keep the rules; every part is `narrowest` patches wide."""
    connected = CHOICES[(first_parts() == CHOICES) & (CHOICES > 0)]
    cells = np.pad(BITS[connected].reshape(-1, GRID, GRID), ((0, 0), (1, 1), (1, 1))) > 0
    legal: Choices = connected[rules.admits(cells, min(narrowest, GRID))]
    return legal


@cache
def first_parts() -> Choices:
    """Return of every choice (65536,) the connected part that holds its lowest patch."""
    return _flood(CHOICES, CHOICES & -CHOICES)


def cover_with(shapes: Choices, weights: NDArray[np.int64]) -> Cover:
    """Find the lightest sets of `shapes` (N,) that together contain each choice; weights (65536,).

    Shapes may overlap: two rectangles that cross can be cheaper than three that do not.
    """
    best, taken = np.full(len(CHOICES), _UNREACHED), np.zeros(len(CHOICES), dtype=np.int64)
    best[0] = 0
    # Some shape has to contain the choice's lowest patch; the rest is a smaller problem, solved before.
    for lowest in reversed(range(PATCHES)):
        choices = CHOICES[(CHOICES & ((2 << lowest) - 1)) == 1 << lowest]
        for shape in shapes[(shapes >> lowest) & 1 == 1]:
            weight = weights[shape] + best[choices & ~shape]
            lighter = weight < best[choices]
            best[choices[lighter]] = weight[lighter]
            taken[choices[lighter]] = shape
    return Cover(weights=best, shape=taken)


def cover_with_parts(weights: NDArray[np.int64]) -> Cover:
    """Order every connected part as a shape of its own; weights (65536,) of connected choices."""
    part = first_parts()
    total, rest = np.zeros(len(CHOICES), dtype=np.int64), CHOICES.copy()
    while rest.any():
        total += np.where(rest > 0, weights[part[rest]], 0)
        rest &= ~part[rest]
    return Cover(weights=total, shape=part)


def _flood(choices: Choices, seeds: Choices) -> Choices:
    """Return the patches that the seeds reach inside their choices, over shared edges."""
    reached = seeds & choices
    while True:
        # Bits 0 to 3 are a column: a shift by 1 moves down or up a row, by 4 to the next column.
        grown = reached | (
            choices
            & (
                ((reached & ~_LAST_ROW) << 1)
                | ((reached & ~_FIRST_ROW) >> 1)
                | (reached << GRID)
                | (reached >> GRID)
            )
        )
        if (grown == reached).all():
            return reached
        reached = grown
