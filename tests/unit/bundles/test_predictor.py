"""The predictor: utilities and labels of arrays, independent of the batch size."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bundle import ClassifyBundle, load_bundle
from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import normalise
from service.bundles.classifying import ClassifyPredictor
from service.bundles.predictor import choose_device
from service.errors import UnavailableError
from tests.support.bundles import HR_SIZE, LR_SIZE, hold, make_bundle

TILES = 5
NOTHING = np.zeros((TILES, 16), np.bool_)


@pytest.fixture(scope="module")
def predictor(bundle_folder: Path) -> ClassifyPredictor:
    return hold(load_bundle({path.name: path.read_bytes() for path in bundle_folder.iterdir()}, "classify"))


def make_tiles(size: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (TILES, 3, size, size), dtype=np.uint8)


def test_utilities_are_probabilities_per_patch(predictor: ClassifyPredictor) -> None:
    utilities = predictor.utilities(make_tiles(LR_SIZE))

    assert utilities.dtype == np.float32
    assert utilities.shape == (TILES, 16)
    assert bool(((utilities > 0) & (utilities < 1)).all())
    assert len(np.unique(utilities.round(6))) > TILES  # tiles and patches differ


def test_utilities_are_deterministic(predictor: ClassifyPredictor) -> None:
    tiles = make_tiles(LR_SIZE)

    assert np.array_equal(predictor.utilities(tiles), predictor.utilities(tiles))


def test_utilities_do_not_depend_on_the_batch(
    predictor: ClassifyPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = make_tiles(LR_SIZE)
    together = predictor.utilities(tiles)
    monkeypatch.setattr(predictor, "batch", 2)

    np.testing.assert_allclose(predictor.utilities(tiles), together, atol=1e-6)


def test_utilities_of_no_tiles_are_empty(predictor: ClassifyPredictor) -> None:
    assert predictor.utilities(make_tiles(LR_SIZE)[:0]).shape == (0, 16)


def test_classify_returns_probabilities_that_sum_to_one(predictor: ClassifyPredictor) -> None:
    both, lr_only = predictor.classify(make_tiles(LR_SIZE), make_tiles(HR_SIZE), ~NOTHING)

    assert both.shape == lr_only.shape == (TILES, 3)
    np.testing.assert_allclose(both.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(lr_only.sum(1), 1, atol=1e-5)


def test_classify_without_patches_equals_the_lr_stream(predictor: ClassifyPredictor) -> None:
    both, lr_only = predictor.classify(make_tiles(LR_SIZE), make_tiles(HR_SIZE), NOTHING)

    np.testing.assert_allclose(both, lr_only, atol=1e-6)


def test_classify_ignores_pixels_that_were_not_bought(predictor: ClassifyPredictor) -> None:
    bought = NOTHING.copy()
    bought[:, 5] = True
    hr = make_tiles(HR_SIZE)
    other = make_tiles(HR_SIZE, seed=1)
    step, row, col = HR_SIZE // 4, 5 % 4, 5 // 4
    there = (..., slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step))
    other[there] = hr[there]

    np.testing.assert_array_equal(
        predictor.classify(make_tiles(LR_SIZE), hr, bought)[0],
        predictor.classify(make_tiles(LR_SIZE), other, bought)[0],
    )


def test_utilities_equal_the_policy_output(predictor: ClassifyPredictor) -> None:
    """Compare with the networks called directly; the stored weights have half precision."""
    bundle = make_bundle()
    tiles, manifest = make_tiles(LR_SIZE), bundle.manifest
    with torch.inference_mode():
        ready = normalise(torch.from_numpy(tiles), manifest.mean, manifest.std)
        expected = torch.sigmoid(bundle.policy(ready)).numpy()

    np.testing.assert_allclose(predictor.utilities(tiles), expected, atol=2e-3)


def test_utilities_fall_with_the_certainty_of_the_lr_label() -> None:
    """Check that the label uncertainty multiplies the odds of each utility."""
    tiles, manifest = make_tiles(LR_SIZE), make_bundle().manifest
    without, weighed = (
        hold(make_bundle(uncertainty_exponent=exponent)).utilities(tiles).astype(float)
        for exponent in (0.0, 1.0)
    )
    with torch.inference_mode():
        ready = normalise(torch.from_numpy(tiles), manifest.mean, manifest.std)
        uncertainty = 1 - make_bundle().classifier.coarse(ready).max(1).values.numpy()

    ratio = weighed / (1 - weighed) / (without / (1 - without))
    np.testing.assert_allclose(ratio, np.repeat(uncertainty[:, None], 16, 1), rtol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        make_tiles(LR_SIZE + 1),
        make_tiles(LR_SIZE).astype(np.float32),
        make_tiles(LR_SIZE)[0],
        make_tiles(LR_SIZE)[:, :1],
    ],
    ids=["size", "type", "no tiles axis", "bands"],
)
def test_utilities_refuse_tiles_of_another_shape(
    predictor: ClassifyPredictor, wrong: NDArray[np.uint8]
) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(T, 3, 8, 8\)"):
        predictor.utilities(wrong)


class Stingy(PolicyNetwork):
    """A policy on a device with memory for only a few tiles."""

    def __init__(self, most: int) -> None:
        super().__init__(PolicyConfig(backbone="resnet8", input_size=LR_SIZE))
        self.most = most
        self.served: list[int] = []

    def forward(self, lr: torch.Tensor, _coarse: torch.Tensor | None = None) -> torch.Tensor:
        if len(lr) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        self.served.append(len(lr))
        return torch.zeros(len(lr), 16)


def predictor_with(policy: Stingy) -> tuple[ClassifyPredictor, Stingy]:
    return hold(replace(make_bundle(), policy=policy)), policy


def test_utilities_halve_the_batch_when_memory_runs_out() -> None:
    predictor, stingy = predictor_with(Stingy(most=1))
    predictor.batch = 4

    utilities = predictor.utilities(make_tiles(LR_SIZE))

    assert stingy.served == [1] * TILES
    assert bool((utilities == 0.5).all())


def test_utilities_are_unavailable_when_one_tile_does_not_fit() -> None:
    predictor, _ = predictor_with(Stingy(most=0))

    with pytest.raises(UnavailableError, match="no memory for one tile"):
        predictor.utilities(make_tiles(LR_SIZE))


def test_judge_gives_utilities_to_eligible_tiles_only(predictor: ClassifyPredictor) -> None:
    tiles, eligible = make_tiles(LR_SIZE), np.array([True, False, True, True, False])

    judged = predictor.judge(tiles, eligible, columns=5)

    wanted = predictor.utilities(tiles) * eligible[:, None]
    assert judged.expected is None
    np.testing.assert_allclose(judged.utilities["label"], wanted, atol=1e-6)


def test_networks_are_built_once_at_first_use() -> None:
    built = []
    bundle = make_bundle()

    def load() -> ClassifyBundle:
        built.append(bundle.sha256)
        return bundle

    predictor = ClassifyPredictor(bundle.manifest, bundle.sha256, torch.device("cpu"), load)
    assert built == []
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predictor.utilities(make_tiles(LR_SIZE)), range(4)))
    assert built == [bundle.sha256]
    assert all(np.array_equal(answers[0], one) for one in answers)


def test_choose_device_names_the_setting_when_cuda_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert (choose_device("auto").type, choose_device("cpu").type) == ("cpu", "cpu")
    with pytest.raises(UnavailableError, match="LOUPE_DEVICE is cuda"):
        choose_device("cuda")


@pytest.mark.parametrize(("chosen", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_importing_service_sets_a_passive_wait_policy_before_torch_is_loaded(
    chosen: str | None, expected: str
) -> None:
    code = "import service, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": chosen} if chosen else {}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [expected, "False"]
