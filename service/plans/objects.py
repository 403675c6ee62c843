"""Numbers of objects in tiles, patches and scenes, as documents show them. Opens no database session."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.answers import TileAnswers, count_interval
from models.counts import Counts, Reading
from models.values import right_labels
from service.bundles.counting import counts_of
from service.bundles.predictor import ExpectedCounts
from service.plans.counts import SceneCounts

LEVEL = 0.95
"""Probability with which the intervals of counts hold the true number."""
DIGITS = 4
"""Decimals of an expected number of objects."""
_LEAST = 1e-9

Mask = NDArray[np.bool_]


class ObjectCount(BaseModel):
    """A number of objects that is not known exactly."""

    expected: float = Field(description="Expected number of objects.")
    low: int = Field(description="Lower end of the 95 % interval of the number.")
    high: int = Field(description="Upper end of the 95 % interval of the number.")


class PlanObjects(BaseModel):
    """The objects that the bundle counts, as it expects them from the low-resolution scene."""

    name: str = Field(description="Objects that are counted.", examples=["oil tanks"])
    scene: ObjectCount = Field(
        description="Number in the planned tiles. Its interval takes the patches as independent: where the "
        "bundle misjudges the whole scene, it is too narrow."
    )
    in_bought: float = Field(description="Expected number in the patches that the plan buys.")
    in_reused: float = Field(
        description="Number in patches that the plan leaves out because they are owned or on order: the "
        "number that was read before the plan was made, else the expected one. 0 with `reuse=none`."
    )
    read: float = Field(
        0.0,
        description="Part of `in_reused` that was read before the plan was made; the rest is expected. "
        "`prior` and `round` state what was read, with `reuse=none` too.",
    )
    share: float = Field(
        description="Share of the objects of the whole scene, expected or read, that lie in bought patches, "
        "0 to 1."
    )


def describe_objects(name: str, counts: SceneCounts, selected: Mask, taken: Mask) -> dict[str, Any]:
    """Return the members of PlanObjects for a decision, as the plan's row keeps them.

    `selected` and `taken` (T, 16) are the patches that are bought, and those that are left out as owned or on
    order.
    """
    everything, bought, reused, read = (
        float(counts.numbers[patches].sum(dtype=np.float64))
        for patches in (np.ones_like(selected), selected, taken, counts.read)
    )
    shown = PlanObjects(
        name=name,
        scene=total_of([answers_of(counts)]),
        in_bought=round(bought, DIGITS),
        in_reused=round(reused, DIGITS),
        read=round(read, DIGITS),
        share=round(bought / everything, 6) if everything else 0.0,
    )
    return shown.model_dump()


def unread(expected: ExpectedCounts) -> TileAnswers:
    """Return the answers for tiles of which no patch is read."""
    nothing = torch.zeros(expected.mean.shape, dtype=torch.bool)
    zero = torch.zeros(expected.mean.shape)
    return TileAnswers.of(nothing, Reading(mean=zero, variance=zero), counts_of(expected))


def answers_of(counts: SceneCounts) -> TileAnswers:
    """Return the answers for tiles as they were known when the plan was made."""
    mean, variance = (
        torch.from_numpy(np.nan_to_num(part)) for part in (counts.readings.mean, counts.readings.variance)
    )
    reading = Reading(mean=mean, variance=variance)
    return TileAnswers.of(torch.from_numpy(counts.read), reading, counts_of(counts.expected))


def objects_by_tile(counts: SceneCounts) -> list[ObjectCount]:
    """Write the count of each tile with its interval, as it was known when the plan was made."""
    return counts_by_tile(answers_of(counts)) if counts.read.any() else expected_by_tile(counts.expected)


def expected_by_tile(expected: ExpectedCounts) -> list[ObjectCount]:
    """Write the count of each tile (T, 16) with its interval, when no patch is read."""
    return counts_by_tile(unread(expected))


def expected_labels(counts: SceneCounts, eligible: Mask, bought: Mask, bins: Sequence[int]) -> float:
    """Return the expected number of right labels of tiles (T,) once patches are read without error.

    `bought` (T, 16) are these patches, beside those that were read when the plan was made.
    """
    seen = counts.seen(bought)
    left = seen.left_of(counts.expected)
    mean, variance = (part.astype(np.float64)[eligible] for part in (left.mean, left.variance))

    def sums(patches: Mask) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy((mean * patches).sum(1)), torch.from_numpy((variance * patches).sum(1))

    here, known = bought[eligible], torch.from_numpy(seen.known[eligible])
    return float(right_labels(sums(here), sums(~here), bins, known).sum())


def counts_by_tile(answers: TileAnswers) -> list[ObjectCount]:
    """Write the count of each tile with its interval."""
    return _written(answers.mean, answers.interval(LEVEL))


def count_in(counts: SceneCounts, patches: Mask) -> ObjectCount:
    """Write the number of objects in some patches (T, 16) together, as if patches were independent."""
    variance = np.where(counts.read, counts.readings.variance, counts.expected.variance)
    sums = (float(part[patches].sum(dtype=np.float64)) for part in (counts.numbers, variance))
    return _together(*(torch.tensor([one], dtype=torch.float64) for one in sums))


def _together(mean: torch.Tensor, variance: torch.Tensor) -> ObjectCount:
    counts = Counts.of_moments(mean.clamp_min(_LEAST), variance)
    return _written(counts.mean, count_interval(counts, LEVEL))[0]


def _written(means: torch.Tensor, intervals: tuple[torch.Tensor, torch.Tensor]) -> list[ObjectCount]:
    rows = zip(means.tolist(), *(end.tolist() for end in intervals), strict=True)
    return [
        ObjectCount(expected=round(mean, DIGITS), low=int(low), high=int(high)) for mean, low, high in rows
    ]


def total_of(batches: Iterable[TileAnswers]) -> ObjectCount:
    """Write the number of objects in the tiles of all batches together, as if tiles were independent."""
    mean, variance = torch.stack([torch.stack([one.mean.sum(), one.variance.sum()]) for one in batches]).sum(
        0
    )
    return _together(mean[None], variance[None])
