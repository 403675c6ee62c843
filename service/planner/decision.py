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
    arranged: NDArray[np.bool_]
    """(T, 16): the selected patches, and taken ones that the ordered shapes enclose as padding."""
    wanted: int
    """The number of patches that the objective asked for, before the free ones."""
    bill: Bill
    spared: int
    """The number of taken patches that the objective would buy as well."""
    without_reuse: Bill
    """The bill for the selected patches and for the taken ones that the objective would buy as well."""
    everything: Bill
    """The baseline: every patch of every eligible tile, from the same price list."""
    list_saving: Money
    """Baseline minus bill without reuse, both without minimums."""
    billable_saving: Money
    """Baseline minus bill without reuse: cost, this saving and that of reuse sum to the baseline."""
    bound: Bound
    reason: str

    @property
    def reuse_saving(self) -> Money:
        """The amount that is not paid because patches are owned or on order already."""
        return self.without_reuse.amount - self.bill.amount


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """The patches to buy of T tiles, before savings and explanation are added."""

    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)
    arranged: NDArray[np.bool_]  # (T, 16)
    wanted: int
    bill: Bill
    spared: int
    with_spared: Bill
    """The bill for the same patches and the spared ones: the taken ones that would be bought as well."""
    usual: Bill | None
    """The bill of the plan that would be made if no patch were taken; None if none is."""
    everything: Bill
    eligible: int  # patches that can be bought
    taken: int  # other patches of the eligible tiles
    cheapest: Money
    """The cost of the cheapest order that buys anything useful."""
    bound: Bound

    @property
    def bought(self) -> int:
        """The number of patches bought, free ones included."""
        return int(np.count_nonzero(self.selected))


def conclude(purchase: Purchase, terms: PriceTerms, objective: Objective) -> Decision:
    """Add savings and an explanation to a purchase."""
    everything, without_reuse = purchase.everything, _without_reuse(purchase)
    listed = [list_price(to_cm2(one.area_km2), terms) for one in (everything, without_reuse)]
    return Decision(
        selected=purchase.selected,
        filled=purchase.filled,
        arranged=purchase.arranged,
        wanted=purchase.wanted,
        bill=purchase.bill,
        spared=purchase.spared,
        without_reuse=without_reuse,
        everything=everything,
        list_saving=listed[0] - listed[1],
        billable_saving=everything.amount - without_reuse.amount,
        bound=purchase.bound,
        reason=_explain(purchase, terms, objective),
    )


def _without_reuse(purchase: Purchase) -> Bill:
    """Return the bill without reuse: for the same and the spared patches, or the whole scene if that is less.

    It is no less than the bill with reuse, and no more than that and the bill of the plan without reuse.
    """
    least = purchase.bill
    if purchase.usual is None or purchase.with_spared.amount <= least.amount:
        return least
    together = min(purchase.with_spared, purchase.everything, key=lambda one: one.amount)
    if together.amount <= least.amount + purchase.usual.amount:
        return together
    return max(least, purchase.usual, key=lambda one: one.amount)


def _explain(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    """Say what is bought and why, and whether buying everything would cost no more."""
    if not purchase.eligible:
        return _why_none(purchase)
    if not purchase.bought:
        return f"Buys nothing: {_taken_first(purchase)}{objective.why_nothing(purchase.cheapest)}."
    if purchase.bought == purchase.eligible:
        return _whole_scene(purchase, terms, objective)
    return _selection(purchase, terms, objective)


def _why_none(purchase: Purchase) -> str:
    if purchase.taken:
        return (
            f"Buys nothing: the whole scene, {count_patches(purchase.taken)}, is owned or on order already."
        )
    return "Buys nothing: no tile of the scene has enough valid pixels to be planned."


def _taken(purchase: Purchase) -> str:
    """Say how many patches are owned or on order."""
    verb = "is" if purchase.taken == 1 else "are"
    return f"{count_patches(purchase.taken)} {verb} owned or on order already"


def _taken_first(purchase: Purchase) -> str:
    """Begin a reason that holds for the other patches only; empty if no patch is owned or on order."""
    return f"{_taken(purchase)}; of the others, " if purchase.taken else ""


def _beside_taken(purchase: Purchase) -> str:
    """Return a clause about the patches that are owned or on order; empty if there is none."""
    return f"; {_taken(purchase)}" if purchase.taken else ""


def _whole_scene(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    scene = "the rest of the scene" if purchase.taken else "the whole scene"
    sentence = f"Buys {scene}, {count_patches(purchase.eligible)}"
    if purchase.wanted == purchase.eligible:
        return f"{sentence}: {objective.aim()}{_beside_taken(purchase)}."
    return (
        f"{sentence}: it costs {purchase.bill.amount}, no more than the {count_patches(purchase.wanted)} "
        f"asked for ({objective.aim()}), because {_why_free(purchase, terms)}{_beside_taken(purchase)}."
    )


def _selection(purchase: Purchase, terms: PriceTerms, objective: Objective) -> str:
    total = count_patches(purchase.eligible + purchase.taken)
    sentence = f"Buys {purchase.bought} of {total}: {objective.aim()}"
    if free := purchase.bought - purchase.wanted:
        sentence += f"; {free} of them free, because {_why_free(purchase, terms)}"
    sentence += _beside_taken(purchase)
    if purchase.everything.amount <= purchase.bill.amount:
        sentence += f"; the whole scene would cost no more ({purchase.everything.amount})"
    return sentence + "."


def _why_free(purchase: Purchase, terms: PriceTerms) -> str:
    return tariff_of(terms).explain_free(purchase.bill, terms.rules)
