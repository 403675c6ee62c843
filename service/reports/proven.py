"""Labels that true labels prove right, beside what was paid for them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from service.money import Money
from service.reports.figures import OrderFigures
from service.truth.scoring import LabelScore


@dataclass(frozen=True, kw_only=True)
class ProvenLabels:
    """The score of some orders, and what was paid on these."""

    score: LabelScore
    paid: Money

    @property
    def right_per_unit(self) -> float | None:
        """Right labels for each major unit of the currency; None if nothing was paid."""
        return self.score.right / self.paid.major if self.paid.minor > 0 else None


def proven_by(order: OrderFigures) -> ProvenLabels | None:
    """Return the proven labels of an order; None if no true label of it is known."""
    if order.score is None or not order.score.tiles:
        return None
    return ProvenLabels(score=order.score, paid=order.net)


def proven_by_all(orders: Iterable[OrderFigures]) -> ProvenLabels | None:
    """Add up the orders of one currency of which true labels are known, without example prices."""
    found = [one for order in orders if not order.example and (one := proven_by(order)) is not None]
    if not found:
        return None
    return ProvenLabels(
        score=sum((one.score for one in found), start=LabelScore()),
        paid=sum((one.paid for one in found), start=found[0].paid.nothing),
    )
