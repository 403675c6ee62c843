"""The placement of delivered images on the patch they were bought for."""

import numpy as np
import pytest
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from service.geotiff.ground import transform_points
from service.geotiff.raster import Gap
from service.imagery.placement import PatchMisplacedError, PatchTooCoarseError, place_patch
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid
from tests.support.rasters import make_imagery

GRID = TileGrid(
    columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 500_000, 0, -10, 5_700_000), crs="EPSG:32632"
)
SIZE = 40  # pixels of a patch of 20 m: 0.5 m


def smooth(height: int, width: int, gsd: float = 0.5) -> np.ndarray:
    """Return slopes and waves (3, H, W) over metres, which resampling changes little."""
    y, x = (np.mgrid[:height, :width] + 0.5) * gsd
    waves = np.stack([x, y * 1.2, 100 + 80 * np.sin(x / 10) * np.cos(y / 10)])
    return waves.round().astype(np.uint8)


def scene(gsd: float = 0.5, *, east: float = 0, north: float = 0) -> Imagery:
    """Return the whole grid (240 x 160 m) in fine pixels, shifted by `east` and `north` metres."""
    pixels = smooth(round(160 / gsd), round(240 / gsd), gsd)
    return make_imagery(pixels, transform=Affine(gsd, 0, 500_000 + east, 0, -gsd, 5_700_000 + north))


@pytest.mark.parametrize(("tile", "patch"), [(0, 0), (0, 1), (0, 4), (2, 15), (3, 2), (5, 15)])
def test_place_patch_keeps_pixels_of_the_same_grid(tile: int, patch: int) -> None:
    image = scene()
    row = tile // 3 * 160 + patch % 4 * SIZE
    column = tile % 3 * 160 + patch // 4 * SIZE
    placed = place_patch(image, GRID, tile, patch, SIZE).pixels
    np.testing.assert_array_equal(placed, image.rgb[:, row : row + SIZE, column : column + SIZE])


@pytest.mark.parametrize("gsd", [0.125, 0.25, 0.8, 1.0])
def test_place_patch_shows_the_same_place_from_another_resolution(gsd: float) -> None:
    wanted = place_patch(scene(), GRID, 4, 6, SIZE).pixels.astype(int)
    found = place_patch(scene(gsd), GRID, 4, 6, SIZE).pixels.astype(int)
    assert np.abs(found - wanted).mean() < 2


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32633", "EPSG:3035"])
def test_place_patch_shows_the_same_place_from_another_crs(crs: str) -> None:
    image = scene(0.25)
    height, width = image.valid.shape
    x, y = transform_points(
        image.crs, crs, np.array([image.transform @ at for at in _around(width, height)])
    ).T
    step = np.hypot(np.ptp(x), np.ptp(y)) / np.hypot(width, height)
    transform = Affine(step, 0, x.min(), 0, -step, y.max())
    warped = np.zeros((4, int(np.ptp(y) / step) + 1, int(np.ptp(x) / step) + 1), np.uint8)
    layers = np.concatenate([image.rgb, np.full((1, height, width), 255, np.uint8)])
    places = {
        "src_transform": image.transform,
        "src_crs": image.crs,
        "dst_transform": transform,
        "dst_crs": crs,
    }
    reproject(layers, warped, **places, resampling=Resampling.bilinear)
    delivered = make_imagery(warped[:3], transform=transform, crs=crs, valid=warped[3] == 255)
    wanted = place_patch(image, GRID, 4, 6, SIZE).pixels.astype(int)
    assert np.abs(place_patch(delivered, GRID, 4, 6, SIZE).pixels.astype(int) - wanted).mean() < 2


def _around(width: int, height: int) -> list[tuple[int, int]]:
    return [(0, 0), (width, 0), (width, height), (0, height)]


def patch_file(
    gsd: float = 0.5, *, east: float = 0, north: float = 0, valid: np.ndarray | None = None
) -> Imagery:
    """Return exactly patch 0 of tile 0 (20 x 20 m), shifted by `east` and `north` metres."""
    side = round(20 / gsd)
    transform = Affine(gsd, 0, 500_000 + east, 0, -gsd, 5_700_000 + north)
    return make_imagery(smooth(side, side, gsd), transform=transform, valid=valid)


def test_place_patch_accepts_exactly_the_patch() -> None:
    np.testing.assert_array_equal(place_patch(patch_file(), GRID, 0, 0, SIZE).pixels, smooth(SIZE, SIZE))


@pytest.mark.parametrize(("east", "north"), [(3, 0), (0, -2), (50, 50), (9_000, 0)])
def test_place_patch_reports_the_offset_of_a_misplaced_delivery(east: float, north: float) -> None:
    with pytest.raises(PatchMisplacedError, match="98%") as caught:
        place_patch(patch_file(east=east, north=north), GRID, 0, 0, SIZE)
    assert caught.value.status == 409
    offset = caught.value.extra["offset_m"]
    assert offset == pytest.approx({"dx": -east, "dy": -north}, rel=5e-3, abs=20 if east > 1000 else 0.05)
    expected = max(0, 1 - abs(east) / 20) * max(0, 1 - abs(north) / 20)
    assert caught.value.extra["covered"] == pytest.approx(expected, abs=0.03)


