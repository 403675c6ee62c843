"""The product on tiny images: one judge instead of folds, and the LR stream's doubt, as far as the bundle."""

from dataclasses import replace

import pytest
import torch

from models.backbones import build_backbone
from models.bundle import load_bundle
from models.preprocess import normalise
from tests.support.lab import tiny_lab
from training.methods import crossfit
from training.methods.patchdrop import two_stream
from training.paper.compared import product
from training.paper.measure_rows import CURVE_SIZES
from training.paper.networks import Networks
from training.product import choose
from training.product import stages as product_module
from training.product.fit import fit
from training.run import evaluate
from training.run.batches import Batch, batch_of
from training.run.evaluate import policy_logits


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return tiny_lab(tmp_path_factory.mktemp("product"), folds=1)


@pytest.fixture(scope="module")
def fitted(lab):
    """The bundle, shipped with doubt squared, and the images that its fusion exponent was chosen on."""
    asked = []
    choose_exponent = choose.fusion_exponent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "DOUBT_EXPONENTS", (2.0,))
        patch.setattr(
            choose, "fusion_exponent", lambda table: asked.append(table.indices) or choose_exponent(table)
        )
        folder = fit(lab)
    return load_bundle({path.name: path.read_bytes() for path in folder.iterdir()}), asked


@pytest.fixture(scope="module")
def bundle(fitted):
    return fitted[0]


def test_a_sole_judge_is_asked_about_images_it_did_not_learn(lab, fitted):
    assert [indices.tolist() for indices in fitted[1]] == [lab.validation.tolist()]


def test_no_judge_has_learnt_what_it_judges(tmp_path, monkeypatch):
    lab, learnt = tiny_lab(tmp_path, folds=2), {}

    def note(_lab, stage, network, _view, indices, _config):
        learnt[stage] = set(indices.tolist())
        return network.eval()

    monkeypatch.setattr(product_module, "train_classifier", note)
    jury = product_module.train_jury(lab, *(build_backbone("resnet8", 3) for _ in range(2)))
    for number in range(2):
        judged = set(lab.learnt[jury.fold[lab.learnt] == number].tolist())
        assert judged
        for stage in (f"fold{number}", f"fold{number}_lr"):
            assert learnt[stage] == set(lab.learnt.tolist()) - judged


def test_the_hr_stream_goes_on_from_hr_cnn_with_patches_filled(tmp_path, monkeypatch):
    lab, hr = tiny_lab(tmp_path), build_backbone("resnet8", 3)
    chosen, labels = torch.arange(18), torch.zeros(18, dtype=torch.int64)
    sharp, coarse = torch.ones(18, 3, 16, 16), torch.full((18, 3, 4, 4), 5.0)
    batch = Batch(hr=sharp, lr=coarse, labels=labels, chosen=chosen, progress=0.0, symmetry=0)

    def first(_lab, stage, network, view, *_rest):
        raise RuntimeError(stage, network, view(batch))

    monkeypatch.setattr(product_module, "train_classifier", first)
    with pytest.raises(RuntimeError) as seen:
        product_module.train_product(lab, hr, hr)
    stage, network, tiles = seen.value.args
    assert stage == "filled"
    assert torch.equal(network.head.weight, hr.head.weight)
    assert network is not hr
    assert set(tiles.unique().tolist()) == {1.0, 5.0}
    whole = (tiles == 1.0).all(3).all(2).all(1)
    assert 0 < whole.sum() < 18


def test_the_policy_starts_with_the_eyes_of_lr_cnn(tmp_path):
    lr = build_backbone("resnet8", 3)
    policy = product_module.new_value_policy(tiny_lab(tmp_path), "values", lr)
    assert torch.equal(policy.backbone.stem[0].weight, lr.stem[0].weight)


@pytest.mark.parametrize("folds", [1, 2])
def test_judges_mix_their_streams_as_the_product_does(tmp_path, monkeypatch, folds):
    monkeypatch.setattr(choose, "fusion_exponent", lambda _table: 0.35)
    networks = (build_backbone("resnet8", 3).eval().requires_grad_(False) for _ in range(2))
    made = product_module.train_product(tiny_lab(tmp_path, folds=folds), *networks)
    assert len(made.jury.classifiers) == folds
    assert {judge.fusion_exponent for judge in (made.classifier, *made.jury.classifiers)} == {0.35}


