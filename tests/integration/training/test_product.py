"""The product on tiny images: its ensemble, and the LR stream's uncertainty, all the way to the bundle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.backbones import build_backbone
from models.bundle import ClassifyBundle, load_bundle
from models.preprocess import normalise
from tests.support.training import TinyRun, head, tiny_run
from training.data.images import Images
from training.methods import out_of_fold
from training.methods.classifiers import View
from training.methods.patchdrop import two_stream
from training.paper.compared import product
from training.paper.measure_rows import CURVE_SIZES
from training.paper.networks import Networks
from training.product import choose
from training.product import stages as product_module
from training.product.fit import fit
from training.run import evaluate
from training.run.batches import Batch, TrainingImages, batch_of
from training.run.evaluate import policy_logits

Fitted = tuple[ClassifyBundle, list[Tensor]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    return tiny_run(tmp_path_factory.mktemp("product"), folds=1)


@pytest.fixture(scope="module")
def fitted(tiny: TinyRun) -> Fitted:
    """Return a bundle with squared uncertainty, and the images that its fusion exponent was chosen on."""
    asked: list[Tensor] = []
    choose_exponent = choose.fusion_exponent

    def note(table: out_of_fold.AnswerTable) -> float:
        asked.append(table.indices)
        return choose_exponent(table)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "UNCERTAINTY_EXPONENTS", (2.0,))
        patch.setattr(choose, "fusion_exponent", note)
        folder = fit(*tiny.parts)
    return load_bundle({path.name: path.read_bytes() for path in folder.iterdir()}, "classify"), asked


@pytest.fixture(scope="module")
def bundle(fitted: Fitted) -> ClassifyBundle:
    return fitted[0]


def untrained() -> nn.Module:
    return build_backbone("resnet8", 3).eval().requires_grad_(False)


def lr_pixels(images: Any) -> Tensor:
    assert isinstance(images, Images)
    return images.lr


def test_fusion_exponent_is_chosen_on_images_that_a_single_classifier_did_not_learn(
    tiny: TinyRun, fitted: Fitted
) -> None:
    assert [indices.tolist() for indices in fitted[1]] == [tiny.splits.validation.tolist()]


def test_train_ensemble_trains_no_classifier_on_its_own_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_run(tmp_path, folds=2)
    trained_on: dict[str, set[int]] = {}

    def note(
        _run: Any, stage: str, network: nn.Module, _view: View, data: TrainingImages, _config: Any
    ) -> nn.Module:
        trained_on[stage] = set(data.indices.tolist())
        return network.eval()

    monkeypatch.setattr(product_module, "train_classifier", note)
    ensemble = product_module.train_ensemble(*tiny.parts, untrained(), untrained())
    learnt = tiny.splits.learnt
    for number in range(2):
        labelled = set(learnt[ensemble.fold[learnt] == number].tolist())
        assert labelled
        for stage in (f"fold{number}", f"fold{number}_lr"):
            assert trained_on[stage] == set(learnt.tolist()) - labelled


def test_train_product_continues_hr_cnn_with_patches_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, hr = tiny_run(tmp_path), untrained()
    chosen, labels = torch.arange(18), torch.zeros(18, dtype=torch.int64)
    sharp, coarse = torch.ones(18, 3, 16, 16), torch.full((18, 3, 4, 4), 5.0)
    batch = Batch(hr=sharp, lr=coarse, labels=labels, chosen=chosen, progress=0.0, symmetry=0)

    def first(_run: Any, stage: str, network: nn.Module, view: View, *_rest: Any) -> None:
        raise RuntimeError(stage, network, view(batch))

    monkeypatch.setattr(product_module, "train_classifier", first)
    with pytest.raises(RuntimeError) as seen:
        product_module.train_product(*tiny.parts, hr, hr)
    stage, network, tiles = seen.value.args
    assert stage == "filled"
    assert torch.equal(head(network), head(hr))
    assert network is not hr
    assert set(tiles.unique().tolist()) == {1.0, 5.0}
    whole = (tiles == 1.0).all(3).all(2).all(1)
    assert 0 < whole.sum() < 18


def test_new_value_policy_starts_from_lr_cnn(tmp_path: Path) -> None:
    tiny, lr = tiny_run(tmp_path), untrained()
    policy = product_module.new_value_policy(tiny.run, "values", tiny.recipe, lr)
    first = "stem.0.weight"
    assert torch.equal(policy.backbone.get_parameter(first), lr.get_parameter(first))


@pytest.mark.parametrize("folds", [1, 2])
def test_train_product_fuses_the_ensembles_streams_as_the_products(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: int
) -> None:
    monkeypatch.setattr(choose, "fusion_exponent", lambda _table: 0.35)
    made = product_module.train_product(*tiny_run(tmp_path, folds=folds).parts, untrained(), untrained())
    assert len(made.ensemble.classifiers) == folds
    assert {one.fusion_exponent for one in (made.classifier, *made.ensemble.classifiers)} == {0.35}


def test_answer_table_draws_some_of_very_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_fold, "MOST_QUERIED", 5)
    tiny = tiny_run(tmp_path)
    images, learnt = tiny.splits.images, tiny.splits.learnt
    ensemble = out_of_fold.in_sample_ensemble(two_stream(untrained(), untrained(), 8), images)
    table = out_of_fold.answer_table(tiny.run, "table", ensemble, images, learnt, 4)
    assert len(set(table.indices.tolist()) & set(learnt.tolist())) == len(table.hr) == 5
    assert torch.equal(table.labels, images.labels[table.indices])


def test_answer_table_asks_each_images_own_classifier_at_any_batch_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 2 * 16 * 16)
    tiny = tiny_run(tmp_path)
    torch.manual_seed(0)
    networks = [untrained() for _ in range(4)]
    for network in networks:
        torch.nn.init.normal_(head(network))  # else all images are answered nearly alike
    classifiers = [two_stream(networks[0], networks[1], 8), two_stream(networks[2], networks[3], 8)]
    ensemble, asked = out_of_fold.Ensemble(classifiers, torch.arange(24) // 2 % 2), torch.arange(5, 18)
    table = out_of_fold.answer_table(tiny.run, "table", ensemble, tiny.splits.images, asked, 4)
    hr, lr, _ = batch_of(tiny.splits.images, asked, tiny.run.device)
    batch = Batch(hr=hr, lr=lr, labels=table.labels, chosen=asked, progress=0.0, symmetry=0)
    assert torch.equal(table.indices, asked)
    torch.testing.assert_close(table.lr, ensemble.coarse(batch), atol=5e-3, rtol=0)
    for k in range(table.masks.shape[1]):
        answers = ensemble.probabilities(batch, table.masks[:, k], None)
        torch.testing.assert_close(table.hr[:, k], answers, atol=5e-3, rtol=0)
    for answers in (table.lr, table.hr[:, -1]):  # neighbours are answered otherwise
        assert (answers.roll(1, 0) - answers).abs().amax(1).mean() > 0.05


def test_fit_ships_the_uncertainty_exponent_and_prints_it_on_the_card(
    tiny: TinyRun, bundle: ClassifyBundle
) -> None:
    assert bundle.manifest.uncertainty_exponent == bundle.policy.config.uncertainty_exponent == 2.0
    card = (tiny.run.out / "bundle" / "README.md").read_text()
    assert "| label-uncertainty exponent | 2 |" in card


def test_card_measures_what_is_served(tiny: TinyRun, bundle: ClassifyBundle) -> None:
    """Every point of the curve buys what the bundle's own utilities buy."""
    tiles = lr_pixels(tiny.splits.test)
    with torch.inference_mode():
        utilities = bundle.utilities(normalise(tiles, bundle.manifest.mean, bundle.manifest.std))
    served = [float((utilities >= point.threshold).double().sum(1).mean()) for point in bundle.manifest.curve]
    assert served == pytest.approx([point.mean_patches for point in bundle.manifest.curve])


