"""Two rounds of buying: the second round is chosen by what the first has shown.

A portfolio spends one budget over the patches of all scenes: it buys those whose value is above a threshold.
Maps are per scene, (1, R, C).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from models.counts import Counts
from models.grid import PATCHES
from models.second_look import SecondLook, Sight, revise

RESAMPLES = 500


def threshold_for(values: Sequence[Tensor], copies: Sequence[int], patches: int) -> float:
    """Return the threshold above which `patches` values lie, where scene i stands `copies[i]` times."""
    pool = torch.cat([value.flatten().repeat(count) for value, count in zip(values, copies, strict=True)])
    if patches >= len(pool):
        return -float("inf")
    return float(pool.kthvalue(len(pool) - patches).values)


@dataclass(frozen=True)
class Searched:
    """Scenes to search in one round or in two, with what buying each patch would show."""

    maps: Sequence[Counts]
    """Expected counts from LR."""
    shown: Sequence[Tensor]
    """Number of objects that is read in each patch once it is bought."""
    look: SecondLook
    _revised: dict[tuple[int, bytes], Counts] = field(default_factory=dict)

    def revised(self, scene: int, bought: Tensor) -> Counts:
        """Return what is expected of a scene after buying some of its patches, bool (1, R, C)."""
        # Kept: resamples of the sites meet the same choices again and again.
        key = scene, bought.numpy().tobytes()
        if key not in self._revised:
            sight = Sight.of(bought, self.shown[scene])
            self._revised[key] = revise(self.maps[scene], sight, self.look)
        return self._revised[key]

    def one_round(self, patches: int, copies: Sequence[int]) -> list[Tensor]:
        """Buy `patches` of the scenes, of which scene i stands `copies[i]` times: bool (1, R, C) each."""
        values = [one.mean for one in self.maps]
        least = threshold_for(values, copies, patches)
        return [value > least for value in values]

    def two_rounds(self, patches: int, copies: Sequence[int]) -> list[Tensor]:
        """Buy half of the patches by the first maps, and the rest by what is expected after seeing them."""
        first = self.one_round(patches // 2, copies)
        spent = sum(int(one.sum()) * count for one, count in zip(first, copies, strict=True))
        values = [
            # What is bought already cannot be bought again.
            self.revised(scene, bought).mean.masked_fill(bought, -1.0) if times else -bought.float()
            for scene, (bought, times) in enumerate(zip(first, copies, strict=True))
        ]
        least = threshold_for(values, copies, patches - spent)
        return [bought | (value > least) for bought, value in zip(first, values, strict=True)]


Choose = Callable[[int, Sequence[int]], Sequence[Tensor]]
"""Function of a number of patches and of the copies of each scene to the bought patches."""


def gain_interval(
    pairs: Sequence[tuple[Choose, Choose]], counts: Sequence[Tensor], sites: Sequence[str], patches: float
) -> tuple[float, float]:
    """Return the 95 % interval of the gain in the share of objects found, resampling whole sites.

    `pairs` hold ours and theirs for each seed; the gain is the mean over seeds. Each resample spends its own
    budget of `patches` per tile: both ways to buy cost the same in each.
    """
    if all(ours == theirs for ours, theirs in pairs):
        return 0.0, 0.0
    names, index = np.unique(np.array(sites), return_inverse=True)
    random = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))
        copies = times[index].tolist()
        shares = [[share_found(choose, counts, copies, patches) for choose in pair] for pair in pairs]
        gains.append(np.mean([ours - theirs for ours, theirs in shares]))
    low, high = np.quantile(gains, [0.025, 0.975])
    return float(low), float(high)


def share_found(choose: Choose, counts: Sequence[Tensor], copies: Sequence[int], patches: float) -> float:
    """Return the share of all objects in the patches that are bought at `patches` per tile."""
    size = sum(count.numel() * times for count, times in zip(counts, copies, strict=True))
    bought = choose(round(patches / PATCHES * size), copies)
    found = sum(
        times * float((count * one).sum()) for count, one, times in zip(counts, bought, copies, strict=True)
    )
    total = sum(times * float(count.sum()) for count, times in zip(counts, copies, strict=True))
    return found / max(total, 1e-12)
