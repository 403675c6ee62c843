"""Why a plan buys what it buys, as a whole and patch by patch, in words. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.money import Money, to_minor
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.pricing.billing import ANY_SHAPE, Bill, Terms

PATCH_REASONS = {
    "wanted": "bought: the objective asks for it",
    "free": "bought: it costs nothing more, because of a minimum, a rule for shapes or the rounding",
    "padding": "not bought, yet paid for: it lies in a shape that has to be ordered",
    "tile-not-eligible": "not bought: its tile has too few valid pixels to be planned",
    "below-threshold": "not bought: its utility is below the threshold",
    "beyond-limit": "not bought: as many patches as allowed are worth more",
    "worthless": "not bought: it has no utility",
    "too-expensive": "not bought: other patches bring more for the money",
}
"""What the reason of a patch means, by its code."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The numbers a reason speaks about."""

    wanted: int
    bought: int
    eligible: int
    bill: Bill
    everything: Bill
    cheapest: Money
    """What the cheapest order, of the best patch alone, would cost."""
    terms: Terms


def explain(outcome: Outcome, objective: Objective) -> str:
    """Say what is bought and why, and which of "nothing" and "everything" was no worse."""
    if not outcome.eligible:
        return "Buys nothing: no tile of the scene has enough valid pixels to be planned."
    if not outcome.bought:
        return f"Buys nothing: {_why_nothing(outcome, objective)}."
    if outcome.bought == outcome.eligible:
        return _whole_scene(outcome, objective)
    return _selection(outcome, objective)


def patch_reasons(
    utilities: NDArray[np.float32],
    eligible: NDArray[np.bool_],
    selected: NDArray[np.bool_],
    filled: NDArray[np.bool_],
    padding: NDArray[np.bool_],
    kind: str,
) -> NDArray[np.str_]:
    """The code (T, 16) of every patch under an objective of this kind; eligible (T,), the others (T, 16)."""
    reasons = [
        (filled, "free"),
        (selected, "wanted"),
        (padding, "padding"),
        (np.broadcast_to(~eligible[:, None], selected.shape), "tile-not-eligible"),
        (np.full(selected.shape, kind in {"policy", "target_accuracy"}), "below-threshold"),
        (utilities == 0, "worthless"),
        (np.full(selected.shape, kind == "max_patches"), "beyond-limit"),
    ]
    conditions, codes = zip(*reasons, strict=True)
    return np.select(conditions, codes, default="too-expensive")


def _why_nothing(outcome: Outcome, objective: Objective) -> str:
    match objective:
        case Policy(threshold=threshold) | TargetAccuracy(threshold=threshold):
            return f"no patch reaches a utility of {threshold:g}"
        case CostWeight(per_unit=weight):
            currency = outcome.cheapest.currency
            return f"at a lambda of {weight:g} per {currency} no order is worth its cost"
        case MaxCost(limit=limit) if limit.minor < outcome.cheapest.minor:
            return f"the cheapest order costs {outcome.cheapest}, more than the {limit} allowed"
        case MaxPatches(patches=0):
            return "no patch is allowed"
        case _:
            return "no patch has any utility"


def _whole_scene(outcome: Outcome, objective: Objective) -> str:
    if outcome.wanted == outcome.eligible:
        return f"Buys the whole scene, {_count(outcome.eligible)}: {_aim(objective)}."
    return (
        f"Buys the whole scene, {_count(outcome.eligible)}: it costs {outcome.bill.amount}, no more than "
        f"the {_count(outcome.wanted)} asked for ({_aim(objective)}){_because(outcome)}."
    )


def _selection(outcome: Outcome, objective: Objective) -> str:
    words = f"Buys {outcome.bought} of {_count(outcome.eligible)}: {_aim(objective)}"
    if free := outcome.bought - outcome.wanted:
        words += f"; {free} of them free{_because(outcome)}"
    if outcome.everything.amount.minor <= outcome.bill.amount.minor:
        words += f"; the whole scene would cost no more ({outcome.everything.amount})"
    return words + "."


def _because(outcome: Outcome) -> str:
    terms, bill = outcome.terms, outcome.bill
    charge, flat = (
        Money(to_minor(one, terms.currency), terms.currency) for one in (terms.minimum_charge, terms.flat)
    )
    if bill.billable_km2 > bill.area_km2:
        by_shape = terms.minimum_applies_to == "shape" or not terms.areas_summed
        what, minimum = "a shape" if by_shape else "an order", f"{terms.minimum_km2.normalize():f} km2"
        return f", because {what} is billed for at least {minimum}"
    if bill.amount == charge:
        return f", because an order costs at least {charge}"
    if charge.minor and not terms.areas_summed:
        return f", because a shape costs at least {charge}"
    if bill.amount == flat:
        return ", because a scene has one price"
    if terms.rules != ANY_SHAPE:
        return ", because only some shapes can be ordered"
    return ", to the smallest unit of money"


def _aim(objective: Objective) -> str:
    match objective:
        case Policy(threshold=threshold):
            return f"utility of at least {threshold:g}"
        case CostWeight(per_unit=weight):
            return f"most utility minus {weight:g} times the bill"
        case MaxCost(limit=limit):
            return f"most utility for at most {limit}"
        case MaxPatches(patches=patches):
            return f"most utility in at most {_count(patches)}"
        case TargetAccuracy(accuracy=accuracy, threshold=threshold, measured=measured):
            return (
                f"utility of at least {threshold:g}, where the bundle reached {100 * measured:.1f} % "
                f"({100 * accuracy:g} % asked for)"
            )


def _count(patches: int) -> str:
    return f"{patches} patch" if patches == 1 else f"{patches} patches"
