"""Rows of the table `rounds`: one round of buying and two, at equal money.

A second round that does not see the first is one round: the second look changes nothing where nothing is
known, so both buy the same patches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from models.counts import Counts
from models.grid import PATCHES
from training.data.object_scenes import ObjectScene
from training.objects.outcome import bootstrap, count_error, labels_right
from training.objects.tiles import ObjectTiles, by_tile
from training.rounds.rounds import Choose, Searched, gain_interval, share_found
from training.rounds.run import RoundsSeed

BUDGETS = (2, 4, 6)
"""Mean numbers of patches bought per tile, of 16, in both rounds together."""
NAMES = (
    "one round",
    "one round, answers revised by what was seen",
    "two rounds",
)


@dataclass(frozen=True)
class Way:
    """A way to buy, and what it expects afterwards of the patches that it did not buy."""

    choose: Choose
    expect: Callable[[int, Tensor], Counts]
    """Function of the number of a scene and its bought patches to counts (1, R, C)."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A difference from one round with its 95 % interval over test sites."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RoundRow:
    """A row of the table at one budget: means over seeds."""

    name: str
    patches: int
    found: float
    """Share of all objects that lie in bought patches."""
    right: float
    """Share of the tiles whose label is right."""
    error: float
    """Mean absolute error of a tile's count."""
    found_gain: Gain
    right_gain: Gain
    error_gain: Gain
    """Below zero where the error is smaller than after one round."""


def ways_of(seed: RoundsSeed) -> tuple[Way, ...]:
    """Return the ways to buy, in the order of NAMES."""
    see = Searched(seed.maps, [reading.mean for reading in seed.readings], seed.look)
    return (
        Way(see.one_round, lambda scene, _bought: seed.maps[scene]),
        Way(see.one_round, see.revised),
        Way(see.two_rounds, see.revised),
    )


def round_rows(
    test: Sequence[ObjectScene], seeds: Sequence[RoundsSeed], bins: Sequence[int]
) -> list[RoundRow]:
    """Measure each way to buy at each budget on the test scenes."""
    ways = [ways_of(seed) for seed in seeds]
    rows = []
    for patches in BUDGETS:
        # (seeds, ways, 2, N): right labels and errors by tile.
        measured = torch.stack(
            [
                torch.stack([_by_tile(test, seed.test, way, patches, bins) for way in own])
                for seed, own in zip(seeds, ways, strict=True)
            ]
        ).mean(0)
        for number, name in enumerate(NAMES):
            pairs = [(own[number].choose, own[0].choose) for own in ways]
            rows.append(_row(name, patches, test, pairs, measured[number], measured[0]))
    return rows


def _row(
    name: str,
    patches: int,
    test: Sequence[ObjectScene],
    pairs: Sequence[tuple[Choose, Choose]],
    by_way: Tensor,
    by_one: Tensor,
) -> RoundRow:
    """Compare a way with one round; `by_way` and `by_one` (2, N) hold right labels and errors by tile."""
    counts, once = [torch.from_numpy(scene.counts)[None] for scene in test], [1] * len(test)
    shares = np.array([[share_found(one, counts, once, patches) for one in pair] for pair in pairs]).mean(0)
    low, high = gain_interval(pairs, counts, [scene.site for scene in test], patches)
    sites = [scene.site for scene in test for _ in scene.turns]
    gains = []
    for gain in by_way - by_one:
        ends = bootstrap(sites, gain, torch.ones_like(gain))
        gains.append(Gain(value=float(gain.mean()), low=ends[0], high=ends[1]))
    return RoundRow(
        name=name,
        patches=patches,
        found=float(shares[0]),
        right=float(by_way[0].mean()),
        error=float(by_way[1].mean()),
        found_gain=Gain(value=float(shares[0] - shares[1]), low=low, high=high),
        right_gain=gains[0],
        error_gain=gains[1],
    )


def _by_tile(
    test: Sequence[ObjectScene], tiles: ObjectTiles, way: Way, patches: int, bins: Sequence[int]
) -> Tensor:
    """Return right labels and absolute errors of the count by tile, float64 (2, N)."""
    size = sum(scene.counts.size for scene in test)
    bought = way.choose(round(patches / PATCHES * size), [1] * len(test))
    expected = [way.expect(scene, one) for scene, one in enumerate(bought)]
    answered = replace(
        tiles,
        mean=_laid_out(test, [one.mean for one in expected]),
        variance=_laid_out(test, [one.variance for one in expected]),
    )
    choice = _laid_out(test, bought) > 0
    return torch.stack([labels_right(answered, choice, bins), count_error(answered, choice)])


def _laid_out(scenes: Sequence[ObjectScene], maps: Sequence[Tensor]) -> Tensor:
    """Cut maps (1, R, C) of scenes into the patches of their tiles, float64 (N, 16)."""
    return torch.cat([by_tile(one[0].double(), scene.turns) for one, scene in zip(maps, scenes, strict=True)])
