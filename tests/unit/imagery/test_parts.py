"""Patches that are joined from the parts that several images show."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import shape

from service.imagery.lattice import uncovered
from service.imagery.parts import (
    PatchPart,
    brightness,
    choose_parts,
    covers,
    join_parts,
    lacking_in_all,
    over_scene,
    place_part,
)
from service.imagery.placement import PatchTooCoarseError, place_patch
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid
from tests.support.rasters import make_imagery

GRID = TileGrid(
    columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 500_000, 0, -10, 5_700_000), crs="EPSG:32632"
)
SIZE = 40  # pixels of 0.5 m on a patch's side of 20 m
CORNER = Affine.translation(500_000, 5_700_000)


def scene(gsd: float = 0.5, turn: float = 0, seed: int = 3) -> Imagery:
    """Return an image of detail that reaches 5 m beyond the first patch on all sides."""
    side = int(30 / gsd)
    shown = np.random.default_rng(seed).integers(40, 200, (3, side, side), np.uint8)
    if turn:  # the filter of GDAL's warper depends on the extent of a turned image; slopes show no filter
        shown[:] = np.linspace(40, 200, side)
    place = CORNER @ Affine.translation(-5, 5) @ Affine.scale(gsd, -gsd)
    return make_imagery(shown, transform=place @ Affine.rotation(turn, (side / 2, side / 2)))


def cut_out(whole: Imagery, columns: slice = slice(None), rows: slice = slice(None)) -> Imagery:
    """Return the image without the other columns and rows, on the same grid."""
    left, top = columns.start or 0, rows.start or 0
    return make_imagery(
        whole.rgb[:, rows, columns], transform=whole.transform @ Affine.translation(left, top), crs=whole.crs
    )


def part(imagery: Imagery) -> PatchPart:
    return place_part(imagery, GRID, 0, 0, SIZE)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(one.astype(np.int64) - other).max())


@pytest.mark.parametrize("gsd", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("turn", [0, 20.0])
def test_halves_cut_anywhere_are_the_whole(gsd: float, turn: float) -> None:
    whole = scene(gsd, turn)
    expected = place_patch(whole, GRID, 0, 0, SIZE).pixels
    side = whole.valid.shape[0]

    for cut in np.random.default_rng(5).integers(int(0.25 * side), int(0.75 * side), 6):
        for axis in ("columns", "rows"):
            halves = [part(cut_out(whole, **{axis: one})) for one in (slice(0, cut), slice(cut, side))]
            for order in (halves, halves[::-1]):
                assert covers(lacking_in_all(order))
                joined = join_parts([order[at] for at in choose_parts(order)])
                assert joined.covered == pytest.approx(1, abs=0.001)
                assert difference(joined.pixels, expected) <= 1  # each half was rounded


def test_four_quarters_are_the_whole_and_three_are_not() -> None:
    whole, side = scene(), 60
    halves = slice(0, 31), slice(31, side)
    quarters = [part(cut_out(whole, columns, rows)) for columns in halves for rows in halves]

    assert difference(join_parts(quarters).pixels, place_patch(whole, GRID, 0, 0, SIZE).pixels) == 0
    assert not any(covers(lacking_in_all(quarters[:at] + quarters[at + 1 :])) for at in range(4))


def test_remainders_shrink_with_every_part() -> None:
    parts = [part(cut_out(scene(), slice(first, first + 10))) for first in range(10, 50, 10)]

    missing = [lacking_in_all(parts[:count]) for count in range(1, 5)]
    grounds = [shape(uncovered(one, GRID, 0, 0)) for one in missing[:3]]

    assert [round(1 - one.mean(), 2) for one in missing] == [0.25, 0.5, 0.75, 1]
    for before, after in pairwise(grounds):
        assert after.area < before.area
        assert before.buffer(1e-9).contains(after)


def test_images_of_different_pixels_and_systems_are_joined_on_the_grid_of_the_patch() -> None:
    grey = make_imagery(np.full((3, 60, 60), 90, np.uint8), transform=scene().transform)
    fine = make_imagery(np.full((3, 150, 150), 90, np.uint8), transform=scene(0.2, 15).transform)
    left, right = part(cut_out(grey, slice(0, 33))), part(cut_out(fine, slice(60, 150)))

    joined = join_parts([left, right])

    assert covers(lacking_in_all([left, right]))
    assert difference(joined.pixels, np.full_like(joined.pixels, 90)) <= 1


def test_a_gap_of_several_pixels_at_the_seam_is_not_covered() -> None:
    whole = scene()
    for gap, covered in ((0, True), (2, False), (5, False)):
        parts = [part(cut_out(whole, slice(0, 30))), part(cut_out(whole, slice(30 + gap, 60)))]
        assert covers(lacking_in_all(parts)) == covered


def test_earlier_parts_are_preferred_where_both_show_the_ground() -> None:
    old, new = scene(seed=1), scene(seed=2)
    parts = [part(cut_out(new, slice(0, 35))), part(cut_out(old, slice(20, 60)))]

    joined = join_parts(parts)

    shown = place_patch(new, GRID, 0, 0, SIZE).pixels, place_patch(old, GRID, 0, 0, SIZE).pixels
    np.testing.assert_array_equal(joined.pixels[:, :, :25], shown[0][:, :, :25])
    np.testing.assert_array_equal(joined.pixels[:, :, 25:], shown[1][:, :, 25:])


def test_parts_that_add_no_ground_are_left_out() -> None:
    whole = scene()
    left, right = part(cut_out(whole, slice(0, 30))), part(cut_out(whole, slice(30, 60)))
    within = part(cut_out(whole, slice(15, 25)))

    assert choose_parts([left, within, right, left]) == [0, 2]


def test_a_part_of_pixels_that_are_too_coarse_is_refused() -> None:
    coarse = make_imagery(np.full((3, 10, 10), 90, np.uint8), transform=scene(3.0).transform)

    with pytest.raises(PatchTooCoarseError):
        part(coarse)


def test_collar_of_a_part_holds_no_data() -> None:
    half = cut_out(scene(), slice(0, 32))
    collar = np.zeros_like(half.valid)
    collar[:, 30:] = True

    assert part(replace(half, collar=collar)).covered == pytest.approx(0.5, abs=0.01)


def test_part_is_compared_over_the_scene_alone() -> None:
    tile = np.full((3, 8, 8), 100, np.uint8)
    dim = make_imagery(np.full((3, 60, 30), 50, np.uint8), transform=scene().transform)

    assert brightness(part(dim), tile) == pytest.approx(0.5)
    pixels = over_scene(part(dim), tile).pixels
    assert [np.unique(one).tolist() for one in (pixels[:, :, :19], pixels[:, :, 21:])] == [[50], [100]]
    assert brightness(part(cut_out(dim, slice(0, 11))), tile) is None  # a twentieth says too little
