"""Plans of several tiles where the price depends on shapes. Pure numpy.

The best set of shapes is a combinatorial problem, so the planner compares candidates: prefixes of several
rankings, next to buying nothing, buying everything and the plan by area, each priced as it would be ordered.
The best one is taken, and `bounds` limits how much better any plan could be.
"""

import numpy as np

from service.planner.bounds import bound_of
from service.planner.candidates import PricedScene
from service.planner.decision import Decision, Purchase, conclude
from service.planner.objectives import Objective
from service.planner.proposals import proposals


def decide_by_tiles(scene: PricedScene, objective: Objective, *, usual: Decision | None = None) -> Decision:
    """Choose the best candidate; `usual` is the decision if no patch were taken."""
    terms = scene.orders.terms
    bought = scene.eligible & False if usual is None else usual.selected
    best = max(proposals(scene, objective, bought), key=lambda one: one.merit(objective))
    selected, asked = best.selected & ~scene.taken, best.asked & ~scene.taken
    wanted, taken = int(np.count_nonzero(asked)), int(np.count_nonzero(scene.taken))
    reached, spared = objective.value(best.worth, best.layout.amount), bought & scene.taken
    purchase = Purchase(
        selected=selected,
        filled=selected & ~asked,
        arranged=best.arranged,
        wanted=wanted,
        bill=best.layout.bill(terms),
        spared=int(np.count_nonzero(spared)),
        with_spared=scene.layout(best.arranged | spared).bill(terms),
        usual=None if usual is None else usual.bill,
        everything=scene.everything.layout.bill(terms),
        eligible=int(np.count_nonzero(scene.eligible)) - taken,
        taken=taken,
        cheapest=scene.cheapest,
        bound=bound_of(objective.measure, reached, objective.best_value(scene.relaxation, wanted)),
    )
    return conclude(purchase, terms, objective)
