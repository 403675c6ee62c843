"""The objective that a client chooses for a plan, as options."""

from typing import TypeVar, assert_never, get_args

from pydantic import BaseModel, ConfigDict, Field

from models.manifest import Manifest
from models.tasks import Task
from service.errors import InvalidInputError
from service.money import Money
from service.planner.curve import target_for
from service.planner.objective_rules import ObjectiveKind
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.plans.guarantees import GuaranteeText, certified_for, guaranteed_loss
from service.web.values import AmountText, BodyNumber, BodyWholeNumber

Number = TypeVar("Number", float, int, str)


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
        "buy the patches whose utility reaches the bundle's threshold for the task.",
    )
    cost_weight: BodyNumber | None = Field(
        None,
        alias="lambda",
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="Utility that one unit of money must bring: maximises the sum of utilities minus "
        "lambda times the bill. The plan's `utility_unit` says what utilities are in the task.",
    )
    max_cost: AmountText | None = Field(
        None,
        examples=["50.00"],
        description="Most to spend, in the currency of the price list.",
    )
    max_patches: BodyWholeNumber | None = Field(None, ge=0, le=10**9, description="Most patches to buy.")
    target_accuracy: BodyNumber | None = Field(
        None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Accuracy to reach, 0 to 1, as measured in the bundle's evaluation. Buys no more than "
        "that needed there.",
    )

    guarantee: GuaranteeText | None = Field(
        None,
        examples=["labels:0.05", "objects:0.1"],
        description="Loss and its largest share, as certified by a bundle that counts: `labels:0.05` keeps "
        "the labels lost against buying every patch at 5 % or less, `objects:0.05` the objects missed, both "
        "on average over sites like those of the bundle. GET /v1/bundles lists what is certified; a larger "
        "share uses the nearest certified one below it. The plan's task follows from the guarantee. It "
        "cannot be combined with a limit of money or patches.",
    )

    @property
    def needs_evaluation(self) -> bool:
        """Whether the objective depends on the bundle's evaluation or threshold, not only on utilities."""
        kind = self._kind()
        match kind:
            case "policy" | "target_accuracy" | "guarantee":
                return True
            case "lambda" | "max_cost" | "max_patches":
                return False
            case _:
                assert_never(kind)

    @property
    def asks_guarantee(self) -> bool:
        """Whether the objective is a guarantee, from which the task follows."""
        return self._kind() == "guarantee"

    def task_for(self, manifest: Manifest, wanted: Task | None) -> Task | None:
        """Return the task of the objective's guarantee, or the wanted one for other objectives.

        Errors: objective-unclear where both differ, guarantee-not-certified.
        """
        if not self.asks_guarantee:
            return wanted
        asked = _required("guarantee", self.guarantee)
        task = certified_for(asked, manifest).task
        if wanted not in (None, task):
            raise ObjectiveError(
                f"The guarantee {asked} is certified for plans with the task {task}, but the task {wanted} "
                "was requested. Leave the task out, or choose another objective.",
                guarantee=asked,
                task=wanted,
            )
        return task

    def objective_in(self, currency: str, manifest: Manifest, task: Task) -> Objective:
        """Return the objective for a task of a bundle.

        Errors: objective-unclear, accuracy-unreachable, guarantee-not-certified, invalid-input (too many
        decimals of money).
        """
        kind = self._kind()
        match kind:
            case "policy":
                return Policy(threshold=manifest.threshold_for(task))
            case "lambda":
                return CostWeight(per_unit=_required(kind, self.cost_weight))
            case "max_cost":
                return MaxCost(limit=Money.parse(_required(kind, self.max_cost), currency))
            case "max_patches":
                return MaxPatches(patches=_required(kind, self.max_patches))
            case "target_accuracy":
                return reaching(_required(kind, self.target_accuracy), manifest, task)
            case "guarantee":
                return guaranteed_loss(_required(kind, self.guarantee), manifest)
            case _:
                assert_never(kind)

    def _kind(self) -> ObjectiveKind:
        kinds: tuple[ObjectiveKind, ...] = get_args(ObjectiveKind)
        given = [kind for kind in kinds if self._number(kind) is not None]
        wanted: ObjectiveKind = self.objective or (given[0] if given else "policy")
        if extra := [kind for kind in given if kind != wanted]:
            limited = "guarantee" in (wanted, *extra) and {"max_cost", "max_patches"} & {wanted, *extra}
            why = "A limit could leave out patches that the guarantee needs."
            raise ObjectiveError(
                f"A plan has one objective. Choose between {wanted} and {', '.join(extra)}: both were given."
                + f" {why}" * bool(limited),
                objective=wanted,
                given=given,
            )
        return wanted

    def _number(self, kind: ObjectiveKind) -> object | None:
        """Return the number that the client gave for a kind of objective."""
        match kind:
            case "policy":
                return None
            case "lambda":
                return self.cost_weight
            case "max_cost":
                return self.max_cost
            case "max_patches":
                return self.max_patches
            case "target_accuracy":
                return self.target_accuracy
            case "guarantee":
                return self.guarantee
            case _:
                assert_never(kind)


def _required(kind: ObjectiveKind, number: Number | None) -> Number:
    if number is None:
        missing = (
            "a loss and a share. Add guarantee=labels:0.05"
            if kind == "guarantee"
            else f"a number. Add {kind}=..."
        )
        raise ObjectiveError(f"The objective {kind} needs {missing}", objective=kind)
    return number


def reaching(accuracy: float, manifest: Manifest, task: Task) -> TargetAccuracy:
    """Return the objective that buys what a task needed for an accuracy. Error: accuracy-unreachable."""
    curve = manifest.curve_for(task)
    target = target_for(accuracy, curve)
    if target is None:
        best = max((point.accuracy for point in curve), default=None)
        reached = (
            "was released without an evaluation" if best is None else f"reached {100 * best:.1f} % at best"
        )
        raise AccuracyUnreachableError(
            f"An accuracy of {100 * accuracy:g} % was requested, but the bundle {manifest.name} "
            f"{manifest.version} {reached}.",
            target_accuracy=accuracy,
            best_accuracy=best,
        )
    return target


def for_task(objective: Objective, manifest: Manifest, task: Task) -> Objective:
    """Return an objective with the numbers of another task of the bundle.

    Errors: objective-unclear where its number has the unit of the former task; accuracy-unreachable.
    """
    match objective:
        case Policy():
            return Policy(threshold=manifest.threshold_for(task))
        case TargetAccuracy(accuracy=accuracy):
            return reaching(accuracy, manifest, task)
        case CostWeight(per_unit=per_unit):
            raise ObjectiveError(
                f"The plan's lambda of {per_unit:g} has the unit of its own task. Give a lambda for the task "
                f"{task}, or another objective.",
                task=task,
            )
        case GuaranteedLoss(loss=loss, requested=requested):
            raise ObjectiveError(
                f"The plan's guarantee {loss}:{requested:g} has a task of its own. For the task {task}, give "
                "another objective.",
                task=task,
            )
        case MaxCost() | MaxPatches():
            return objective
        case _:
            assert_never(objective)
