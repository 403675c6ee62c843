"""Bundles that count: scenes put back together, windows without seams, and readings of patches."""

import math
from itertools import pairwise
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bundle import CountBundle
from models.grid import PATCHES, patch_slices
from service.bundles import counting
from service.bundles.counting import (
    CountPredictor,
    Seen,
    join_tiles,
    map_of_patches,
    patches_by_tile,
    values_of,
    windows,
)
from service.bundles.predictor import ExpectedCounts
from service.errors import UnavailableError
from tests.support.bundles import make_count_bundle
from tests.support.counting import DISPERSION, BrightnessPolicy, hold_counting, known_bundle

LR, COLUMNS, ROWS = 16, 3, 2
TILES = COLUMNS * ROWS
ALL = np.ones(TILES, np.bool_)


def make_tiles(tiles: int = TILES, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (tiles, 3, LR, LR), dtype=np.uint8)


def expected_of(predictor: CountPredictor, tiles: NDArray[np.uint8], columns: int) -> ExpectedCounts:
    found = predictor.judge(tiles, np.ones(len(tiles), np.bool_), columns).expected
    assert found is not None
    return found


def shown_to(bundle: CountBundle) -> list[tuple[int, ...]]:
    return cast(BrightnessPolicy, bundle.policies[0]).shown


def brightness(pixels: NDArray[np.uint8]) -> float:
    return float((pixels.astype(float).mean() - 127) / 128 + 1)


def test_judge_gives_each_patch_the_counts_of_its_own_pixels() -> None:
    tiles = make_tiles()
    expected = expected_of(hold_counting(known_bundle()), tiles, COLUMNS)
    by_hand = [
        [brightness(tiles[(tile, slice(None), *patch_slices(patch, LR))]) for patch in range(PATCHES)]
        for tile in range(TILES)
    ]
    np.testing.assert_allclose(expected.mean, by_hand, atol=1e-4)
    np.testing.assert_allclose(expected.variance, expected.mean + DISPERSION * expected.mean**2, rtol=1e-5)


def test_joined_tiles_are_the_scene_they_were_cut_from() -> None:
    scene = np.random.default_rng(3).integers(0, 256, (3, ROWS * LR, COLUMNS * LR), dtype=np.uint8)
    rows, columns = np.divmod(np.arange(TILES), COLUMNS)
    tiles = np.stack(
        [scene[:, r * LR : (r + 1) * LR, c * LR : (c + 1) * LR] for r, c in zip(rows, columns, strict=True)]
    )
    assert np.array_equal(join_tiles(tiles, COLUMNS), scene)


def test_judge_values_patches_for_each_task() -> None:
    judged = hold_counting(known_bundle()).judge(make_tiles(), ALL, COLUMNS)
    assert judged.expected is not None
    assert set(judged.utilities) == {"label", "count", "find"}
    assert np.array_equal(judged.utilities["find"], judged.expected.mean)
    np.testing.assert_allclose(judged.utilities["count"], judged.expected.variance, rtol=1e-5)
    label = judged.utilities["label"]
    assert label.dtype == np.float32
    assert bool(((label >= 0) & (label <= 1)).all())
    assert float(label.max()) > 0


def test_values_of_kept_counts_are_those_of_the_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = hold_counting(known_bundle())
    judged = predictor.judge(make_tiles(), ALL, COLUMNS)
    monkeypatch.setattr(counting, "_CHANCES", 4 * 17 * 10)  # four tiles at once
    assert judged.expected is not None
    for task, values in judged.utilities.items():
        np.testing.assert_allclose(values_of(judged.expected, task, (1, 10)), values, atol=1e-7)


def test_judge_shows_tiles_that_are_not_eligible_in_the_mean_colour() -> None:
    """The content of such a tile changes no count of its neighbours, and it gets none itself."""
    eligible = np.array([True, True, False, True, True, True])
    predictor, tiles = hold_counting(known_bundle(reach=9)), make_tiles()
    black, white = tiles.copy(), tiles.copy()
    black[2], white[2] = 0, 255
    one, other = (predictor.judge(some, eligible, COLUMNS) for some in (black, white))
    assert one.expected is not None
    assert other.expected is not None
    assert np.array_equal(one.expected.mean, other.expected.mean)
    for values in (*one.utilities.values(), one.expected.mean, one.expected.variance):
        assert not values[2].any()
        assert values[[0, 1, 3, 4, 5]].any(axis=1).all()
    filled = tiles.copy()
    filled[2] = np.rint(tiles[eligible].mean(axis=(0, 2, 3)))[:, None, None]
    whole = expected_of(predictor, filled, COLUMNS)
    np.testing.assert_allclose(one.expected.mean[eligible], whole.mean[eligible], atol=1e-5)


def test_judge_of_a_scene_without_eligible_tiles_expects_nothing() -> None:
    bundle = known_bundle()
    judged = hold_counting(bundle).judge(make_tiles(), ~ALL, COLUMNS)
    assert judged.expected is not None
    assert not judged.expected.mean.any()
    assert not any(values.any() for values in judged.utilities.values())
    assert shown_to(bundle) == []


@pytest.mark.parametrize("tiles", [1, 7, 8, 9, 16, 17, 61])
def test_windows_answer_for_each_tile_once_and_see_the_tiles_around(tiles: int) -> None:
    found = list(windows(tiles))
    assert [found[0].first, found[-1].last] == [0, tiles]
    assert all(one.last == other.first for one, other in pairwise(found))
    for one in found:
        assert 0 < one.last - one.first <= counting.WINDOW
        assert one.start == max(0, one.first - counting.CONTEXT)
        assert one.stop == min(tiles, one.last + counting.CONTEXT)


