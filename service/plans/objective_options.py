"""The objective that a client chooses for a plan, as options."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Manifest
from service.errors import InvalidInputError
from service.money import Money
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
    threshold_for,
)

ObjectiveKind = Literal["policy", "lambda", "max_cost", "max_patches", "target_accuracy"]


class ObjectiveError(InvalidInputError):
    """The objective and its number do not fit together."""

    code = "objective-unclear"
    title = "The objective is unclear"


class AccuracyUnreachableError(InvalidInputError):
    """The bundle did not reach the requested accuracy in its evaluation."""

    code = "accuracy-unreachable"
    title = "The bundle does not reach this accuracy"


class ObjectiveOptions(BaseModel):
    """An objective and its number."""

    model_config = ConfigDict(extra="forbid")

    objective: ObjectiveKind | None = Field(
        None,
        description="Objective to optimise. By default the one whose number is given, otherwise `policy`: "
        "buy the patches whose utility reaches the bundle's threshold.",
    )
    cost_weight: float | None = Field(
        None,
        alias="lambda",
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="Utility that one unit of money must bring: maximises the sum of utilities minus "
        "lambda times the bill.",
    )
    max_cost: str | None = Field(
        None,
        pattern=r"^\d{1,12}(\.\d{1,3})?$",
        examples=["50.00"],
        description="Most to spend, in the currency of the price list.",
    )
    max_patches: int | None = Field(None, ge=0, le=10**9, description="Most patches to buy.")
    target_accuracy: float | None = Field(
        None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Accuracy to reach, 0 to 1, as measured in the bundle's evaluation. Buys no more than "
        "that needed there.",
    )

    @property
    def needs_evaluation(self) -> bool:
        """Whether the objective depends on the bundle's evaluation or threshold, not only on utilities."""
        return self._kind() in {"policy", "target_accuracy"}

    def objective_in(self, currency: str, manifest: Manifest) -> Objective:
        """Return the objective for a bundle.

        Errors: objective-unclear, accuracy-unreachable, invalid-input (too many decimals of money).
        """
        wanted = self._kind()
        if wanted == "policy":
            return Policy(threshold=manifest.threshold)
        if self.cost_weight is not None:
            return CostWeight(per_unit=self.cost_weight)
        if self.max_cost is not None:
            return MaxCost(limit=Money.parse(self.max_cost, currency))
        if self.max_patches is not None:
            return MaxPatches(patches=self.max_patches)
        if self.target_accuracy is not None:
            return _reaching(self.target_accuracy, manifest)
        raise ObjectiveError(f"The objective {wanted} needs a number. Add {wanted}=...", objective=wanted)

    def _kind(self) -> ObjectiveKind:
        numbers: dict[ObjectiveKind, object] = {
            "lambda": self.cost_weight,
            "max_cost": self.max_cost,
            "max_patches": self.max_patches,
            "target_accuracy": self.target_accuracy,
        }
        given = [kind for kind, number in numbers.items() if number is not None]
        wanted: ObjectiveKind = self.objective or (given[0] if given else "policy")
        if extra := [kind for kind in given if kind != wanted]:
            raise ObjectiveError(
                f"A plan has one objective. Choose between {wanted} and {', '.join(extra)}: both were given.",
                objective=wanted,
                given=given,
            )
        return wanted


def _reaching(accuracy: float, manifest: Manifest) -> TargetAccuracy:
    point = threshold_for(accuracy, manifest.curve)
    if point is None:
        best = max((point.accuracy for point in manifest.curve), default=None)
        reached = (
            "was released without an evaluation" if best is None else f"reached {100 * best:.1f} % at best"
        )
        raise AccuracyUnreachableError(
            f"An accuracy of {100 * accuracy:g} % was requested, but the bundle {manifest.name} "
            f"{manifest.version} {reached}.",
            target_accuracy=accuracy,
            best_accuracy=best,
        )
    return TargetAccuracy(accuracy=accuracy, threshold=point.threshold, measured=point.accuracy)
