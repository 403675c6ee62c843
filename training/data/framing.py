"""Where objects lie in tiles and scenes: a photographer's centre makes fixed orders of patches look good."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES

BOUGHT = 4
"""Number of patches, of 16, for which fixed orders are measured."""
FOLDS = 5
RESAMPLES = 1_000

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The share of the objects by place, and what the best fixed order of patches would find."""

    tile: Numbers
    """Share of the objects in each patch of a tile as it is served, rows from the top (4, 4)."""
    scene: Numbers | None
    """Share of the objects in each sixteenth of a scene (4, 4); None where a tile is a scene."""
    found: float
    """Share of the objects in the four patches that hold most at other sites."""
    low: float
    """Lower end of its 95 % interval, by a bootstrap over sites."""

    @property
    def fixed_order_profits(self) -> bool:
        """Whether a fixed order finds more than its share of the patches, beyond its interval."""
        return self.low > BOUGHT / PATCHES


def framing(counts: Numbers, sites: Sequence[str], places: Numbers | None) -> Framing | None:
    """Measure the framing of tiles: counts (N, 16) by column-major patch, as served.

    `places` holds for each patch (N, 16, 2) the column and row of its middle as shares of its scene, or is
    None. Returns None unless at least two sites hold objects.
    """
    names, index = np.unique(np.array(sites), return_inverse=True)
    by_site = np.stack([np.bincount(index, column, len(names)) for column in counts.T], axis=1)
    by_site = by_site[by_site.sum(1) > 0]
    if len(by_site) < 2:
        return None
    found = _found_elsewhere(by_site)
    total = by_site.sum(1)
    drawn = np.random.default_rng(0).integers(0, len(total), (RESAMPLES, len(total)))
    shares = found[drawn].sum(1) / total[drawn].sum(1)
    parts = counts.sum(0) / counts.sum()
    return Framing(
        tile=parts.reshape(GRID, GRID).T,  # column-major -> (row, column)
        scene=None if places is None else _by_part(counts, places),
        found=float(found.sum() / total.sum()),
        low=float(np.quantile(shares, 0.025)),
    )


def _found_elsewhere(by_site: Numbers) -> Numbers:
    """Return the objects of each site in the BOUGHT patches that hold most at the sites of other folds."""
    fold = np.arange(len(by_site)) % min(FOLDS, len(by_site))
    found = np.empty(len(by_site))
    for number in range(fold.max() + 1):
        others, own = by_site[fold != number], by_site[fold == number]
        # Shares of each site, so that one site with many objects does not decide the order.
        order = (others / others.sum(1, keepdims=True)).mean(0).argsort()[::-1]
        found[fold == number] = own[:, order[:BOUGHT]].sum(1)
    return found


def _by_part(counts: Numbers, places: Numbers) -> Numbers:
    part = np.clip(np.floor(places * GRID).astype(np.int64), 0, GRID - 1)
    shares = np.zeros((GRID, GRID))
    np.add.at(shares, (part[..., 1], part[..., 0]), counts)
    scaled: Numbers = shares / counts.sum()
    return scaled
