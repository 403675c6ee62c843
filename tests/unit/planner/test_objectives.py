"""Every objective, at every place that has to know it."""

import json
from typing import get_args

import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from models.manifest import CountManifest, CurvePoint, Guarantee, ValueCurve
from service.cli import app
from service.cli.plan_options import ObjectiveChoice
from service.money import Money
from service.planner import plan_purchases
from service.planner.objective_rules import ObjectiveKind
from service.planner.objectives import (
    CostWeight,
    GuaranteedLoss,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
    objective_from_json,
    objective_to_json,
)
from service.planner.patches import PATCH_REASONS, patch_reasons
from service.plans.objective_options import ObjectiveError, ObjectiveOptions
from service.pricing.billing import PriceTerms
from tests.support.bundles import make_count_manifest
from tests.support.prices import PATCH_M2, terms

# One example of each objective, with the options by which a client asks for it.
EXAMPLES: dict[type[Objective], tuple[Objective, dict[str, object]]] = {
    Policy: (Policy(threshold=0.5), {}),
    CostWeight: (CostWeight(per_unit=0.05), {"lambda": 0.05}),
    MaxCost: (MaxCost(limit=Money(2000, "USD")), {"max_cost": "20.00"}),
    MaxPatches: (MaxPatches(patches=4), {"max_patches": 4}),
    TargetAccuracy: (
        TargetAccuracy(accuracy=0.8, threshold=0.4, measured=0.9),
        {"target_accuracy": 0.8},
    ),
    GuaranteedLoss: (
        GuaranteedLoss(
            loss="labels", requested=0.07, at_most=0.05, sure=0.9, sites=60, threshold=0.3, mean_patches=9.7
        ),
        {"guarantee": "labels:0.07"},
    ),
}
WHY_NOTHING: dict[type[Objective], str] = {  # for a tile without any utility
    Policy: "no patch reaches a utility of 0.5",
    CostWeight: "at a lambda of 0.05 per USD no order is worth its cost",
    MaxCost: "no patch has any utility",
    MaxPatches: "no patch has any utility",
    TargetAccuracy: "no patch reaches a utility of 0.4",
    GuaranteedLoss: "no patch reaches a utility of 0.3",
}
PLANNERS: dict[str, tuple[PriceTerms, int]] = {  # prices, and tiles in the scene
    "by area": (terms(), 2),
    "by shape": (terms(minimum="0.7", scope="shape"), 1),
    "by tiles": (terms(minimum="0.7", scope="shape"), 2),
}
EVERY_OBJECTIVE = pytest.mark.parametrize("objective", [one for one, _ in EXAMPLES.values()], ids=str)


def utilities(tiles: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).random((tiles, 16)).astype(np.float32)


def test_examples_hold_every_objective_and_every_kind() -> None:
    assert tuple(EXAMPLES) == get_args(Objective)
    assert tuple(one.kind for one in EXAMPLES) == get_args(ObjectiveKind)


@EVERY_OBJECTIVE
@pytest.mark.parametrize("planner", PLANNERS)
def test_every_planner_buys_something_for_every_objective(objective: Objective, planner: str) -> None:
    price, tiles = PLANNERS[planner]
    decision = plan_purchases(
        utilities(tiles), np.ones(tiles, dtype=np.bool_), np.full((tiles, 16), PATCH_M2), price, objective
    )
    assert 0 < np.count_nonzero(decision.selected) < 16 * tiles
    assert objective.aim() in decision.reason
    worth = float(utilities(tiles)[decision.selected].astype(np.float64).sum())
    assert decision.bound.measure == objective.measure
    assert decision.bound.reached == pytest.approx(objective.value(worth, decision.bill.amount))


@EVERY_OBJECTIVE
def test_every_objective_explains_an_empty_plan(objective: Objective) -> None:
    nothing = np.zeros((1, 16), dtype=np.float32)
    decision = plan_purchases(
        nothing, np.ones(1, dtype=np.bool_), np.full((1, 16), PATCH_M2), terms(), objective
    )
    assert decision.reason == f"Buys nothing: {WHY_NOTHING[type(objective)]}."


@EVERY_OBJECTIVE
def test_every_objective_explains_patches_that_are_not_bought(objective: Objective) -> None:
    none = np.zeros((1, 16), dtype=np.bool_)
    codes = patch_reasons(utilities(1), np.ones(1, dtype=np.bool_), none, none, none, objective)
    assert set(codes.ravel().tolist()) == {objective.unbought}
    assert objective.unbought in PATCH_REASONS


@EVERY_OBJECTIVE
def test_every_objective_is_read_back_from_json(objective: Objective) -> None:
    kept = json.loads(json.dumps(objective_to_json(objective)))
    assert kept["kind"] == objective.kind
    assert objective_from_json(kept) == objective


def test_objective_from_json_rejects_an_unknown_kind() -> None:
    with pytest.raises(ValueError, match="'cheapest'"):
        objective_from_json({"kind": "cheapest"})


@pytest.fixture
def manifest() -> CountManifest:
    """Return the manifest of a bundle that reached 0.9 at a threshold of 0.4 and certifies a guarantee."""
    point = CurvePoint(threshold=0.4, mean_patches=8, accuracy=0.9, found=0.9, count_error=1)
    return make_count_manifest(
        values={"label": ValueCurve(threshold=0.5, curve=(point,))},
        guarantees=(
            Guarantee(
                loss="labels", at_most=0.05, sure=0.9, sites=60, task="label", threshold=0.3, mean_patches=9.7
            ),
        ),
    )


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=[one.kind for one in EXAMPLES])
def test_clients_can_ask_for_every_objective(
    example: tuple[Objective, dict[str, object]], manifest: CountManifest
) -> None:
    objective, options = example
    for given in (options, options | {"objective": objective.kind}):
        asked = ObjectiveOptions.model_validate(given)
        assert asked.objective_in("USD", manifest, "label") == objective
        assert asked.needs_evaluation == (objective.measure == "cost")  # those with a threshold


@pytest.mark.parametrize("kind", [kind for kind in get_args(ObjectiveKind) if kind != "policy"])
def test_options_need_the_number_of_their_objective(kind: str, manifest: CountManifest) -> None:
    asked = ObjectiveOptions.model_validate({"objective": kind})
    with pytest.raises(ObjectiveError, match=f"{kind} needs a .*Add {kind}="):
        asked.objective_in("USD", manifest, "label")


@pytest.mark.parametrize("command", ["plan", "replan"])
def test_commands_have_an_option_for_every_objective(command: str) -> None:
    assert tuple(choice.value for choice in ObjectiveChoice) == get_args(ObjectiveKind)
    commands = typer.main.get_group(app).commands
    options = {option for parameter in commands[command].params for option in parameter.opts}
    numbers = [kind for kind in get_args(ObjectiveKind) if kind != "policy"]
    assert {f"--{kind.replace('_', '-')}" for kind in numbers} <= options
