"""What a plan is asked to optimise. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

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


Objective = Policy | CostWeight | MaxCost | MaxPatches


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
