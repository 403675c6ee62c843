"""The patches that a sum of money buys when nobody looks at the scene: central ones, or any. Pure numpy.

Every tile gets its first patch before any tile gets its second, so tiles differ by one patch at most, unless
some of their patches cannot be bought.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.fixed_orders import FIXED_H
from models.grid import PATCHES
from service.money import Money
from service.planner.selection_price import Mask, Pricer, pricer
from service.pricing.areas import whole_cm2
from service.pricing.billing import PriceTerms, tariff_of

Order = NDArray[np.intp]
"""Positions (N,) in the raveled (T, 16) arrays, the first to buy first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlindChoice:
    """The patches that were bought blindly, and their bill."""

    selected: Mask
    cost: Money

    @property
    def patches(self) -> int:
        """The number of patches."""
        return int(np.count_nonzero(self.selected))


def central_first(buyable: Mask) -> Order:
    """Order the buyable patches (T, 16) as Fixed-H does: those in the middle of each tile first."""
    ranks = np.empty(PATCHES, dtype=np.intp)
    ranks[list(FIXED_H)] = np.arange(PATCHES)
    return _by_rank(np.broadcast_to(ranks, buyable.shape), buyable)


def drawn_at_random(buyable: Mask, seed: int) -> Order:
    """Order the buyable patches (T, 16) at random, all orders of a tile alike."""
    ranks = np.tile(np.arange(PATCHES), (len(buyable), 1))
    return _by_rank(np.random.default_rng(seed).permuted(ranks, axis=1), buyable)


def _by_rank(ranks: NDArray[np.intp], buyable: Mask) -> Order:
    flat = np.flatnonzero(buyable)
    return flat[np.argsort(ranks.ravel()[flat], kind="stable")]


@dataclass(frozen=True, kw_only=True, eq=False)
class BlindBuyer:
    """A scene and its prices, to buy patches in any number of orders: areas (T, 16), tiles row by row."""

    areas_m2: NDArray[np.float64]
    columns: int
    terms: PriceTerms

    def buy(self, order: Order, money: Money) -> BlindChoice:
        """Buy the first patches of an order for at most `money`, in the currency of the terms.

        Where prices depend on area, no longer start of the order has a bill that fits. Where they depend on
        shapes, its length is found by bisection, and every patch of the order that lies in the ordered
        shapes is bought too: it is paid for.
        """
        return self._by_area(order, money) if self.terms.by_area else self._by_bisection(order, money)

    def _by_area(self, order: Order, money: Money) -> BlindChoice:
        areas = whole_cm2(self.areas_m2).ravel()[order]
        amounts = tariff_of(self.terms).amounts(np.concatenate(([0], np.cumsum(areas))))
        length = int(np.searchsorted(amounts, money.minor, side="right")) - 1
        cost = Money(int(amounts[length]), self.terms.currency)
        return BlindChoice(selected=self._first(order, length), cost=cost)

    def _by_bisection(self, order: Order, money: Money) -> BlindChoice:
        fits, beyond = 0, len(order) + 1
        while beyond - fits > 1:
            # The whole order first: it is often one shape, and no dearer than a part.
            length = len(order) if beyond > len(order) else (fits + beyond) // 2
            if self._quick(self._first(order, length)).cost <= money:
                fits = length
            else:
                beyond = length
        priced = self._exact(self._first(order, fits))
        return BlindChoice(selected=priced.covered & self._first(order, len(order)), cost=priced.cost)

    @cached_property
    def _exact(self) -> Pricer:
        return pricer(self.areas_m2, self.columns, self.terms)

    @cached_property
    def _quick(self) -> Pricer:
        if len(self.areas_m2) == 1:
            return self._exact
        return pricer(self.areas_m2, self.columns, self.terms, quickly=True)

    def _first(self, order: Order, length: int) -> Mask:
        selected = np.zeros(self.areas_m2.size, dtype=np.bool_)
        selected[order[:length]] = True
        return selected.reshape(self.areas_m2.shape)
