"""The decision of a planner, and the sentence that explains it. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner.bounds import Bound
from service.planner.objectives import Objective, count_patches
from service.pricing.areas import to_cm2
from service.pricing.billing import PriceTerms, list_price, tariff_of
from service.pricing.charge_rules import Bill


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The patches to buy of a scene of T tiles, their cost, and the reason."""

    selected: NDArray[np.bool_]
    """(T, 16), patch ids column-major."""
    filled: NDArray[np.bool_]
    """(T, 16): the selected patches that are free, because the bill would be no smaller without them."""
    wanted: int
    """The number of patches that the objective asked for, before the free ones."""
    bill: Bill
    everything: Bill
    """The baseline: every patch of every eligible tile, from the same price list."""
    list_saving: Money
    """Baseline minus bill, both without minimums."""
    billable_saving: Money
    """Baseline minus bill: the amount that is really not paid."""
    bound: Bound
    reason: str


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """The patches to buy of T tiles, before savings and explanation are added."""

    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)
    wanted: int
    bill: Bill
    everything: Bill
    eligible: int  # patches
    cheapest: Money
    """The cost of the cheapest order that buys anything useful."""
    bound: Bound

    @property
    def bought(self) -> int:
        """The number of patches bought, free ones included."""
        return int(np.count_nonzero(self.selected))


def conclude(purchase: Purchase, terms: PriceTerms, objective: Objective) -> Decision:
    """Add savings and an explanation to a purchase."""
    chosen, everything = purchase.bill, purchase.everything
    listed = [list_price(to_cm2(one.area_km2), terms) for one in (everything, chosen)]
    return Decision(
        selected=purchase.selected,
        filled=purchase.filled,
        wanted=purchase.wanted,
        bill=chosen,
        everything=everything,
        list_saving=listed[0] - listed[1],
        billable_saving=everything.amount - chosen.amount,
        bound=purchase.bound,
        reason=_explain(purchase, terms, objective),
    )


def _explain(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    """Say what is bought and why, and whether buying everything would cost no more."""
    if not purchase.eligible:
        return "Buys nothing: no tile of the scene has enough valid pixels to be planned."
    if not purchase.bought:
        return f"Buys nothing: {objective.why_nothing(purchase.cheapest)}."
    if purchase.bought == purchase.eligible:
        return _whole_scene(purchase, terms, objective)
    return _selection(purchase, terms, objective)


def _whole_scene(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    scene = f"Buys the whole scene, {count_patches(purchase.eligible)}"
    if purchase.wanted == purchase.eligible:
        return f"{scene}: {objective.aim()}."
    return (
        f"{scene}: it costs {purchase.bill.amount}, no more than the {count_patches(purchase.wanted)} "
        f"asked for ({objective.aim()}), because {_why_free(purchase, terms)}."
    )


def _selection(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    sentence = f"Buys {purchase.bought} of {count_patches(purchase.eligible)}: {objective.aim()}"
    if free := purchase.bought - purchase.wanted:
        sentence += f"; {free} of them free, because {_why_free(purchase, terms)}"
    if purchase.everything.amount <= purchase.bill.amount:
        sentence += f"; the whole scene would cost no more ({purchase.everything.amount})"
    return sentence + "."


def _why_free(purchase: Purchase, terms: PriceTerms) -> str:
    return tariff_of(terms).explain_free(purchase.bill, terms.rules)
