"""The evidence of an order's patches together."""

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from service.errors import LoupeWarning
from service.imagery.resemblance import average_cells
from service.imagery.siblings import SharedShift, Sibling, find_shared_displacement, sensors_differ
from service.imagery.tile_grid import TileGrid
from tests.support.photographs import make_photograph

GRID = TileGrid(columns=1, rows=1, tile_px=8, transform=Affine(10, 0, 0, 0, -10, 0), crs="EPSG:32632")
Photo = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photograph() -> Photo:
    """One tile (3, 256, 256), whose patches have 2 x 2 LR pixels of 32 x 32 pixels."""
    return make_photograph(seed=5)


def scene_of(photograph: Photo, noise: float = 3) -> Photo:
    lr = 0.8 * photograph.reshape(3, 8, 32, 8, 32).mean(axis=(2, 4))
    lr += np.random.default_rng(1).normal(0, noise, lr.shape)
    return np.asarray(lr.round().clip(0, 255), np.uint8)[None]


def siblings_of(photograph: Photo, down: int = 0, right: int = 0, count: int = 16) -> list[Sibling]:
    wide = np.pad(photograph, ((0, 0), (128, 128), (128, 128)), "reflect")
    found = []
    for patch in range(count):
        top, left = 128 + patch % 4 * 64 + down, 128 + patch // 4 * 64 + right
        cells = average_cells(wide[:, top : top + 64, left : left + 64], 2)
        found.append(Sibling(tile=0, patch=patch, misfit=90, cells=tuple(cells.ravel()), place=None))
    return found


def large(right: float, down: float) -> Sibling:
    return Sibling(tile=0, patch=0, misfit=90, cells=(), place=(right, down))


@pytest.mark.parametrize(
    ("misfits", "differ"),
    [((1, 2, 0.5, 300, 2), False), ((90, 200, 40, 2, 300), True), ((90, 200, 300), False)],
)
def test_sensors_differ_where_most_of_four_patches_misfit(misfits: tuple[float, ...], differ: bool) -> None:
    assert sensors_differ(misfits) is differ


def test_shift_of_all_patches_is_found_though_none_shows_it(photograph: Photo) -> None:
    shift = find_shared_displacement(
        siblings_of(photograph, right=96), GRID, scene_of(photograph), differ=True
    )

    assert shift is not None
    assert (shift.right, shift.down) == pytest.approx((3, 0), abs=0.4)
    assert "3" in shift.doubt().detail
    assert "16 patches" in shift.doubt().detail


@pytest.mark.parametrize("down", [0, 32])
def test_shift_of_one_lr_pixel_is_no_displacement(down: int, photograph: Photo) -> None:
    siblings = siblings_of(photograph, down=down)

    assert find_shared_displacement(siblings, GRID, scene_of(photograph), differ=True) is None


def test_too_few_small_patches_show_no_shift(photograph: Photo) -> None:
    siblings = siblings_of(photograph, right=96, count=5)

    assert find_shared_displacement(siblings, GRID, scene_of(photograph), differ=True) is None


def test_shift_of_large_patches_is_their_median(photograph: Photo) -> None:
    scene = scene_of(photograph)
    agreeing = [large(2.4, -1), large(2.5, -1.1), large(2.6, -0.9), large(2.5, -1), large(0, 9)]
    scattered = [large(9, 0), large(-9, 0), large(0, 9), large(4, -9)]

    assert find_shared_displacement(agreeing, GRID, scene, differ=True) == SharedShift(
        right=2.5, down=-1, patches=5
    )
    assert find_shared_displacement(scattered, GRID, scene, differ=True) is None


def test_shared_shift_includes_doubts_about_the_same_shift() -> None:
    def doubt(right: float) -> LoupeWarning:
        return LoupeWarning(code="patch-displaced", detail="", figures={"place": {"right": right, "down": 0}})

    shift = SharedShift(right=3, down=0, patches=5)

    assert shift.includes(doubt(2.6))
    assert not shift.includes(doubt(19))
    assert not shift.includes(LoupeWarning(code="patch-flat", detail=""))
