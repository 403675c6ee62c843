"""What a planner decides, and what it says of it. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner.bounds import Bound
from service.planner.objectives import Objective
from service.planner.reasons import Outcome, explain
from service.pricing.billing import Bill, Terms, list_price, to_cm2


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to buy of a scene of T tiles, what it costs, and why. Savings in minor units."""

    selected: NDArray[np.bool_]
    """(T, 16), patch ids column-major."""
    filled: NDArray[np.bool_]
    """(T, 16): the selected patches that came free, because the bill would be no smaller without them."""
    wanted: int
    """How many patches the objective asked for, before the free ones."""
    bill: Bill
    everything: Bill
    """The baseline: every patch of every eligible tile, from the same price list."""
    list_saving: Money
    """Baseline minus bill with minimums ignored: what a provider without any would save you."""
    billable_saving: Money
    """Baseline minus bill: what is really not paid."""
    bound: Bound
    reason: str


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """What is bought of T tiles, before it is put into words."""

    selected: NDArray[np.bool_]  # (T, 16)
    filled: NDArray[np.bool_]  # (T, 16)
    wanted: int
    bill: Bill
    everything: Bill
    eligible: int  # patches
    cheapest_minor: int
    """What the cheapest order of anything would cost."""
    bound: Bound


def conclude(purchase: Purchase, terms: Terms, objective: Objective) -> Decision:
    """Add savings and words to a purchase."""
    chosen, everything = purchase.bill, purchase.everything
    outcome = Outcome(
        wanted=purchase.wanted,
        bought=int(np.count_nonzero(purchase.selected)),
        eligible=purchase.eligible,
        bill=chosen,
        everything=everything,
        cheapest=Money(purchase.cheapest_minor, terms.currency),
        terms=terms,
    )
    listed = [list_price(to_cm2(one.area_km2), terms) for one in (everything, chosen)]
    return Decision(
        selected=purchase.selected,
        filled=purchase.filled,
        wanted=purchase.wanted,
        bill=chosen,
        everything=everything,
        list_saving=Money(listed[0] - listed[1], terms.currency),
        billable_saving=Money(everything.amount.minor - chosen.amount.minor, terms.currency),
        bound=purchase.bound,
        reason=explain(outcome, objective),
    )
