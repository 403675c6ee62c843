"""The objectives of a plan. Each class states everything specific to its objective. Pure.

How a set of patches is found for an objective is a `match` in `by_area`, `by_shape` and `proposals`;
`docs/how-to/add-an-objective.md` lists every place.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from service.money import Money, minor_per_major
from service.planner.bounds import Relaxation
from service.planner.objective_rules import WORTHLESS, ObjectiveRules, ThresholdRules, UtilityRules


@dataclass(frozen=True, kw_only=True)
class Policy(ThresholdRules):
    """Buy the patches that the policy network selects: utility at least `threshold` (0.5 in the paper)."""

    kind = "policy"
    threshold: float

    def aim(self) -> str:
        """Name the threshold."""
        return f"utility of at least {self.threshold:g}"

    def to_json(self) -> dict[str, object]:
        """Return the threshold."""
        return {"threshold": self.threshold}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Policy":
        """Read the threshold."""
        return cls(threshold=kept["threshold"])


@dataclass(frozen=True, kw_only=True)
class CostWeight(ObjectiveRules):
    """Maximise the sum of utilities minus `per_unit` (lambda, >= 0) times the bill in major units."""

    kind = "lambda"
    measure = "score"
    unbought = "too-expensive"
    per_unit: float

    def value(self, worth: float, cost: Money) -> float:
        """Return the worth minus lambda times the cost."""
        return worth - self.per_unit * cost.major

    def best_value(self, relaxation: Relaxation, wanted: int) -> float:  # noqa: ARG002  (part of the interface)
        """Return the best score of any number of patches."""
        bills = self.per_unit * relaxation.amounts / minor_per_major(relaxation.currency)
        return float((relaxation.worth - bills).max())

    def aim(self) -> str:
        """Name lambda."""
        return f"most utility minus {self.per_unit:g} times the bill"

    def why_nothing(self, cheapest: Money) -> str:
        """Return that no order is worth its cost."""
        return f"at a lambda of {self.per_unit:g} per {cheapest.currency} no order is worth its cost"

    def to_json(self) -> dict[str, object]:
        """Return lambda."""
        return {"lambda": self.per_unit}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "CostWeight":
        """Read lambda."""
        return cls(per_unit=kept["lambda"])


@dataclass(frozen=True, kw_only=True)
class MaxCost(UtilityRules):
    """Maximise the sum of utilities with a bill of at most `limit`."""

    kind = "max_cost"
    unbought = "too-expensive"
    limit: Money

    @property
    def money(self) -> Money:
        """The limit."""
        return self.limit

    def best_value(self, relaxation: Relaxation, wanted: int) -> float:  # noqa: ARG002  (part of the interface)
        """Return the largest worth of any number of patches that the limit may pay for."""
        return float(relaxation.worth[relaxation.amounts <= self.limit.minor].max())

    def aim(self) -> str:
        """Name the limit."""
        return f"most utility for at most {self.limit}"

    def why_nothing(self, cheapest: Money) -> str:
        """Return that the limit is too low, or that nothing has any utility."""
        if self.limit < cheapest:
            return f"the cheapest order costs {cheapest}, more than the {self.limit} allowed"
        return WORTHLESS

    def to_json(self) -> dict[str, object]:
        """Return the limit as an amount of money."""
        return {"max_cost": {"amount": self.limit.amount, "currency": self.limit.currency}}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "MaxCost":
        """Read the limit."""
        return cls(limit=Money.parse(kept["max_cost"]["amount"], kept["max_cost"]["currency"]))


@dataclass(frozen=True, kw_only=True)
class MaxPatches(UtilityRules):
    """Maximise the sum of utilities in at most `patches` patches."""

    kind = "max_patches"
    unbought = "beyond-limit"
    patches: int

    @property
    def most_patches(self) -> int:
        """The limit."""
        return self.patches

    def best_value(self, relaxation: Relaxation, wanted: int) -> float:  # noqa: ARG002  (part of the interface)
        """Return the worth of the most useful patches up to the limit."""
        return float(relaxation.worth[: self.patches + 1].max())

    def aim(self) -> str:
        """Name the limit."""
        return f"most utility in at most {count_patches(self.patches)}"

    def why_nothing(self, cheapest: Money) -> str:  # noqa: ARG002  (part of the interface)
        """Return that the limit is 0, or that nothing has any utility."""
        return WORTHLESS if self.patches else "no patch is allowed"

    def to_json(self) -> dict[str, object]:
        """Return the limit."""
        return {"max_patches": self.patches}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "MaxPatches":
        """Read the limit."""
        return cls(patches=kept["max_patches"])


@dataclass(frozen=True, kw_only=True)
class TargetAccuracy(ThresholdRules):
    """Buy no more than reached `accuracy` in the bundle's evaluation: utility at least `threshold`."""

    kind = "target_accuracy"
    accuracy: float
    threshold: float
    measured: float
    """The accuracy that the bundle reached at `threshold`, at least `accuracy`."""

    def aim(self) -> str:
        """Name the threshold and both accuracies."""
        return (
            f"utility of at least {self.threshold:g}, where the bundle reached {100 * self.measured:.1f} % "
            f"({100 * self.accuracy:g} % asked for)"
        )

    def to_json(self) -> dict[str, object]:
        """Return the accuracies and the threshold."""
        return {
            "target_accuracy": self.accuracy,
            "threshold": self.threshold,
            "measured_accuracy": self.measured,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "TargetAccuracy":
        """Read the accuracies and the threshold."""
        return cls(
            accuracy=kept["target_accuracy"],
            threshold=kept["threshold"],
            measured=kept["measured_accuracy"],
        )


CertifiedLoss = Literal["labels", "objects"]
LOST: Mapping[CertifiedLoss, str] = {"labels": "labels lost", "objects": "objects missed"}
"""The loss that a guarantee bounds, as a phrase."""


@dataclass(frozen=True, kw_only=True)
class GuaranteedLoss(ThresholdRules):
    """Buy what certifies that the mean of some sites loses at most a share: utility at least `threshold`."""

    kind = "guarantee"
    loss: CertifiedLoss
    requested: float
    """The largest share that the client asked for."""
    at_most: float
    """The share that is certified, at most `requested`."""
    sure: float
    """The probability with which it holds."""
    sites: int
    """The number of sites that it was certified on."""
    threshold: float
    mean_patches: float
    """The mean number of patches of a tile, of 16, that the threshold bought at those sites."""

    def aim(self) -> str:
        """Name the threshold, the certified share, and the requested one where it is another."""
        asked = "" if self.at_most == self.requested else f" ({100 * self.requested:g} % asked for)"
        return (
            f"utility of at least {self.threshold:g}, certified on {self.sites} sites to keep the "
            f"{LOST[self.loss]} of the mean site at {100 * self.at_most:g} % or less{asked}, "
            f"with a probability of {100 * self.sure:g} %"
        )

    def to_json(self) -> dict[str, object]:
        """Return the requested share, and what is certified."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "GuaranteedLoss":
        """Read what `to_json` wrote."""
        return cls(**{name: value for name, value in kept.items() if name != "kind"})


Objective = Policy | CostWeight | MaxCost | MaxPatches | TargetAccuracy | GuaranteedLoss


def objective_to_json(objective: Objective) -> dict[str, object]:
    """Return the objective as the API shows it and the plan stores it."""
    return {"kind": objective.kind, **objective.to_json()}


def objective_from_json(kept: Mapping[str, Any]) -> Objective:
    """Read what `objective_to_json` wrote. ValueError for an unknown kind."""
    classes: tuple[type[Objective], ...] = get_args(Objective)
    for one in classes:
        if one.kind == kept["kind"]:
            return one.from_json(kept)
    raise ValueError(f"no objective is called {kept['kind']!r}")


def count_patches(patches: int) -> str:
    """Return "1 patch" or "2 patches"."""
    return f"{patches} patch" if patches == 1 else f"{patches} patches"
