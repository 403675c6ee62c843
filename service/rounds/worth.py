"""Expected gain of a plan of a later round, and whether it is worth another order. Pure."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from models.grid import PATCHES
from models.manifest import CountManifest
from models.tasks import Task
from service.bundles.predictor import ExpectedCounts
from service.imagery.tile_grid import TileGrid
from service.money import Money, minor_per_major
from service.plans.objects import DIGITS, total_of, unread
from service.plans.rounds import PlanRound, RoundRead, RoundRemainder
from service.plans.tables import Plan
from service.pricing.billing import PriceTerms
from service.rounds.gains import LEAST_GAIN, CountedPlan, Gain, Mask, same_money, separate_cost
from service.web.money import MoneyOut


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


@dataclass(frozen=True, kw_only=True)
class MostEach:
    """The most that a unit of the gain may cost to be worth it."""

    price: Money
    source: str
    """Who says so, as the end of a sentence."""


def describe_round(rounds: TwoRounds) -> dict[str, Any]:
    """Return the members of PlanRound, as the new plan's row keeps them."""
    new, before = (
        CountedPlan.of(plan, rounds.new.task, rounds.manifest) for plan in (rounds.new, rounds.before)
    )
    gain, gain_before = (Gain.of(one, one.arrays.selected, one.plan.cost) for one in (new, before))
    most = _most_each(rounds, before, gain_before)
    same = same_money(new, before, rounds.grid, rounds.terms) if gain.patches else None
    worth_it, verdict = judge_round(gain, most, same, _noun(rounds.new), rounds.new.bill["reason"])
    described = PlanRound(
        order=rounds.order_id,
        number=rounds.number,
        read=_read(new, rounds.delivered),
        remainder=_remainder(new, new.arrays.eligible[:, None] & ~new.arrays.taken),
        gain=gain.out(),
        gain_before=gain_before.out(),
        same_money=None if same is None else same.out(),
        separate=MoneyOut.of(separate_cost(new, before, rounds.grid, rounds.terms)),
        worth_each=None if rounds.worth_each is None else MoneyOut.of(rounds.worth_each),
        most_each=None if most is None else MoneyOut.of(most.price),
        worth_it=worth_it,
        verdict=verdict,
    )
    return described.model_dump(mode="json")


def judge_round(
    gain: Gain, most: MostEach | None, same: Gain | None, noun: str, decision: str
) -> tuple[bool | None, str]:
    """Say whether a gain is worth another order, None if nobody says what a unit is worth, and why.

    `same` is what the money would have gained in the order before, `noun` names the units of the gain, and
    `decision` is the plan's own sentence.
    """
    if not gain.patches:
        return False, f"Not worth another order. {decision}"
    if gain.each is None:
        return False, f"Not worth another order: {gain.cost} would bring no {noun}."
    price = f"{gain.cost} for {gain.units:.3g} {noun}, {gain.each} for each"
    beside = (
        "" if same is None else f" The same money would have gained {same.units:.3g} in the order before."
    )
    if most is None:
        return None, f"Worth another order if one is worth {gain.each} to you: {price}.{beside}"
    if gain.each <= most.price:
        return True, f"Worth another order: {price}, at most the {most.price} {most.source}.{beside}"
    return False, (
        f"Not worth another order: {price}, more than the {most.price} {most.source}.{beside} "
        f"Order it only if one is worth {gain.each} to you."
    )


def _read(new: CountedPlan, delivered: int) -> RoundRead:
    counts = new.counts
    read, expected = (
        float(part.mean[counts.read].sum(dtype=np.float64)) for part in (counts.readings, counts.first)
    )
    return RoundRead(
        patches=int(counts.read.sum()),
        of_order=delivered,
        objects=round(read, DIGITS),
        expected=round(expected, DIGITS),
    )


def _remainder(new: CountedPlan, left: Mask) -> RoundRemainder:
    """Describe the patches (T, 16) that are left."""
    none, counts = np.float32(0), new.counts
    mean, variance = (np.where(left, part, none) for part in (counts.expected.mean, counts.expected.variance))
    return RoundRemainder(
        patches=int(left.sum()),
        expected_before=round(float(counts.first.mean[left].sum(dtype=np.float64)), DIGITS),
        objects=total_of([unread(ExpectedCounts(mean=mean, variance=variance))]),
    )


def _most_each(rounds: TwoRounds, before: CountedPlan, gain_before: Gain) -> MostEach | None:
    """Return the most that a unit of the gain may cost, None if nothing says so."""
    if rounds.worth_each is not None:
        return MostEach(price=rounds.worth_each, source="that one is worth to you")
    currency, weight = rounds.new.currency, rounds.new.objective.get("lambda")
    if weight:
        allowed = Money(round(minor_per_major(currency) / weight), currency)
        return MostEach(price=allowed, source=f"that a lambda of {weight:g} allows")
    if before.plan.currency != currency or not before.plan.cost_minor:
        return None
    accepted = [one for one in (gain_before.each, _at_margin(before)) if one is not None]
    if not accepted:
        return None
    most = max(accepted, key=lambda money: money.minor)
    return MostEach(price=most, source="that the order before was ready to pay")


def _at_margin(before: CountedPlan) -> Money | None:
    """Return the price of a unit in the least useful patch that the order before asked for.

    A limit such as max_patches may end long before patches stop being useful, so such a patch counts with the
    bundle's threshold at most. Its price is that of a patch when everything is bought: a minimum that few
    patches share says nothing about one of them.
    """
    wanted = before.arrays.selected & ~before.arrays.filled
    utilities = [before.manifest.threshold_for(before.task), *before.utilities()[wanted].tolist()]
    useful = [one for one in utilities if one >= LEAST_GAIN]
    if not useful or not wanted.any():
        return None
    patches = PATCHES * int(before.arrays.eligible.sum())
    return Money(round(before.plan.baseline_minor / patches / min(useful)), before.plan.currency)


def _noun(plan: Plan) -> str:
    nouns: dict[Task, str] = {
        "find": f"expected {plan.provenance['bundle']['objects']}",
        "label": "expected correct labels",
        "count": "units of variance of the counts",
    }
    return nouns[plan.task]