def test_of_very_many_images_some_are_asked_about(tmp_path, monkeypatch):
    monkeypatch.setattr(crossfit, "MOST_ASKED", 5)
    few = tiny_lab(tmp_path)
    networks = (build_backbone("resnet8", 3).eval() for _ in range(2))
    jury = crossfit.sole_judge(two_stream(few, *networks), few.images)
    table = crossfit.ask(few, "table", jury, few.learnt)
    assert len(set(table.indices.tolist()) & set(few.learnt.tolist())) == len(table.hr) == 5
    assert torch.equal(table.labels, few.images.labels[table.indices])


def test_each_image_is_asked_about_of_its_own_judge_however_few_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 2 * 16 * 16)
    few = tiny_lab(tmp_path)
    torch.manual_seed(0)
    networks = [build_backbone("resnet8", 3).eval() for _ in range(4)]
    for network in networks:
        torch.nn.init.normal_(network.head.weight)  # else all images are answered nearly alike
    judges = [two_stream(few, *pair) for pair in (networks[:2], networks[2:])]
    jury, asked = crossfit.Jury(judges, torch.arange(24) // 2 % 2), torch.arange(5, 18)
    table = crossfit.ask(few, "table", jury, asked)
    hr, lr, _ = batch_of(few.images, asked, few.run.device)
    batch = Batch(hr=hr, lr=lr, labels=table.labels, chosen=asked, progress=0.0, symmetry=0)
    assert torch.equal(table.indices, asked)
    torch.testing.assert_close(table.lr, jury.coarse(batch), atol=5e-3, rtol=0)
    for k in range(table.masks.shape[1]):
        answers = jury.probabilities(batch, table.masks[:, k], None)
        torch.testing.assert_close(table.hr[:, k], answers, atol=5e-3, rtol=0)
    for answers in (table.lr, table.hr[:, -1]):  # neighbours are answered otherwise
        assert (answers.roll(1, 0) - answers).abs().amax(1).mean() > 0.05


def test_the_exponent_of_doubt_is_shipped_and_told(lab, bundle):
    assert bundle.manifest.uncertainty_exponent == bundle.policy.config.uncertainty_exponent == 2.0
    assert "| label-uncertainty exponent | 2 |" in (lab.run.out / "bundle" / "README.md").read_text()


def test_the_card_measures_what_is_served(lab, bundle):
    """Every point of the curve buys what the bundle's own utilities buy."""
    with torch.inference_mode():
        utilities = bundle.utilities(normalise(lab.test.lr, bundle.manifest.mean, bundle.manifest.std))
    served = [float((utilities >= point.threshold).double().sum(1).mean()) for point in bundle.manifest.curve]
    assert served == pytest.approx([point.mean_patches for point in bundle.manifest.curve])


def test_the_operating_point_is_placed_with_doubt(lab, bundle):
    tiles = lab.images.lr[lab.validation]
    with torch.inference_mode():
        utilities = bundle.utilities(normalise(tiles, bundle.manifest.mean, bundle.manifest.std))
    patches = float((utilities >= bundle.manifest.threshold).double().sum(1).mean())
    assert patches == pytest.approx(lab.recipe.target_patches, abs=0.5)


def test_a_row_tells_what_the_same_policy_does_without_doubt(tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "DOUBT_EXPONENTS", (2.0,))
    lab = tiny_lab(tmp_path, folds=1)
    networks = Networks(lab)
    (row,) = product(networks)
    policy = networks.product.policy
    assert policy.config.uncertainty_exponent == row.facts["doubt_exponent"] == 2.0
    policy.config = replace(policy.config, uncertainty_exponent=0.0)
    placed = policy_logits(policy, lab.images, lab.validation)
    logits = policy_logits(policy, lab.test, torch.arange(len(lab.test.labels)))
    bought = [
        float((logits >= choose.threshold_for(placed, size)).double().sum(1).mean()) for size in CURVE_SIZES
    ]
    assert [patches for patches, _ in row.facts["without_doubt"]["curve"]] == pytest.approx(bought)
