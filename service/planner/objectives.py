"""What a plan is asked to optimise. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.manifest import CurvePoint
from service.money import Money


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Buy the patches the policy network wants: utility at least `threshold` (the paper's greedy 0.5)."""

    threshold: float


@dataclass(frozen=True, kw_only=True)
class CostWeight:
    """Maximise the sum of utilities minus `per_unit` (lambda, >= 0) times the bill in major units."""

    per_unit: float


@dataclass(frozen=True, kw_only=True)
class MaxCost:
    """The most utility whose bill is at most `limit`."""

    limit: Money


@dataclass(frozen=True, kw_only=True)
class MaxPatches:
    """The most utility in at most `patches` patches."""

    patches: int


@dataclass(frozen=True, kw_only=True)
class TargetAccuracy:
    """Buy no more than reached `accuracy` where the bundle was evaluated: utility at least `threshold`."""

    accuracy: float
    threshold: float
    measured: float
    """What the bundle reached at `threshold`, at least `accuracy`."""


Objective = Policy | CostWeight | MaxCost | MaxPatches | TargetAccuracy


def objective_from_json(kept: Mapping[str, Any]) -> Objective:
    """Read what objective_to_json wrote."""
    match kept["kind"]:
        case "policy":
            return Policy(threshold=kept["threshold"])
        case "lambda":
            return CostWeight(per_unit=kept["lambda"])
        case "max_cost":
            return MaxCost(limit=Money.parse(kept["max_cost"]["amount"], kept["max_cost"]["currency"]))
        case "max_patches":
            return MaxPatches(patches=kept["max_patches"])
        case "target_accuracy":
            return TargetAccuracy(
                accuracy=kept["target_accuracy"],
                threshold=kept["threshold"],
                measured=kept["measured_accuracy"],
            )
    raise ValueError(f"no objective is called {kept['kind']!r}")


def threshold_for(accuracy: float, curve: Iterable[CurvePoint]) -> CurvePoint | None:
    """Return the measured point that buys least of those that reach `accuracy`; None if none does."""
    enough = [point for point in curve if point.accuracy >= accuracy]
    return max(enough, key=lambda point: point.threshold, default=None)


def objective_to_json(objective: Objective) -> Mapping[str, object]:
    """The objective as the API shows it and the plan keeps it."""
    match objective:
        case Policy(threshold=threshold):
            return {"kind": "policy", "threshold": threshold}
        case CostWeight(per_unit=weight):
            return {"kind": "lambda", "lambda": weight}
        case MaxCost(limit=limit):
            return {"kind": "max_cost", "max_cost": {"amount": limit.amount, "currency": limit.currency}}
        case MaxPatches(patches=patches):
            return {"kind": "max_patches", "max_patches": patches}
        case TargetAccuracy(accuracy=accuracy, threshold=threshold, measured=measured):
            return {
                "kind": "target_accuracy",
                "target_accuracy": accuracy,
                "threshold": threshold,
                "measured_accuracy": measured,
            }
