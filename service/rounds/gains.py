"""Gain of patches for their price: in a later round, and for the same money in the order before. Pure."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.manifest import CountManifest
from models.tasks import Task
from service.bundles.counting import values_of
from service.imagery.tile_grid import TileGrid
from service.money import Money
from service.planner import plan_purchases
from service.planner.objectives import MaxCost
from service.planner.selection_price import selection_price
from service.plans.arrays import PlanArrays
from service.plans.counts import SceneCounts
from service.plans.objects import DIGITS, expected_labels
from service.plans.rounds import RoundGain
from service.plans.tables import Plan
from service.pricing.billing import PriceTerms
from service.web.money import MoneyOut

LEAST_GAIN = 1e-6
"""Gain below which nothing is gained."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class CountedPlan:
    """A plan of a bundle that counts, with what is needed to value patches for a task."""

    plan: Plan
    arrays: PlanArrays
    counts: SceneCounts
    task: Task
    """The task to value by, perhaps another one than the plan's."""
    manifest: CountManifest

    @classmethod
    def of(cls, plan: Plan, task: Task, manifest: CountManifest) -> Self:
        """Read a plan's row. TypeError for a plan of a bundle that counts nothing."""
        arrays = PlanArrays.of(plan)
        if arrays.counts is None:
            raise TypeError("a plan of a bundle that counts has no counts")
        return cls(plan=plan, arrays=arrays, counts=arrays.counts, task=task, manifest=manifest)

    def utilities(self) -> NDArray[np.float32]:
        """Return the utility (T, 16) of each patch for the task when the plan was made."""
        if self.plan.task == self.task:
            return self.arrays.utilities
        seen = self.counts.seen(self.arrays.taken)
        values = values_of(self.counts.expected, self.task, self.manifest.bins, seen)
        return values * self.arrays.eligible[:, None]


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Expected gain of patches that are bought, and their price."""

    task: Task
    cost: Money
    patches: int
    objects: float
    labels: float
    variance: float

    @classmethod
    def of(cls, known: CountedPlan, selected: Mask, cost: Money) -> Self:
        """Return the gain of patches (T, 16) beside those that a plan reuses, by what the plan expects."""
        counts, taken = known.counts, known.arrays.taken
        with_them, without = (
            expected_labels(counts, known.arrays.eligible, held, known.manifest.bins)
            for held in (taken | selected, taken)
        )
        objects, variance = (
            float(part[selected].sum(dtype=np.float64))
            for part in (counts.expected.mean, counts.expected.variance)
        )
        return cls(
            task=known.task,
            cost=cost,
            patches=int(selected.sum()),
            objects=objects,
            labels=with_them - without,
            variance=variance,
        )

    @property
    def units(self) -> float:
        """The gain in the unit of the task."""
        return {"find": self.objects, "label": self.labels, "count": self.variance}[self.task]

    @property
    def each(self) -> Money | None:
        """The cost of one unit; None if there is no gain."""
        if self.units < LEAST_GAIN:
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


def separate_cost(new: CountedPlan, before: CountedPlan, grid: TileGrid, terms: PriceTerms) -> Money:
    """Return by how much one order of both plans' patches is cheaper than two orders."""
    alone, earlier, together = (
        selection_price(patches, grid.patch_areas_m2(), grid.columns, terms)
        for patches in (
            new.arrays.selected,
            before.arrays.selected,
            new.arrays.selected | before.arrays.selected,
        )
    )
    return max(alone + earlier - together, alone.nothing, key=lambda money: money.minor)


def same_money(new: CountedPlan, before: CountedPlan, grid: TileGrid, terms: PriceTerms) -> Gain:
    """Return what the cost of the new plan would have gained more in the order before.

    That order would have kept its patches and bought the most useful others by what was expected then; they
    are counted by what the new plan knows of them. Prices are those of the new plan, for one order of all.
    """
    areas, first = grid.patch_areas_m2(), before.arrays
    price = selection_price(first.selected, areas, grid.columns, terms)
    utilities = before.utilities()
    kept = np.where(first.selected, utilities + 1 + utilities.sum(), utilities)  # so that none is dropped
    larger = plan_purchases(
        kept.astype(np.float32),
        first.eligible,
        areas,
        terms,
        MaxCost(limit=price + new.plan.cost),
        grid.columns,
        first.taken,
    )
    others = larger.selected & ~first.selected & ~new.arrays.taken
    return Gain.of(new, others, max(larger.bill.amount - price, price.nothing, key=lambda one: one.minor))
