"""The division of scenes into tiles: resolution, refusals, and the remainder at the edges."""

import numpy as np
import pytest
from affine import Affine

from service.geotiff.errors import GeoreferenceError
from service.geotiff.ground import pixel_steps_m
from service.imagery.tiling import (
    AlreadyHighResolutionError,
    GsdTooCoarseError,
    SceneTooSmallError,
    Tiles,
    cut_tiles,
)
from tests.support.rasters import UTM_10M, make_imagery, make_noise

LR_PX, LR_GSD, HR_GSD = 8, 9.75, 0.348


def cut(gsd_x: float, gsd_y: float, height: int = 64, width: int = 80, **options: object) -> Tiles:
    """Cut noise with pixels of this size near UTM's central meridian into tiles."""
    transform = Affine(gsd_x, 0, 500_000, 0, -gsd_y, 5_700_000)
    image = make_imagery(make_noise(3, height, width), transform=transform, **options)  # type: ignore[arg-type]  # crs, valid
    return cut_tiles(image, LR_PX, LR_GSD, HR_GSD)


def test_cut_tiles_goes_row_by_row() -> None:
    tiles = cut(9.75, 9.75, height=24, width=32)
    assert (tiles.grid.columns, tiles.grid.rows, tiles.grid.tile_count) == (4, 3, 12)
    np.testing.assert_array_equal(tiles.pixels[5], make_noise(3, 24, 32)[:, 8:16, 8:16])
    assert tiles.pixels.shape == (12, 3, 8, 8)
    assert tiles.edge_px == (0, 0)
    assert tiles.left_out_km2 == pytest.approx(0, abs=1e-9)
    assert tiles.planned_km2 == pytest.approx(24 * 32 * 9.75**2 / 1e6, rel=1e-3)


@pytest.mark.parametrize(
    ("gsd", "averaged"), [(8.7, True), (8.9, False), (9.75, False), (14.5, False), (2.4, True)]
)
def test_cut_tiles_averages_finer_pixels_down_to_the_bundle_gsd(gsd: float, averaged: bool) -> None:
    tiles = cut(gsd, gsd, 80, 80)
    steps = pixel_steps_m(tiles.grid.transform, tiles.grid.crs, tiles.grid.columns * 8, tiles.grid.rows * 8)
    assert steps[0] == pytest.approx(LR_GSD if averaged else gsd, rel=1e-3)
    assert tiles.gsd_m == pytest.approx((gsd, gsd), rel=1e-3)


def test_cut_tiles_treats_each_axis_on_its_own() -> None:
    tiles = cut(5.9, 10.0, 16, 40)
    assert (tiles.grid.columns, tiles.grid.rows) == (3, 2)
    x, y, _ = pixel_steps_m(tiles.grid.transform, tiles.grid.crs, 24, 16)
    assert (x, y) == pytest.approx((9.75, 10.0), rel=1e-3)


def test_cut_tiles_refuses_one_coarse_axis_with_the_numbers() -> None:
    with pytest.raises(GsdTooCoarseError, match=r"10 x 15 m .* 9\.75 m .* 14\.6"):
        cut(10, 15)


def test_cut_tiles_refuses_a_scene_as_fine_as_the_patches() -> None:
    with pytest.raises(AlreadyHighResolutionError, match=r"0\.348 m"):
        cut(0.3, 0.34)
    assert cut(0.3, 0.36, 300, 300).grid.tile_count > 0


def test_cut_tiles_refuses_a_scene_smaller_than_a_tile_in_metres() -> None:
    with pytest.raises(SceneTooSmallError, match="70 x 640 m, but one tile of this bundle is 80 x 80 m"):
        cut(10, 10, 64, 7)


def test_cut_tiles_refuses_sheared_pixels() -> None:
    image = make_imagery(make_noise(3, 64, 64), transform=UTM_10M @ Affine.shear(8))
    with pytest.raises(GeoreferenceError, match="sheared"):
        cut_tiles(image, LR_PX, LR_GSD, HR_GSD)


def test_cut_tiles_keeps_pixels_and_place_of_rotated_scenes() -> None:
    transform = UTM_10M @ Affine.rotation(30)
    tiles = cut_tiles(make_imagery(make_noise(3, 16, 16), transform=transform), LR_PX, LR_GSD, HR_GSD)
    np.testing.assert_array_equal(tiles.pixels[3], make_noise(3, 16, 16)[:, 8:, 8:])
    assert tiles.grid.transform.almost_equals(transform)


def test_cut_tiles_reports_edges_that_fill_no_tile() -> None:
    tiles = cut(10, 10, 23, 37)
    assert tiles.edge_px == (5, 7)
    assert (tiles.grid.columns, tiles.grid.rows) == (4, 2)
    assert tiles.planned_km2 + tiles.left_out_km2 == pytest.approx(23 * 37 * 100 / 1e6, rel=1e-3)


def test_valid_share_falls_with_invalid_pixels() -> None:
    valid = np.ones((16, 16), np.bool_)
    valid[:4, :8] = False
    assert cut(10, 10, 16, 16, valid=valid).valid_share.tolist() == [0.5, 1, 1, 1]
    fine = valid.repeat(5, axis=0).repeat(5, axis=1)
    assert cut(1.95, 1.95, 80, 80, valid=fine).valid_share == pytest.approx([0.5, 1, 1, 1], abs=0.01)


def test_cloud_share_counts_bright_colourless_pixels() -> None:
    rgb = np.full((3, 16, 16), 90, np.uint8)
    rgb[:, :8, :8] = 240
    rgb[0, 8:, 8:] = 250
    image = make_imagery(rgb)
    assert cut_tiles(image, LR_PX, LR_GSD, HR_GSD).cloud_share.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("step", [(1e-20, 10.0), (1e-4, 1e-4), (10.0, 1e-20)])
def test_cut_tiles_refuses_pixels_of_no_size_with_the_cause(step: tuple[float, float]) -> None:
    with pytest.raises(GeoreferenceError, match="may be degrees"):
        cut(*step, 80, 80)
