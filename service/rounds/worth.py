"""What a plan of a later round is expected to bring, and whether that is worth another order. Pure."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from models.manifest import CountManifest, Task
from service.bundles.counting import values_of
from service.bundles.predictor import ExpectedCounts
from service.imagery.tile_grid import TileGrid
from service.money import Money, minor_per_major
from service.planner.selection_price import selection_price
from service.plans.arrays import PlanArrays
from service.plans.counts import SceneCounts
from service.plans.objects import DIGITS, expected_labels, total_of, unread
from service.plans.rounds import PlanRound, RoundGain, RoundRead, RoundRemainder
from service.plans.tables import Plan
from service.pricing.billing import PriceTerms
from service.web.money import MoneyOut

_LEAST_GAIN = 1e-6


@dataclass(frozen=True, kw_only=True)
class TwoRounds:
    """A plan that follows an order, beside the plan of that order."""

    order_id: UUID
    number: int
    """Number of the new round."""
    before: Plan
    new: Plan
    delivered: int
    """Number of owned patches that the order delivered."""
    grid: TileGrid
    manifest: CountManifest
    terms: PriceTerms
    """The prices of the new plan."""
    worth_each: Money | None
    """The most that the client would pay for a unit of the gain; None if it was not said."""


def describe_round(rounds: TwoRounds) -> dict[str, Any]:
    """Return the members of PlanRound, as the new plan's row keeps them."""
    arrays, task = PlanArrays.of(rounds.new), rounds.new.task
    counts = _counts(arrays)
    gains = [_Gain.of(one, task, rounds.manifest.bins) for one in (rounds.new, rounds.before)]
    most = _most_each(rounds)
    worth_it, verdict = _verdict(rounds, gains[0], most)
    described = PlanRound(
        order=rounds.order_id,
        number=rounds.number,
        read=_read(counts, rounds.delivered),
        remainder=_remainder(counts, arrays.eligible[:, None] & ~arrays.taken),
        gain=gains[0].out(),
        gain_before=gains[1].out(),
        separate=MoneyOut.of(_separate(rounds, arrays.selected)),
        most_each=None if most is None else MoneyOut.of(most[0]),
        worth_it=worth_it,
        verdict=verdict,
    )
    return described.model_dump(mode="json")


@dataclass(frozen=True, kw_only=True)
class _Gain:
    """The gain that was expected of a plan when it was made, and its cost."""

    task: Task
    cost: Money
    patches: int
    objects: float
    labels: float
    variance: float

    @classmethod
    def of(cls, plan: Plan, task: Task, bins: tuple[int, ...]) -> "_Gain":
        arrays = PlanArrays.of(plan)
        counts, selected = _counts(arrays), arrays.selected
        with_plan, without = (
            expected_labels(counts, arrays.eligible, bought, bins)
            for bought in (arrays.taken | selected, arrays.taken)
        )
        objects, variance = (
            float(part[selected].sum(dtype=np.float64))
            for part in (counts.expected.mean, counts.expected.variance)
        )
        return cls(
            task=task,
            cost=plan.cost,
            patches=plan.patches_bought,
            objects=objects,
            labels=with_plan - without,
            variance=variance,
        )

    @property
    def units(self) -> float:
        """The gain in the unit of the task."""
        return {"find": self.objects, "label": self.labels, "count": self.variance}[self.task]

    @property
    def each(self) -> Money | None:
        """The cost of one unit; None if there is no gain."""
        if self.units < _LEAST_GAIN:
            return None
        return Money(round(self.cost.minor / self.units), self.cost.currency)

    def out(self) -> RoundGain:
        """Write the gain for JSON."""
        return RoundGain(
            cost=MoneyOut.of(self.cost),
            patches=self.patches,
            objects=round(self.objects, DIGITS),
            correct_labels=round(self.labels, DIGITS),
            variance=round(self.variance, DIGITS),
            each=None if self.each is None else MoneyOut.of(self.each),
        )


def _counts(arrays: PlanArrays) -> SceneCounts:
    if arrays.counts is None:
        raise TypeError("a plan of a bundle that counts has no counts")
    return arrays.counts


