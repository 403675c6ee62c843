"""The coverage of patches by a delivered image."""

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry import shape

from service.geotiff.ground import transform_points
from service.imagery.coverage import Coverage, covered_patches, offset_to_nearest_m
from service.imagery.lattice import uncovered
from service.imagery.radiometry import Imagery
from service.imagery.tile_grid import TileGrid
from tests.support.rasters import make_imagery

GRID = TileGrid(
    columns=3, rows=2, tile_px=8, transform=Affine(10, 0, 500_000, 0, -10, 5_700_000), crs="EPSG:32632"
)
PATCH_M = 20


def image(
    left_m: float, top_m: float, columns: int, rows: int, gsd: float = 0.5, *, turn: float = 0
) -> Imagery:
    """Return a grey image whose corner lies `left_m` east and `top_m` south of the grid's."""
    transform = Affine.translation(500_000 + left_m, 5_700_000 - top_m) @ Affine.scale(gsd, -gsd)
    return make_imagery(
        np.full((3, rows, columns), 90, np.uint8), transform=transform @ Affine.rotation(turn)
    )


def cover(
    delivered: Imagery, tile: int = 0, patch: int = 0, scene: NDArray[np.uint8] | None = None
) -> Coverage:
    return covered_patches(delivered, GRID, np.array([tile]), np.array([patch]), scene)


@pytest.mark.parametrize("origin", [0.0, 0.1, 0.25, 0.4, 0.49])
@pytest.mark.parametrize("gsd", [0.3, 0.5, 0.9])
@pytest.mark.parametrize(
    ("first", "last"),
    [(np.floor, np.ceil), (np.round, np.round), (np.ceil, np.floor)],
    ids=["out", "centre", "in"],
)
def test_covered_patches_takes_clips_on_any_grid(
    origin: float, gsd: float, first: np.ufunc, last: np.ufunc
) -> None:
    start, end = int(first(-origin)), int(last((PATCH_M - origin * gsd) / gsd))
    count = end - start

    found = cover(image((origin + start) * gsd, (origin + start) * gsd, count, count, gsd))

    assert found.covered[0]
    assert found.repeated_px[0] <= 1.3  # a point stands for up to 0.25 pixels


@pytest.mark.parametrize("turn", [3.0, 30.0, 45.0])
def test_covered_patches_takes_pixels_of_a_turned_grid_within_the_patch(turn: float) -> None:
    delivered = image(10, 10 - 30 * np.sqrt(2), 120, 120, turn=turn)
    y, x = np.mgrid[:121, :121]
    east, north = delivered.transform @ (x.ravel(), y.ravel())
    inside = (east >= 500_000) & (east <= 500_020) & (north <= 5_700_000) & (north >= 5_699_980)
    corners = inside.reshape(121, 121)
    valid = corners[:-1, :-1] & corners[1:, :-1] & corners[:-1, 1:] & corners[1:, 1:]
    placed = make_imagery(delivered.rgb, transform=delivered.transform, valid=valid)
    whole = make_imagery(delivered.rgb, transform=delivered.transform)

    assert cover(whole).covered[0] == cover(placed).covered[0]


@pytest.mark.parametrize("missing", [2, 3])
def test_covered_patches_lets_one_pixel_be_missing_on_each_side_and_no_more(missing: int) -> None:
    one, more = 40 - 2, 40 - 2 * missing

    assert cover(image(0.5, 0.5, one, one)).covered[0]
    assert not cover(image(0.5 * missing, 0.5 * missing, more, more)).covered[0]


def test_covered_patches_counts_holes_by_area() -> None:
    delivered = image(0, 0, 40, 40)
    delivered.valid[10:16, 10:16] = False  # 36 of 1,600 pixels

    found = cover(delivered)

    assert found.shares[0] == pytest.approx(1 - 36 / 1600, abs=0.002)
    assert not found.covered[0]


def test_covered_patches_returns_the_points_that_partly_covered_patches_lack() -> None:
    tiles, patches = np.repeat(np.arange(6), 16), np.tile(np.arange(16), 6)

    found = covered_patches(image(0, 0, 100, 320), GRID, tiles, patches)  # 50 m of 240 m, 160 m of 160 m

    columns = tiles % 3 * 4 + patches // 4
    np.testing.assert_array_equal(found.covered, columns < 2)
    at = int(np.flatnonzero(columns == 2)[0])
    west, _, east, _ = shape(uncovered(found.lacking[at], GRID, int(tiles[at]), int(patches[at]))).bounds
    edges = transform_points("EPSG:4326", "EPSG:32632", np.array([[west, 51.45], [east, 51.45]]))[:, 0]
    assert edges - 500_000 == pytest.approx([50, 60], abs=1)


def test_covered_patches_counts_a_collar_as_data_where_the_scene_is_dark() -> None:
    delivered = image(0, 0, 40, 40)
    collar = np.zeros((40, 40), np.bool_)
    collar[:, :20] = True
    delivered = make_imagery(delivered.rgb, transform=delivered.transform, collar=collar)
    scene = np.full((6, 3, 8, 8), 90, np.uint8)

    assert not cover(delivered, scene=scene).covered[0]
    assert cover(delivered, scene=np.full_like(scene, 12)).covered[0]


def test_offset_to_nearest_patch_is_measured_between_centres() -> None:
    offset = offset_to_nearest_m(image(-100, 0, 40, 40), GRID, np.array([0, 2]), np.array([0, 0]))

    assert offset == pytest.approx((100, 0), abs=0.5)
