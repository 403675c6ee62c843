"""The ablation changes the one part that its words name; training and scoring are left out here."""

from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from models.backbones import build_backbone
from models.policy import PolicyConfig, PolicyNetwork
from tests.support.training import tiny_run
from training.methods.baselines import FIXED_H
from training.methods.out_of_fold import in_sample_ensemble
from training.methods.patchdrop import mixed_streams
from training.paper import ablation
from training.product import choose
from training.product.choose import Gate, Score
from training.run.batches import Batch, batch_of
from training.run.evaluate import policy_logits

Scored = namedtuple("Scored", "logits predictor prices")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What was scored under which name, and what was trained, in folds = 1."""
    lab = tiny_run(tmp_path_factory.mktemp("ablation"), folds=1, augmentation="none")
    torch.manual_seed(0)
    hr, lr, filled = (build_backbone("resnet8", 3).eval() for _ in range(3))
    for network in (hr, lr, filled):
        torch.nn.init.normal_(network.head.weight)  # else all tiles are answered nearly alike
    policy = PolicyNetwork(
        PolicyConfig(backbone="resnet8", input_size=8, views=8, uncertainty_exponent=1.0)
    ).eval()
    classifier = mixed_streams(filled, lr, 8, fill="lr", exponent=0.35)
    product = SimpleNamespace(
        classifier=classifier,
        policy=policy,
        candidates={"values": policy},
        ensemble=in_sample_ensemble(classifier, lab.splits.images),
    )
    scored, trained, folds, lost = [], {}, [], []

    def score_logits(logits, predictor, _images, _indices, _device, prices=None):
        scored.append(Scored(logits, predictor, prices))
        return Score(accuracy=len(scored) - 1, confidence=0.0)

    def train_classifier(_run, stage, _network, view, _data, _config, *, teacher=None):
        trained[stage] = (view, teacher)

    def train_ensemble(_run, _splits, recipe, *_networks):
        folds.append(recipe.folds)

    def calibrated_gate(confidence, may_lose):
        lost.append(may_lose)
        return Gate(confidence=float(confidence.median()), epsilon=0.02, delta=0.1, tiles=6, closed=0.5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "score_logits", score_logits)
        patch.setattr(choose, "calibrated_gate", calibrated_gate)
        patch.setattr(ablation, "train_classifier", train_classifier)
        patch.setattr(ablation, "train_ensemble", train_ensemble)
        for name in ("answer_table", "train_values", "train_policy"):
            patch.setattr(ablation, name, lambda *_arguments, **_options: None)
        networks = SimpleNamespace(
            run=lab.run, splits=lab.splits, recipe=lab.recipe, data=lab.data, hr=hr, lr=lr, product=product
        )
        measured = ablation.measure_ablation(networks)
    by_name = {
        name: scored[int(score["accuracy"])]
        for name, score in (measured["scores"] | measured["prices"]).items()
    }
    return SimpleNamespace(
        lab=lab, hr=hr, product=product, scored=by_name, trained=trained, folds=folds, lost=lost
    )


def logits(run, **changes):
    policy = run.product.policy
    before, policy.config = policy.config, replace(policy.config, **changes)
    answer = policy_logits(
        policy, run.lab.splits.images, run.lab.splits.validation, run.product.classifier.coarse
    )
    policy.config = before
    return answer


def validation_tiles(run):
    hr, lr, labels = batch_of(run.lab.splits.images, run.lab.splits.validation, run.lab.run.device)
    return Batch(hr=hr, lr=lr, labels=labels, chosen=run.lab.splits.validation, progress=0.0, symmetry=0)


def test_what_is_shipped_is_scored_as_it_is(run):
    shipped = run.scored[ablation.SHIPPED]
    assert shipped.predictor is run.product.classifier
    assert torch.equal(shipped.logits, logits(run))


def test_the_classifiers_variants_keep_the_shipped_choices(run):
    for name in ablation.CLASSIFIERS:
        assert torch.equal(run.scored[name].logits, logits(run)), name


def test_eq_7_has_exponent_one_and_leaves_the_shipped_one(run):
    assert run.scored["fusion weight of eq. 7 (exponent 1)"].predictor.fusion_exponent == 1.0
    assert run.product.classifier.fusion_exponent == 0.35


def test_without_the_lr_stream_the_hr_stream_answers(run):
    tiles = validation_tiles(run)
    selected = torch.arange(16).repeat(len(tiles.hr), 1) < 4
    with torch.no_grad():
        alone = run.product.classifier.hr_logits(tiles.hr, tiles.lr, selected).softmax(1)
        assert torch.equal(run.scored["no LR stream"].predictor(tiles.hr, tiles.lr, selected), alone)


@pytest.mark.parametrize(
    ("name", "stage", "fill", "is_taught"),
    [
        ("zero fill instead of LR fill", "filled_zero", "zero", False),
        ("HR-CNN as the HR stream's teacher", "filled_taught", "lr", True),
    ],
)
def test_another_hr_stream_is_trained_from_hr_cnn(run, name, stage, fill, is_taught):
    view, teacher = run.trained[stage]
    predictor, tiles = run.scored[name].predictor, validation_tiles(run)
    assert (predictor.fill, predictor.fusion_exponent) == (fill, 0.35)
    assert teacher is (run.hr if is_taught else None)
    assert torch.equal(predictor.hr.head.weight, run.hr.head.weight)
    torch.manual_seed(0)
    hidden = view(replace(tiles, hr=torch.full_like(tiles.hr, 7.0), lr=torch.full_like(tiles.lr, 5.0)))
    assert set(hidden.unique().tolist()) == {7.0, 0.0 if fill == "zero" else 5.0}


def test_hr_cnn_as_it_is_reads_lr_filled_tiles(run):
    predictor = run.scored["HR-CNN as it is, LR-filled but not mask-trained"].predictor
    assert (predictor.hr, predictor.fill, predictor.fusion_exponent) == (run.hr, "lr", 0.35)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("one view instead of several symmetries", {"views": 1}),
        ("without the LR stream's doubt", {"uncertainty_exponent": 0.0}),
    ],
)
def test_another_setting_of_the_same_policy(run, name, changes):
    assert torch.equal(run.scored[name].logits, logits(run, **changes))
    assert not torch.equal(run.scored[name].logits, logits(run))


def test_cross_fitting_is_turned_on_where_one_judge_is_shipped(run):
    assert "value regression with cross-fitting" in run.scored
    assert run.folds == [2]


def test_in_fixed_h_order_each_tile_or_every_tile_buys_as_many(run):
    inside = run.scored["as many patches of each tile, but in Fixed-H order"].logits
    assert torch.equal(inside.sort(1).values, logits(run).sort(1).values)
    everywhere = run.scored["Fixed-H order, as many patches of every tile"].logits
    for preference in (inside, everywhere):
        assert (preference.argsort(1, descending=True) == torch.tensor(FIXED_H)).all()
    assert len(everywhere.unique(dim=0)) == 1


def test_the_gate_closes_where_lr_is_sure_and_counts_what_that_loses(run):
    (gated,) = [scored for name, scored in run.scored.items() if name.startswith("calibrated gate")]
    tiles, classifier = validation_tiles(run), run.product.classifier
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


def test_a_saving_is_weighed_against_its_price(run):
    aware, ignored = run.scored["price-aware: saving per dollar"], run.scored["prices ignored"]
    assert torch.equal(aware.prices, ignored.prices)
    assert aware.prices.mean().item() == pytest.approx(1.0)
    assert torch.allclose(aware.logits, ignored.logits - aware.prices.log())
