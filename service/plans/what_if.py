"""Other limits and other price lists for a planned scene, computed without storing anything. No session.

Nothing is superseded: a choice becomes a plan only by `POST /v1/plans/{plan_id}/replan`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from models.manifest import CountManifest
from service.bundles.card import images_measured
from service.bundles.evaluated import MeasuredRow, measured_row
from service.bundles.predictor import Predictor
from service.money import Money
from service.planner import decider
from service.planner.curve import wilson
from service.planner.decision import Decision
from service.planner.objectives import Objective
from service.plans.alternatives import MOST_LISTS, TOO_MANY, Alternatives, LeftOut
from service.plans.arrays import PlanArrays
from service.plans.curve import ExpectedHere
from service.plans.reading import grid_of
from service.plans.tables import Plan, Scene
from service.pricing.repository import terms_of
from service.pricing.tables import PriceList
from service.stopping import checkpoint

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Cost and benefit of some patches of a scene."""

    utility: float
    """Sum of the utilities of the bought patches."""
    measured: MeasuredRow | None
    """Row of the bundle's evaluation with as many patches per tile; None if it has no such row."""
    interval: tuple[float, float] | None
    """95 % interval of the measured accuracy, 0 to 1; None if the bundle states none."""
    expected: ExpectedHere | None
    """Objects and labels expected in this scene; None for a bundle that counts nothing."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The patches that an objective buys from a price list, and what they cost and bring."""

    decision: Decision
    outcome: Outcome

    @property
    def cost(self) -> Money:
        """Bill for the patches."""
        return self.decision.bill.amount

    @property
    def patches(self) -> int:
        """Number of bought patches."""
        return int(np.count_nonzero(self.decision.selected))


@dataclass(frozen=True, kw_only=True)
class ListOffer:
    """A price list: its bill for the patches of another choice, and its own best choice."""

    price_list: PriceList
    same: Money
    """Bill for exactly the patches of the choice."""
    best: Choice | None
    """Choice of the objective at this list's prices; None if the objective is money in another currency."""


@dataclass(frozen=True, kw_only=True)
class Offers:
    """The price lists that are compared, those in the plan's currency and the cheapest first, and others."""

    lists: tuple[ListOffer, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class WhatIf:
    """A planned scene with another objective."""

    plan: Plan
    scene: Scene
    price_list: PriceList
    """The price list of the choice."""
    objective: Objective
    predictor: Predictor | None
    """The plan's bundle; None if the server no longer holds it."""

    @cached_property
    def choice(self) -> Choice:
        """The objective's choice at the prices of the price list."""
        return self._choose(self.price_list)

    def offers(self, lists: Sequence[PriceList]) -> Offers:
        """Compare price lists, newest first; the one of the choice is among them."""
        fair = Alternatives(
            plan=self.plan,
            scene=self.scene,
            terms=terms_of(self.price_list),
            bought=self.choice.decision.selected,
            money=self.choice.cost,
            predictor=self.predictor,
        )
        refused = {one.id: reason for one in lists if (reason := fair.no_bill(one)) is not None}
        fitting = [one for one in lists if one.id not in refused]
        offers = [self._offer(one, fair.bill(one).bought) for one in fitting[:MOST_LISTS]]
        reasons = refused | {one.id: TOO_MANY for one in fitting[MOST_LISTS:]}
        return Offers(
            lists=tuple(sorted(offers, key=self._by_cost)),
            left_out=tuple(
                LeftOut(f"The price list {one.name} version {one.version}", reasons[one.id])
                for one in lists
                if one.id in reasons
            ),
        )

    def _by_cost(self, offer: ListOffer) -> tuple[bool, str, int]:
        own = self.price_list.currency
        return offer.same.currency != own, offer.same.currency, offer.same.minor

    def _offer(self, price_list: PriceList, same: Money) -> ListOffer:
        limit = self.objective.money
        comparable = limit is None or limit.currency == price_list.currency
        if price_list.id == self.price_list.id:
            best: Choice | None = self.choice
        else:
            best = self._choose(price_list) if comparable else None
        return ListOffer(price_list=price_list, same=same, best=best)

    def _choose(self, price_list: PriceList) -> Choice:
        arrays, grid = self._arrays, grid_of(self.scene)
        decide = decider(
            arrays.utilities,
            arrays.eligible,
            grid.patch_areas_m2(),
            terms_of(price_list),
            grid.columns,
            arrays.taken,
            checkpoint,
        )
        decision = decide(self.objective)
        return Choice(decision=decision, outcome=self.outcome(decision.selected))

    def outcome(self, selected: Mask) -> Outcome:
        """Return what bought patches (T, 16) bring, with those that are owned or on order."""
        measured = self._measured(selected)
        return Outcome(
            utility=float(self._arrays.utilities[selected].sum(dtype=np.float64)),
            measured=measured,
            interval=None if measured is None else self._interval(measured),
            expected=self._expected(selected),
        )

    def _measured(self, selected: Mask) -> MeasuredRow | None:
        if self.predictor is None:
            return None
        tiles = max(int(np.count_nonzero(self._arrays.eligible)), 1)
        per_tile = np.count_nonzero(selected | self._arrays.taken) / tiles
        return measured_row(self.predictor.manifest, self.plan.task, "plan", min(per_tile, PATCHES))

    def _interval(self, row: MeasuredRow) -> tuple[float, float] | None:
        images = None if self.predictor is None else images_measured(self.predictor.manifest)
        if row.interval is not None or images is None:
            return row.interval
        return wilson(row.accuracy, images)

    def _expected(self, selected: Mask) -> ExpectedHere | None:
        counts, predictor = self._arrays.counts, self.predictor
        if counts is None or predictor is None or not isinstance(predictor.manifest, CountManifest):
            return None
        return ExpectedHere.of(self._arrays, counts, selected, predictor.manifest.bins)

    @cached_property
    def _arrays(self) -> PlanArrays:
        return PlanArrays.of(self.plan)
