"""Controls of the table `where`: gains that must vanish, or that the report must not claim."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from training.objects.outcome import bootstrap, found
from training.objects.tiles import ObjectTiles
from training.where.rows import Row

FROM_LR = ("mean", "variance", "presence", "texture")
"""Fields of tiles that LR gives."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A difference in the share of objects found, with its 95 % interval of a bootstrap over sites."""

    found: float
    rival: float
    """The same share of the rival."""
    low: float
    high: float

    @property
    def gain(self) -> float:
        """Share found above the rival's."""
        return self.found - self.rival

    @property
    def differs(self) -> bool:
        """Whether the interval of the gain leaves zero out."""
        return not self.low <= 0 <= self.high


def with_other_lr(tiles: ObjectTiles) -> ObjectTiles | None:
    """Return tiles of which each is judged by the LR of a tile at another site.

    None if a site has more than half of the tiles.
    """
    order = np.argsort(np.array(tiles.sites), kind="stable")
    # In the order of sites, half of all tiles further is another site, unless one has more than half.
    other = np.empty_like(order)
    other[order] = np.roll(order, len(order) // 2)
    if any(tiles.sites[one] == tiles.sites[at] for at, one in enumerate(other)):
        return None
    swapped = {name: getattr(tiles, name)[torch.from_numpy(other)] for name in FROM_LR}
    return replace(tiles, **swapped)


def gain_over(by_seed: Sequence[ObjectTiles], ours: Row, rival: Row, patches: float) -> Gain:
    """Compare two rows at a mean number of patches of these tiles."""
    first, second = by_seed[0], [_found(by_seed, row, patches) for row in (ours, rival)]
    total = first.counts.sum(1)
    low, high = bootstrap(first.sites, second[0] - second[1], total)
    shares = [float(one.sum() / total.sum()) for one in second]
    return Gain(found=shares[0], rival=shares[1], low=low, high=high)


def _found(by_seed: Sequence[ObjectTiles], row: Row, patches: float) -> Tensor:
    """Return the objects in bought patches of each tile: the mean over seeds, float64 (N,)."""
    parts = [found(tiles, row.choose(tiles, seed, patches)) for seed, tiles in enumerate(by_seed)]
    return torch.stack(parts).mean(0)
