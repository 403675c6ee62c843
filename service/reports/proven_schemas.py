"""Labels that true labels prove right, as JSON of the savings report."""

from pydantic import Field

from service.reports.proven import ProvenLabels
from service.truth.schemas import ScoreFigures
from service.web.money import MoneyOut


class ProvenLabelsOut(ScoreFigures):
    """Labels that are right where the true label is known. Not the accuracy that the bundle measured."""

    paid: MoneyOut = Field(description="Amount paid on the orders of these tiles, as `net`.")
    right_per_unit: float | None = Field(
        description="Right labels for each unit of the currency paid, such as each dollar. Null if nothing "
        "was paid."
    )

    @classmethod
    def of_proven(cls, proven: ProvenLabels | None) -> "ProvenLabelsOut | None":
        """Write proven labels; None if no true label is known."""
        if proven is None:
            return None
        per_unit = proven.right_per_unit
        return cls(
            **cls.members(proven.score),
            paid=MoneyOut.of(proven.paid),
            right_per_unit=None if per_unit is None else round(per_unit, 6),
        )
