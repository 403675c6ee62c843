"""The registration of patches of many low-resolution pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.imagery.likeness import compare_with_scene, judge
from service.imagery.placement import PlacedPatch
from service.imagery.registration import register
from tests.support.photographs import make_photograph

PATCH = 9  # row 1, column 2 of the tile
SIDE = 128  # pixels of a patch


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    """One tile (3, 512, 512), whose patches have 16 x 16 LR pixels of 8 x 8 pixels."""
    return make_photograph(seed=7, side=512)


def tile_of(photograph: NDArray[np.uint8], gain: float = 1, noise: float = 0) -> NDArray[np.uint8]:
    lr = photograph.reshape(3, 64, 8, 64, 8).mean(axis=(2, 4)) * gain
    lr = lr + np.random.default_rng(1).normal(0, noise, lr.shape)
    return np.asarray(lr.round().clip(0, 255), np.uint8)


def patch_of(photograph: NDArray[np.uint8], down: int = 0, right: int = 0) -> NDArray[np.uint8]:
    top, left = SIDE + down, 2 * SIDE + right
    return photograph[:, top : top + SIDE, left : left + SIDE]


def codes(pixels: NDArray[np.uint8], tile: NDArray[np.uint8]) -> list[str]:
    placed = PlacedPatch(
        tile=0,
        patch=PATCH,
        pixels=pixels,
        own=np.ones(pixels.shape[1:], np.bool_),
        covered=1.0,
        repeated_px=0.0,
    )
    return [doubt.code for doubt in judge(compare_with_scene(placed, tile))]


def test_register_finds_a_shift_in_a_darker_and_noisy_scene(photograph: NDArray[np.uint8]) -> None:
    found = register(patch_of(photograph, down=24, right=-16), tile_of(photograph, 0.7, 3), PATCH)

    assert (found.right, found.down) == pytest.approx((-2, 3), abs=0.2)
    assert found.best > 0.9


@pytest.mark.parametrize(("down", "right"), [(0, 0), (8, 0), (-8, 8)])
def test_judge_takes_a_shift_of_one_lr_pixel_from_another_sensor(
    down: int, right: int, photograph: NDArray[np.uint8]
) -> None:
    assert codes(patch_of(photograph, down, right), tile_of(photograph, 0.7, 3)) == []


@pytest.mark.parametrize(("down", "right"), [(24, 0), (0, -17), (0, SIDE)])
def test_judge_doubts_a_displaced_patch_from_another_sensor(
    down: int, right: int, photograph: NDArray[np.uint8]
) -> None:
    assert codes(patch_of(photograph, down, right), tile_of(photograph, 0.7, 3)) == ["patch-displaced"]


def test_judge_doubts_a_patch_of_other_ground(photograph: NDArray[np.uint8]) -> None:
    (code,) = codes(patch_of(make_photograph(seed=8, side=512)), tile_of(photograph))

    assert code in {"patch-unlike-scene", "patch-displaced", "patch-bands-swapped"}


def test_judge_says_nothing_about_the_place_of_flat_ground() -> None:
    generator = np.random.default_rng(2)
    tile = generator.normal(90, 1, (3, 64, 64)).round().astype(np.uint8)

    assert codes(generator.normal(90, 3, (3, SIDE, SIDE)).round().astype(np.uint8), tile) == []
