"""The judgement of an upload's patches together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from service.deliveries.decoding import CutPatch, Target
from service.deliveries.judging import judge_together
from service.imagery.likeness import compare_with_scene
from service.imagery.placement import PlacedPatch
from service.imagery.tile_grid import TileGrid
from service.orders.checklist import Place
from tests.support.photographs import make_photograph

GRID = TileGrid(columns=1, rows=1, tile_px=8, transform=Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32632")


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    return make_photograph(seed=5)


@pytest.fixture(scope="module")
def target(photograph: NDArray[np.uint8]) -> Target:
    """Return a scene that another sensor took: darker, noisy, and shifted by half an LR pixel."""
    seen = 0.8 * np.roll(photograph, 16, axis=2).reshape(3, 8, 32, 8, 32).mean(axis=(2, 4))
    seen += np.random.default_rng(1).normal(0, 3, seen.shape)
    return Target(grid=GRID, size=64, scene=np.asarray(seen.round().clip(0, 255), np.uint8)[None])


def cuts(photograph: NDArray[np.uint8], target: Target, count: int, right: int = 0) -> dict[Place, CutPatch]:
    wide = np.pad(photograph, ((0, 0), (0, 0), (128, 128)), "reflect")
    found = {}
    for patch in range(count):
        top, left = patch % 4 * 64, 128 + patch // 4 * 64 + right
        pixels = wide[:, top : top + 64, left : left + 64]
        placed = PlacedPatch(
            tile=0, patch=patch, pixels=pixels, own=np.ones((64, 64), np.bool_), covered=1, repeated_px=0
        )
        found[(0, patch)] = CutPatch(
            pixels=pixels,
            checks={},
            likeness=compare_with_scene(placed, target.scene[0]),
            of_file=(),
            accept_unlike=False,
        )
    return found


def warned(checks: Mapping[Place, Mapping[str, Any]]) -> dict[Place, list[str]]:
    return {
        place: [warning["code"] for warning in one["warnings"]]
        for place, one in checks.items()
        if one["warnings"]
    }


def test_single_patch_of_another_sensor_is_doubted(photograph: NDArray[np.uint8], target: Target) -> None:
    checks = judge_together(cuts(photograph, target, 1), {}, target)

    assert checks[(0, 0)]["sensors_differ"] is False
    assert len(warned(checks)) == 1


def test_patches_of_another_sensor_are_not_doubted_together(
    photograph: NDArray[np.uint8], target: Target
) -> None:
    checks = judge_together(cuts(photograph, target, 16), {}, target)

    assert checks[(0, 0)]["sensors_differ"] is True
    assert len(warned(checks)) <= 1


def test_patch_is_judged_with_the_earlier_ones_of_its_order(
    photograph: NDArray[np.uint8], target: Target
) -> None:
    everything = cuts(photograph, target, 5)
    earlier = {place: cut.likeness.figures() for place, cut in everything.items() if place != (0, 0)}

    checks = judge_together({(0, 0): everything[(0, 0)]}, earlier, target)

    assert checks[(0, 0)]["sensors_differ"] is True
    assert warned(checks) == {}


def test_scene_of_reflectance_is_known_to_be_of_another_sensor(
    photograph: NDArray[np.uint8], target: Target
) -> None:
    known = replace(target, other_sensor=True)

    assert warned(judge_together(cuts(photograph, known, 1), {}, known)) == {}


def test_shift_of_all_patches_draws_one_warning_with_the_first(
    photograph: NDArray[np.uint8], target: Target
) -> None:
    checks = judge_together(cuts(photograph, target, 16, right=96), {}, target)

    (warning, *_) = [one for one in checks[(0, 0)]["warnings"] if "16 patches" in one["detail"]]
    assert warning["code"] == "patch-displaced"
    assert sum("16 patches" in str(one["warnings"]) for one in checks.values()) == 1
