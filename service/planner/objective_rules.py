"""The properties that each objective of a plan has to state, and those that some share. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from service.money import Money
from service.planner.bounds import Measure, Relaxation

ObjectiveKind = Literal["policy", "lambda", "max_cost", "max_patches", "target_accuracy", "guarantee"]
"""The names of the objectives in the API. Every class of `objectives` has one."""

WORTHLESS = "no patch has any utility"
"""The reason why a limit buys nothing although it would pay for something."""

PatchReason = Literal["below-threshold", "beyond-limit", "too-expensive"]


class ObjectiveRules(ABC):
    """Everything that an objective has to state."""

    kind: ClassVar[ObjectiveKind]
    measure: ClassVar[Measure]
    """The measure that the plan's `bound` compares."""
    unbought: ClassVar[PatchReason]
    """Why a useful patch is not bought."""

    @property
    def most_patches(self) -> int | None:
        """The most patches that may be bought, patches without extra cost included; None: no limit."""
        return None

    @property
    def money(self) -> Money | None:
        """The amount in the objective, which must be in the price list's currency; None: there is none."""
        return None

    def unbought_reasons(self, utilities: NDArray[np.float32]) -> NDArray[np.str_]:
        """Return the code of the reason why each patch (any shape) would not be bought."""
        return np.where(utilities == 0, "worthless", self.unbought)

    @abstractmethod
    def value(self, worth: float, cost: Money) -> float:
        """Return how good a purchase of this total utility and cost is, in terms of `measure`."""

    @abstractmethod
    def best_value(self, relaxation: Relaxation, wanted: int) -> float:
        """Return a bound on the value of every plan; `wanted` patches are required by a threshold."""

    @abstractmethod
    def aim(self) -> str:
        """Return what the plan does, for the sentence that explains it."""

    @abstractmethod
    def why_nothing(self, cheapest: Money) -> str:
        """Return why nothing is bought although tiles are eligible; `cheapest` is the cheapest order."""

    @abstractmethod
    def to_json(self) -> dict[str, object]:
        """Return the objective as the API shows it and the plan stores it, without its kind."""

    @classmethod
    @abstractmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""


class ThresholdRules(ObjectiveRules):
    """The rules of objectives that require every patch whose utility reaches a threshold."""

    measure = "cost"
    unbought = "below-threshold"
    threshold: float

    def unbought_reasons(self, utilities: NDArray[np.float32]) -> NDArray[np.str_]:
        """Return `below-threshold` for every patch, also for those without utility."""
        return np.full(utilities.shape, self.unbought)

    def value(self, worth: float, cost: Money) -> float:  # noqa: ARG002  (part of the interface)
        """Return the cost; the worth is given by the threshold."""
        return cost.major

    def best_value(self, relaxation: Relaxation, wanted: int) -> float:
        """Return the least cost of the required patches."""
        return Money(int(relaxation.amounts[wanted]), relaxation.currency).major

    def why_nothing(self, cheapest: Money) -> str:  # noqa: ARG002  (part of the interface)
        """Return that no patch reaches the threshold."""
        return f"no patch reaches a utility of {self.threshold:g}"


class UtilityRules(ObjectiveRules):
    """The rules of objectives that look for the most utility within a limit."""

    measure = "utility"

    def value(self, worth: float, cost: Money) -> float:  # noqa: ARG002  (part of the interface)
        """Return the worth."""
        return worth