def in_windows(
    predictor: CountPredictor, tiles: int, window: int, context: int, monkeypatch: pytest.MonkeyPatch
) -> NDArray[np.float32]:
    """Return the expected counts of a scene of `tiles` x `tiles` tiles."""
    monkeypatch.setattr(counting, "WINDOW", window)
    monkeypatch.setattr(counting, "CONTEXT", context)
    return expected_of(predictor, make_tiles(tiles**2), tiles).mean


def test_seams_do_not_show_when_the_policy_sees_no_further_than_the_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = hold_counting(known_bundle(reach=LR))
    whole = in_windows(predictor, 5, 8, 1, monkeypatch)
    np.testing.assert_allclose(in_windows(predictor, 5, 2, 1, monkeypatch), whole, rtol=1e-6)
    assert not np.allclose(in_windows(predictor, 5, 2, 0, monkeypatch), whole, rtol=1e-3)


def test_context_hides_the_seams_of_the_shipped_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pixel of EfficientNet-Lite0 depends on most pixels of four tiles, but mainly on those of its own."""
    predictor = hold_counting(make_count_bundle(policy_backbone="efficientnet_lite0"))
    whole, bare, framed = (
        in_windows(predictor, 3, window, context, monkeypatch) for window, context in ((8, 0), (2, 0), (2, 1))
    )
    assert np.abs(framed - whole).mean() < np.abs(bare - whole).mean() / 2


def test_judge_shows_a_large_scene_in_windows_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = known_bundle()
    in_windows(hold_counting(bundle), 5, 2, 1, monkeypatch)
    shown = shown_to(bundle)
    assert len(shown) == 9
    assert max(max(shape[2:]) for shape in shown) == 4 * LR


def test_read_counts_patches_whatever_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = hold_counting(known_bundle())
    patches = np.random.default_rng(1).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)
    expected = np.ones(5, np.float32)
    together = predictor.read(patches, expected)
    # The fusion of the bundle adds 0.05 objects to a reading, and changes nothing else.
    np.testing.assert_allclose(together.mean, [brightness(one) + 0.05 for one in patches], atol=1e-5)
    np.testing.assert_allclose(together.variance, together.mean + math.exp(-2) * together.mean**2, rtol=1e-5)
    monkeypatch.setattr(predictor, "batch", 2)
    np.testing.assert_allclose(predictor.read(patches, expected).mean, together.mean, atol=1e-6)
    assert predictor.read(patches[:0], expected[:0]).mean.shape == (0,)


def test_real_networks_answer_with_finite_positive_counts() -> None:
    predictor = hold_counting(make_count_bundle(members=2, views=2))
    expected = expected_of(predictor, make_tiles(), COLUMNS)
    patches = np.random.default_rng(2).integers(0, 256, (3, 3, 16, 16), dtype=np.uint8)
    reading = predictor.read(patches, np.zeros(3, np.float32))
    for counts in (expected, reading):
        assert bool(np.isfinite(counts.mean).all())
        assert bool((counts.variance > 0).all())


def test_judge_and_read_refuse_pixels_of_another_shape() -> None:
    predictor = hold_counting(known_bundle())
    with pytest.raises(ValueError, match=r"expected uint8 \(T, 3, 16, 16\)"):
        predictor.judge(make_tiles()[:, :, 1:], ALL, COLUMNS)
    with pytest.raises(ValueError, match=r"expected uint8 \(N, 3, 16, 16\)"):
        predictor.read(np.zeros((1, 3, 64, 64), np.uint8), np.zeros(1, np.float32))


def test_judge_is_unavailable_when_a_window_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = hold_counting(known_bundle())

    def fail(_bundle: CountBundle, _lr: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(CountBundle, "expect", fail)
    with pytest.raises(UnavailableError, match="no memory for a part of this scene"):
        predictor.judge(make_tiles(), ALL, COLUMNS)


def test_map_of_patches_is_cut_into_the_same_tiles_again() -> None:
    values = np.random.default_rng(4).random((TILES, PATCHES)).astype(np.float32)
    scene = map_of_patches(values, COLUMNS)
    assert scene.shape == (ROWS * 4, COLUMNS * 4)
    assert scene[4 + 2, 8 + 3] == values[COLUMNS + 2, 3 * 4 + 2]  # tile (1, 2), patch in row 2, column 3
    assert np.array_equal(patches_by_tile(scene), values)


def test_values_of_patches_beside_some_that_were_read_are_of_what_is_not_known() -> None:
    """Tile 0 is known to hold 12 tanks, more than the last class needs; tile 1 holds 4."""
    mean = np.full((2, PATCHES), 0.5, np.float32)
    expected = ExpectedCounts(mean=mean, variance=mean * 1.5)
    read, numbers = np.zeros((2, PATCHES), np.bool_), np.full((2, PATCHES), np.nan, np.float32)
    read[:, 3], numbers[:, 3] = True, (12.2, 4.1)
    seen = Seen(read=read, mean=numbers, coming=np.zeros_like(read))
    labels = values_of(expected, "label", (1, 10), seen)
    assert seen.known.tolist() == [12, 4]
    assert labels[0].max() < 1e-9
    assert labels[1].max() > 1e-3
    for task in ("label", "count", "find"):
        values = values_of(expected, task, (1, 10), seen)
        assert (values[read] == 0).all()
    assert np.array_equal(values_of(expected, "find", (1, 10), seen)[~read], mean[~read])