def test_place_patch_refuses_a_delivery_from_the_other_side_of_the_earth() -> None:
    far = make_imagery(smooth(40, 40), transform=Affine(5e-6, 0, -170, 0, -5e-6, -51), crs="EPSG:4326")
    with pytest.raises(PatchMisplacedError) as caught:
        place_patch(far, GRID, 0, 0, SIZE)
    assert caught.value.extra["covered"] == 0


def test_place_patch_tolerates_two_percent_missing_and_no_more() -> None:
    valid = np.ones((SIZE, SIZE), np.bool_)
    valid[20, 3:34] = False  # 31 of 1,600 pixels: 98.06 % remain
    assert place_patch(patch_file(valid=valid), GRID, 0, 0, SIZE).pixels.shape == (3, SIZE, SIZE)
    valid[20, 3:36] = False
    with pytest.raises(PatchMisplacedError):
        place_patch(patch_file(valid=valid), GRID, 0, 0, SIZE)


def test_place_patch_keeps_invalid_pixels_from_darkening_neighbours() -> None:
    valid = np.ones((80, 80), np.bool_)
    valid[10, 10] = False
    image = patch_file(0.25, valid=valid)
    image.rgb[:] = 200
    image.rgb[:, 10, 10] = 0
    assert (place_patch(image, GRID, 0, 0, SIZE).pixels == 200).all()


def test_place_patch_refuses_pixels_more_than_twice_as_coarse() -> None:
    assert place_patch(scene(1.0), GRID, 0, 0, SIZE).pixels.any()
    with pytest.raises(PatchTooCoarseError, match=r"1\.05 m.*0\.5 m") as caught:
        place_patch(scene(1.05), GRID, 0, 0, SIZE)
    assert caught.value.status == 422


def test_place_patch_cuts_a_large_delivery_before_resampling() -> None:
    rgb = np.broadcast_to(np.uint8(9), (3, 30_000, 30_000))
    valid = np.broadcast_to(np.True_, (30_000, 30_000))
    image = make_imagery(rgb, transform=Affine(0.5, 0, 498_000, 0, -0.5, 5_702_000), valid=valid)
    assert (place_patch(image, GRID, 0, 0, SIZE).pixels == 9).all()


def test_place_patch_repeats_the_pixels_at_a_missing_side() -> None:
    image = patch_file()
    clipped = make_imagery(image.rgb[:, 1:, 1:], transform=image.transform @ Affine.translation(1, 1))

    placed = place_patch(clipped, GRID, 0, 0, SIZE)

    assert placed.covered == 1
    assert placed.repeated_px == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(placed.pixels[:, 1:, 1:], image.rgb[:, 1:, 1:])
    np.testing.assert_array_equal(placed.pixels[:, 0, 1:], image.rgb[:, 1, 1:])


def test_place_patch_fills_small_holes_from_their_neighbours() -> None:
    valid = np.ones((SIZE, SIZE), np.bool_)
    valid[10:14, 10:14] = False
    image = patch_file(valid=valid)
    image.rgb[:] = np.where(valid, 150, 0)

    assert (place_patch(image, GRID, 0, 0, SIZE).pixels == 150).all()


def test_place_patch_keeps_a_collar_from_darkening_the_rim() -> None:
    image = patch_file()
    image.rgb[:] = 150
    image.rgb[:, :, 0] = 6
    image.rgb[:, :, 1] = 80  # a pixel that warping mixed
    collar = np.zeros((SIZE, SIZE), np.bool_)
    collar[:, 0] = True
    delivered = make_imagery(image.rgb, transform=image.transform, collar=collar)

    assert (place_patch(delivered, GRID, 0, 0, SIZE).pixels >= 145).all()


def test_place_patch_names_transparency_where_the_extent_covers_the_patch() -> None:
    valid = np.ones((SIZE, SIZE), np.bool_)
    valid[:, :20] = False
    whole = patch_file(valid=valid)
    gaps = (Gap(cause="transparent by alpha band 4", share=0.5, alpha_band=4),)
    delivered = make_imagery(whole.rgb, transform=whole.transform, valid=valid, gaps=gaps)

    with pytest.raises(PatchMisplacedError, match=r"alpha band 4.*near infrared") as caught:
        place_patch(delivered, GRID, 0, 0, SIZE)

    assert "offset_m" not in caught.value.extra


def test_place_patch_keeps_the_collar_where_the_scene_is_dark() -> None:
    image = patch_file()
    image.rgb[:] = 150
    image.rgb[:, :, :20] = 7
    collar = np.zeros((SIZE, SIZE), np.bool_)
    collar[:, :20] = True
    delivered = make_imagery(image.rgb, transform=image.transform, collar=collar)
    scene = np.full((6, 3, 8, 8), 150, np.uint8)
    scene[0, :, :, 0] = 12  # water

    placed = place_patch(delivered, GRID, 0, 0, SIZE, scene)

    # The pixels beside a collar are repeated from their neighbours.
    unchanged = np.delete(np.arange(SIZE), 20)
    np.testing.assert_array_equal(placed.pixels[..., unchanged], image.rgb[..., unchanged])
