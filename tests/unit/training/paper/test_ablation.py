"""The ablation changes exactly the part that its name states; training and scoring are replaced here."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from models.backbones import CifarResNet, build_backbone
from models.fixed_orders import FIXED_H
from models.policy import PolicyConfig, PolicyNetwork
from models.two_stream import TwoStreamClassifier
from tests.support.training import TinyRun, tiny_run
from training.methods.out_of_fold import in_sample_ensemble
from training.methods.patchdrop import mixed_streams
from training.paper import ablation
from training.product import choose
from training.product.choose import Gate, Score
from training.run.batches import Batch, batch_of
from training.run.evaluate import policy_logits


@dataclass(frozen=True)
class Scored:
    """A preference, and what it was scored with."""

    logits: torch.Tensor
    predictor: Any
    prices: torch.Tensor | None


@dataclass
class Ablated:
    """A measured ablation: the networks of the product, and what was scored and trained for it.

    Its methods take the place of those that score and train.
    """

    tiny: TinyRun
    hr: CifarResNet
    policy: PolicyNetwork
    classifier: TwoStreamClassifier
    scores: list[Scored] = field(default_factory=list)
    scored: dict[str, Scored] = field(default_factory=dict)
    trained: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    folds: list[int] = field(default_factory=list)
    lost: list[torch.Tensor] = field(default_factory=list)

    def score_logits(self, logits: torch.Tensor, predictor: object, *given: Any) -> Score:
        _images, _indices, _device, *prices = given
        self.scores.append(Scored(logits, predictor, prices[0] if prices else None))
        return Score(accuracy=len(self.scores) - 1, confidence=0.0)

    def train_classifier(self, *given: Any, teacher: object = None) -> None:
        _, stage, _, view, *_ = given
        self.trained[stage] = (view, teacher)

    def train_ensemble(self, *given: Any) -> None:
        self.folds.append(given[2].folds)

    def calibrated_gate(self, confidence: torch.Tensor, may_lose: torch.Tensor) -> Gate:
        self.lost.append(may_lose)
        return Gate(confidence=float(confidence.median()), epsilon=0.02, delta=0.1, tiles=6, closed=0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ablated:
    """Measure the ablation of a product with folds = 1, and record what is scored and trained."""
    tiny = tiny_run(tmp_path_factory.mktemp("ablation"), folds=1, augmentation="none")
    torch.manual_seed(0)
    networks = [build_backbone("resnet8", 3).eval() for _ in range(3)]
    hr, lr, filled = (_spread(network) for network in networks)
    config = PolicyConfig(backbone="resnet8", input_size=8, views=8, uncertainty_exponent=1.0)
    classifier = mixed_streams(filled, lr, 8, fill="lr", exponent=0.35)
    made = Ablated(tiny, hr, PolicyNetwork(config).eval(), classifier)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "score_logits", made.score_logits)
        patch.setattr(choose, "calibrated_gate", made.calibrated_gate)
        patch.setattr(ablation, "train_classifier", made.train_classifier)
        patch.setattr(ablation, "train_ensemble", made.train_ensemble)
        for name in ("answer_table", "train_values", "train_policy"):
            patch.setattr(ablation, name, lambda *_arguments, **_options: None)
        measured = ablation.measure_ablation(_networks(made, lr))
    for name, score in (measured["scores"] | measured["prices"]).items():
        made.scored[name] = made.scores[int(score["accuracy"])]
    return made


def _networks(made: Ablated, lr: nn.Module) -> Any:
    """Return a substitute for Networks that has only what the ablation reads."""
    tiny = made.tiny
    product = SimpleNamespace(
        classifier=made.classifier,
        policy=made.policy,
        candidates={"values": made.policy},
        ensemble=in_sample_ensemble(made.classifier, tiny.splits.images),
    )
    return SimpleNamespace(
        run=tiny.run,
        splits=tiny.splits,
        recipe=tiny.recipe,
        data=tiny.data,
        hr=made.hr,
        lr=lr,
        product=product,
    )


def _spread(network: nn.Module) -> CifarResNet:
    assert isinstance(network, CifarResNet)
    torch.nn.init.normal_(network.head.weight)  # else all tiles get nearly the same answer
    return network


def logits(run: Ablated, **changes: Any) -> torch.Tensor:
    policy = run.policy
    before, policy.config = policy.config, replace(policy.config, **changes)
    answer = policy_logits(policy, run.tiny.splits.images, run.tiny.splits.validation, run.classifier.coarse)
    policy.config = before
    return answer


def validation_tiles(run: Ablated) -> Batch:
    hr, lr, labels = batch_of(run.tiny.splits.images, run.tiny.splits.validation, run.tiny.run.device)
    return Batch(hr=hr, lr=lr, labels=labels, chosen=run.tiny.splits.validation, progress=0.0, symmetry=0)


def test_ablation_scores_the_shipped_product_unchanged(run: Ablated) -> None:
    shipped = run.scored[ablation.SHIPPED]
    assert shipped.predictor is run.classifier
    assert torch.equal(shipped.logits, logits(run))


def test_classifier_variants_keep_the_shipped_choices(run: Ablated) -> None:
    for name in ablation.CLASSIFIERS:
        assert torch.equal(run.scored[name].logits, logits(run)), name


def test_variant_of_eq_7_has_exponent_1_and_leaves_the_shipped_one(run: Ablated) -> None:
    assert run.scored["fusion weight of eq. 7 (exponent 1)"].predictor.fusion_exponent == 1.0
    assert run.classifier.fusion_exponent == 0.35


def test_variant_without_lr_stream_predicts_with_the_hr_stream(run: Ablated) -> None:
    tiles = validation_tiles(run)
    selected = torch.arange(16).repeat(len(tiles.hr), 1) < 4
    with torch.no_grad():
        alone = run.classifier.hr_logits(tiles.hr, tiles.lr, selected).softmax(1)
        assert torch.equal(run.scored["no LR stream"].predictor(tiles.hr, tiles.lr, selected), alone)


@pytest.mark.parametrize(
    ("name", "stage", "fill", "is_taught"),
    [
        ("zero fill instead of LR fill", "filled_zero", "zero", False),
        ("HR-CNN as the HR stream's teacher", "filled_taught", "lr", True),
    ],
)
def test_variant_with_another_hr_stream_starts_from_hr_cnn(
    run: Ablated, name: str, stage: str, fill: str, is_taught: bool
) -> None:
    view, teacher = run.trained[stage]
    predictor, tiles = run.scored[name].predictor, validation_tiles(run)
    assert (predictor.fill, predictor.fusion_exponent) == (fill, 0.35)
    assert teacher is (run.hr if is_taught else None)
    assert torch.equal(predictor.hr.head.weight, run.hr.head.weight)
    torch.manual_seed(0)
    hidden = view(replace(tiles, hr=torch.full_like(tiles.hr, 7.0), lr=torch.full_like(tiles.lr, 5.0)))
    assert set(hidden.unique().tolist()) == {7.0, 0.0 if fill == "zero" else 5.0}


def test_variant_without_mask_training_fills_hr_cnn_with_lr(run: Ablated) -> None:
    predictor = run.scored["HR-CNN with LR fill but without mask training"].predictor
    assert (predictor.hr, predictor.fill, predictor.fusion_exponent) == (run.hr, "lr", 0.35)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("one view instead of several symmetries", {"views": 1}),
        ("without label uncertainty", {"uncertainty_exponent": 0.0}),
    ],
)
def test_policy_variants_change_one_setting(run: Ablated, name: str, changes: dict[str, Any]) -> None:
    assert torch.equal(run.scored[name].logits, logits(run, **changes))
    assert not torch.equal(run.scored[name].logits, logits(run))


def test_ablation_cross_fits_a_product_of_one_fold(run: Ablated) -> None:
    assert "value regression with cross-fitting" in run.scored
    assert run.folds == [2]


def test_fixed_h_variants_keep_the_number_of_patches(run: Ablated) -> None:
    inside = run.scored["the same number of patches of each tile, in Fixed-H order"].logits
    assert torch.equal(inside.sort(1).values, logits(run).sort(1).values)
    everywhere = run.scored["an equal number of patches of every tile, in Fixed-H order"].logits
    for preference in (inside, everywhere):
        assert (preference.argsort(1, descending=True) == torch.tensor(FIXED_H)).all()
    assert torch.equal(everywhere, everywhere[:1].expand_as(everywhere))


def test_gate_closes_on_confident_tiles_and_counts_lost_labels(run: Ablated) -> None:
    (gated,) = [scored for name, scored in run.scored.items() if name.startswith("calibrated gate")]
    tiles, classifier = validation_tiles(run), run.classifier
    nothing = torch.zeros(len(tiles.hr), 16).bool()
    with torch.no_grad():
        coarse, whole = (classifier(tiles.hr, tiles.lr, chosen) for chosen in (nothing, ~nothing))
    sure = coarse.amax(1) >= coarse.amax(1).median()
    assert 0 < sure.sum() < len(sure)
    assert torch.equal(gated.logits[~sure], logits(run, uncertainty_exponent=0.0)[~sure])
    assert (gated.logits[sure] < -1e29).all()
    loses = (coarse.argmax(1) != tiles.labels) & (whole.argmax(1) == tiles.labels)
    assert torch.equal(run.lost[0], loses)
    assert loses.any()


def test_price_aware_variant_weighs_savings_by_price(run: Ablated) -> None:
    aware, ignored = run.scored["price-aware: saving per dollar"], run.scored["prices ignored"]
    assert aware.prices is not None
    assert ignored.prices is not None
    assert torch.equal(aware.prices, ignored.prices)
    assert aware.prices.mean().item() == pytest.approx(1.0)
    assert torch.allclose(aware.logits, ignored.logits - aware.prices.log())