def test_operating_point_is_placed_with_uncertainty(tiny: TinyRun, bundle: ClassifyBundle) -> None:
    tiles = lr_pixels(tiny.splits.images)[tiny.splits.validation]
    with torch.inference_mode():
        utilities = bundle.utilities(normalise(tiles, bundle.manifest.mean, bundle.manifest.std))
    patches = float((utilities >= bundle.manifest.threshold).double().sum(1).mean())
    assert patches == pytest.approx(tiny.recipe.target_patches, abs=0.5)


def test_product_row_measures_the_same_policy_without_uncertainty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "UNCERTAINTY_EXPONENTS", (2.0,))
    tiny = tiny_run(tmp_path, folds=1)
    splits, networks = tiny.splits, Networks(*tiny.parts)
    (row,) = product(networks)
    policy = networks.product.policy
    assert policy.config.uncertainty_exponent == row.facts["doubt_exponent"] == 2.0
    policy.config = replace(policy.config, uncertainty_exponent=0.0)
    placed = policy_logits(policy, splits.images, splits.validation)
    logits = policy_logits(policy, splits.test, torch.arange(len(splits.test.labels)))
    bought = [
        float((logits >= choose.buying_threshold(placed, size)).double().sum(1).mean())
        for size in CURVE_SIZES
    ]
    assert [patches for patches, _ in row.facts["without_doubt"]["curve"]] == pytest.approx(bought)
