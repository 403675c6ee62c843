"""Files that other readers misplace or empty: points for pixels, feet for metres, nodata beyond the type."""

import numpy as np
import pytest
from affine import Affine

from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.radiometry import to_imagery
from service.imagery.tiling import cut_tiles
from tests.support.rasters import handmade_tiff, make_noise, write_geotiff

PIXEL_IS_POINT = [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32632]


def test_read_geotiff_puts_the_place_of_a_point_in_the_middle_of_its_pixel() -> None:
    body = handmade_tiff(
        geo=False,
        tags=[
            (33550, 12, [10.0, 10.0, 0.0]),
            (33922, 12, [0.0, 0.0, 0.0, 500_005.0, 5_699_995.0, 0.0]),
            (34735, 3, PIXEL_IS_POINT),
        ],
    )

    assert read_geotiff(body, Limits()).transform == Affine(10, 0, 500_000, 0, -10, 5_700_000)


def test_cut_tiles_measures_survey_feet_in_metres() -> None:
    feet = Affine(32.8, 0, 1_450_000, 0, -32.8, 540_000)
    body = write_geotiff(make_noise(height=24, width=24), crs="EPSG:2264", transform=feet, photometric="rgb")

    tiles = cut_tiles(to_imagery(read_geotiff(body, Limits())), 8, 10, 0.5)

    assert tiles.gsd_m == pytest.approx((9.997, 9.997), abs=0.005)
    assert (tiles.grid.columns, tiles.grid.rows) == (3, 3)


@pytest.mark.parametrize("nodata", [b"-9999", b"-3.4e38", b"70000"])
def test_read_geotiff_keeps_every_pixel_if_nodata_lies_beyond_the_type(nodata: bytes) -> None:
    pixels = np.arange(1, 65, dtype=np.uint16).tobytes()
    body = handmade_tiff(bits=16, data=pixels, tags=[(42113, 2, nodata + b"\0")])

    assert read_geotiff(body, Limits()).valid.all()
