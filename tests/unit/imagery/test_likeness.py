"""The comparison of a delivered patch with its scene."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from service.imagery.likeness import Likeness, PatchUnlikeSceneError, compare_with_scene, judge
from service.imagery.placement import PlacedPatch
from tests.support.photographs import make_photograph

PATCH = 9  # row 1, column 2 of the tile


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    """One tile (3, 256, 256) of fields, roofs and texture."""
    return make_photograph(seed=5)


def tile_of(photograph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(photograph.reshape(3, 8, 32, 8, 32).mean(axis=(2, 4)).round(), np.uint8)


def compare(pixels: NDArray[np.generic], photograph: NDArray[np.uint8]) -> Likeness:
    placed = PlacedPatch(
        tile=0,
        patch=PATCH,
        pixels=np.asarray(pixels).clip(0, 255).round().astype(np.uint8),
        own=np.ones(pixels.shape[1:], np.bool_),
        covered=1.0,
        repeated_px=0.0,
    )
    return compare_with_scene(placed, tile_of(photograph))


def patch_of(photograph: NDArray[np.uint8], down: int = 0, right: int = 0) -> NDArray[np.uint8]:
    return photograph[:, 64 + down : 128 + down, 128 + right : 192 + right]


def test_judge_takes_the_patch_itself(photograph: NDArray[np.uint8]) -> None:
    likeness = compare(patch_of(photograph), photograph)

    assert judge(likeness) == ()
    assert likeness.misfit < 12
    assert likeness.correlation > 0.99


@pytest.mark.parametrize("gains", [(0.9, 1.1, 1.0), (1.1, 0.9, 1.1), (0.92, 0.92, 1.08)])
def test_judge_takes_colours_that_differ_by_ten_percent(
    gains: tuple[float, float, float], photograph: NDArray[np.uint8]
) -> None:
    assert judge(compare(patch_of(photograph) * np.array(gains)[:, None, None], photograph)) == ()


@pytest.mark.parametrize("gamma", [0.85, 1.15])
def test_judge_takes_another_gamma(gamma: float, photograph: NDArray[np.uint8]) -> None:
    pixels = 255 * (patch_of(photograph) / 255) ** gamma

    assert judge(compare(pixels, photograph)) == ()


def test_judge_takes_haze(photograph: NDArray[np.uint8]) -> None:
    assert judge(compare(0.9 * patch_of(photograph) + 15, photograph)) == ()


@pytest.mark.parametrize("value", [0, 255])
def test_judge_refuses_black_and_white_files(value: int, photograph: NDArray[np.uint8]) -> None:
    likeness = compare(np.full((3, 64, 64), value), photograph)

    with pytest.raises(PatchUnlikeSceneError, match="accept_unlike=true") as caught:
        judge(likeness)

    assert caught.value.status == 409
    assert caught.value.extra["scene_mean"] == likeness.scene_mean


def test_judge_refuses_a_half_black_file(photograph: NDArray[np.uint8]) -> None:
    pixels = patch_of(photograph).copy()
    pixels[:, :, :32] = 0

    with pytest.raises(PatchUnlikeSceneError, match="50% of the delivered patch is black"):
        judge(compare(pixels, photograph))


def test_judge_doubts_a_half_black_file_of_dark_ground(photograph: NDArray[np.uint8]) -> None:
    forest = (photograph * 0.2).astype(np.uint8)
    pixels = patch_of(forest).copy()
    pixels[:, :, :32] = 0

    assert [doubt.code for doubt in judge(compare(pixels, forest))] == ["patch-partly-blank"]


def test_judge_takes_black_water_where_the_scene_is_dark() -> None:
    water = np.full((3, 256, 256), 14, np.uint8)

    assert judge(compare(np.full((3, 64, 64), 9), water)) == ()


def test_judge_doubts_a_darker_file(photograph: NDArray[np.uint8]) -> None:
    (doubt,) = judge(compare(patch_of(photograph) * 0.3, photograph))

    assert doubt.code == "patch-brightness"
    assert "radiometry=" in doubt.detail


def test_judge_doubts_swapped_bands_and_names_their_order(photograph: NDArray[np.uint8]) -> None:
    (doubt,) = judge(compare(patch_of(photograph)[::-1], photograph))

    assert doubt.code == "patch-bands-swapped"
    assert "3,2,1" in doubt.detail


def test_judge_doubts_the_content_of_a_neighbour_and_says_where_it_fits(
    photograph: NDArray[np.uint8],
) -> None:
    (doubt,) = judge(compare(patch_of(photograph, right=-64), photograph))

    assert doubt.code == "patch-displaced"
    assert doubt.figures["offset_cells"] == pytest.approx((-2, 0), abs=0.4)


def test_judge_doubts_a_flat_file(photograph: NDArray[np.uint8]) -> None:
    likeness = replace(compare(patch_of(photograph), photograph), spread=0.0)

    assert [doubt.code for doubt in judge(likeness)] == ["patch-flat"]