def _read(counts: SceneCounts, delivered: int) -> RoundRead:
    read, expected = (
        float(part.mean[counts.read].sum(dtype=np.float64)) for part in (counts.readings, counts.first)
    )
    return RoundRead(
        patches=int(counts.read.sum()),
        of_order=delivered,
        objects=round(read, DIGITS),
        expected=round(expected, DIGITS),
    )


def _remainder(counts: SceneCounts, left: NDArray[np.bool_]) -> RoundRemainder:
    """Describe the patches (T, 16) that are left."""
    none = np.float32(0)
    mean, variance = (np.where(left, part, none) for part in (counts.expected.mean, counts.expected.variance))
    return RoundRemainder(
        patches=int(left.sum()),
        expected_before=round(float(counts.first.mean[left].sum(dtype=np.float64)), DIGITS),
        objects=total_of([unread(ExpectedCounts(mean=mean, variance=variance))]),
    )


def _separate(rounds: TwoRounds, selected: NDArray[np.bool_]) -> Money:
    """Return by how much one order of both plans' patches is cheaper than two orders."""
    areas, columns = rounds.grid.patch_areas_m2(), rounds.grid.columns
    earlier = PlanArrays.of(rounds.before).selected
    alone, before, together = (
        selection_price(patches, areas, columns, rounds.terms)
        for patches in (selected, earlier, selected | earlier)
    )
    return max(alone + before - together, alone.nothing, key=lambda money: money.minor)


def _most_each(rounds: TwoRounds) -> tuple[Money, str] | None:
    """Return the most that a unit of the gain may cost to be worth it, and who says so."""
    currency = rounds.new.currency
    if rounds.worth_each is not None:
        return rounds.worth_each, "that one is worth to you"
    weight = rounds.new.objective.get("lambda")
    if weight:
        allowed = Money(round(minor_per_major(currency) / weight), currency)
        return allowed, f"that a lambda of {weight:g} allows"
    accepted = _accepted(rounds)
    return None if accepted is None else (accepted, "that the order before was ready to pay")


def _accepted(rounds: TwoRounds) -> Money | None:
    """Return the price of a unit in the least useful patch that the order before asked for.

    Such a patch counts with the bundle's threshold at least: a limit such as max_patches may go below it.
    """
    plan, arrays = rounds.before, PlanArrays.of(rounds.before)
    wanted = arrays.selected & ~arrays.filled
    if not wanted.any() or plan.currency != rounds.new.currency or not plan.cost_minor:
        return None
    utilities = arrays.utilities
    if plan.task != rounds.new.task:
        counts = _counts(arrays)
        utilities = values_of(
            counts.expected, rounds.new.task, rounds.manifest.bins, counts.seen(arrays.taken)
        )
    least = max(float(utilities[wanted].min()), rounds.manifest.threshold_for(rounds.new.task))
    if least < _LEAST_GAIN:
        return None
    return Money(round(plan.cost_minor / plan.patches_bought / least), plan.currency)


def _verdict(rounds: TwoRounds, gain: _Gain, most: tuple[Money, str] | None) -> tuple[bool | None, str]:
    """Say whether the gain is worth another order."""
    if not gain.patches:
        return False, f"Not worth another order. {rounds.new.bill['reason']}"
    if gain.each is None:
        return False, f"Not worth another order: {gain.cost} would bring no {_noun(rounds)}."
    price = f"{gain.cost} for {gain.units:.3g} {_noun(rounds)}, {gain.each} for each"
    if most is None:
        return None, f"Worth another order if one is worth {gain.each} to you: {price}."
    limit, source = most
    if gain.each <= limit:
        return True, f"Worth another order: {price}, at most the {limit} {source}."
    return False, (
        f"Not worth another order: {price}, more than the {limit} {source}. "
        f"Order it only if one is worth {gain.each} to you."
    )


def _noun(rounds: TwoRounds) -> str:
    nouns: dict[Task, str] = {
        "find": f"expected {rounds.new.provenance['bundle']['objects']}",
        "label": "expected correct labels",
        "count": "units of variance of the counts",
    }
    return nouns[rounds.new.task]
