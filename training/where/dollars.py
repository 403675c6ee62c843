"""Cost of choices: the bill of each scene, and the objects found, from nothing bought to everything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from training.objects.maps import Mask, coarser, enlarged, masks_of
from training.objects.outcome import RESAMPLES
from training.where.bills import Terms, bills_usd, whole_usd
from training.where.rows import Row, Seen
from training.where.shapes import Scene, choose

Numbers = NDArray[np.float64]
Choices = Sequence[Sequence[Sequence[Mask]]]
"""Bought patches by point of a sweep, by seed and by scene."""

BUDGETS = (2.0, 4.0, 16 / 3, 6.0, 8.0)
"""Mean numbers of patches per tile whose bills are reported."""
SWEPT = tuple(sorted({*np.arange(0, 8, 0.25).tolist(), *np.arange(8.0, 16.5, 0.5).tolist(), *BUDGETS}))
"""Mean numbers of patches per tile of a sweep, from nothing to everything."""


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Bills and objects found along a sweep: means over seeds, by scene."""

    sites: tuple[str, ...]
    bills: Numbers
    """Dollars (P, scenes)."""
    found: Numbers
    """Objects in bought patches (P, scenes)."""
    whole: Numbers
    """Dollars (scenes,) of each scene bought whole."""
    objects: Numbers
    """Objects (scenes,) of each scene."""

    @property
    def shares(self) -> Numbers:
        """Return the share of the bill of everything, and the share of objects found: (P, 2)."""
        bills = self.bills.sum(1) / self.whole.sum()
        return np.stack([bills, self.found.sum(1) / self.objects.sum()], axis=1)

    def found_for(self, share: float) -> float:
        """Return the largest share of objects found for at most a share of the bill of everything."""
        bills, found = self.shares.T
        return float(found[bills <= share + 1e-9].max(initial=0.0))

    def saving(self, target: float) -> tuple[float, float, float]:
        """Return the largest share of the bill that is saved while `target` of the objects are found.

        The second and third number are its 95 % interval, by a bootstrap over sites.
        """
        names, index = np.unique(np.array(self.sites), return_inverse=True)
        drawn = np.random.default_rng(0).integers(0, len(names), (RESAMPLES, len(names)))
        weights = np.zeros((RESAMPLES + 1, len(names)))
        weights[0] = 1  # the sites as they are; the other rows resample them
        np.add.at(weights, (np.arange(1, RESAMPLES + 1)[:, None], drawn), 1)
        by_scene = weights[:, index]
        bills, found = by_scene @ self.bills.T, by_scene @ self.found.T  # (RESAMPLES + 1, P)
        enough = found >= target * (by_scene @ self.objects)[:, None] - 1e-9
        whole = by_scene @ self.whole
        least = np.where(enough, bills, whole[:, None]).min(1)  # the whole can always be bought
        saved = 1 - least / whole
        low, high = np.quantile(saved[1:], [0.025, 0.975])
        return float(saved[0]), float(low), float(high)


def swept(by_seed: Sequence[Seen], row: Row, factor: int) -> Choices:
    """Choose patches by a row at every size of SWEPT, of `factor` patches of the data set a side."""
    return [
        [
            masks_of(seen.maps, row.choose(seen.tiles[factor], seed, size), factor)
            for seed, seen in enumerate(by_seed)
        ]
        for size in SWEPT
    ]


def swept_by_shape(by_seed: Sequence[Seen], factor: int, terms: Terms) -> Choices:
    """Choose patches by expected count and by what their polygons are billed, at falling prices.

    `terms` are those of patches of the data set.
    """
    sold = Terms(patch_km2=terms.patch_km2 * factor**2, minimum_km2=terms.minimum_km2)
    by_price: list[list[list[Mask]]] = [[] for _ in SWEPT]
    for seen in by_seed:
        values = [coarser(one, factor)["mean"].numpy() for one in seen.maps]
        density = np.concatenate([one.ravel() for one in values]) / sold.patch_km2
        # The prices at which each size of SWEPT would be bought, if polygons did not matter.
        prices = np.quantile(density, 1 - np.array(SWEPT) / PATCHES, method="lower")
        prices[-1] = 0  # everything
        scenes = [Scene(values=one, terms=sold) for one in values]
        chosen = [np.zeros(one.shape, np.bool_) for one in values]
        for at, price in enumerate(prices):
            chosen = [choose(one, float(price), mask) for one, mask in zip(scenes, chosen, strict=True)]
            masks = zip(seen.maps, chosen, strict=True)
            by_price[at].append([enlarged(mask, factor, one.shape) for one, mask in masks])
    return by_price


def frontier(by_seed: Sequence[Seen], choices: Choices, terms: Terms) -> Frontier:
    """Bill every choice of a sweep; `terms` are those of patches of the data set."""
    maps = by_seed[0].maps
    counts = [one.layers["counts"].numpy() for one in maps]
    bills = [np.mean([bills_usd(masks, terms) for masks in seeds], axis=0) for seeds in choices]
    found = [
        np.mean(
            [[count[mask].sum() for count, mask in zip(counts, masks, strict=True)] for masks in seeds],
            axis=0,
        )
        for seeds in choices
    ]
    return Frontier(
        sites=tuple(one.site for one in maps),
        bills=np.stack(bills),
        found=np.stack(found),
        whole=whole_usd([np.ones(one.shape, np.bool_) for one in maps], terms),
        objects=np.array([count.sum() for count in counts]),
    )
