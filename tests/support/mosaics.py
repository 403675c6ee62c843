"""Files for many patches, as providers deliver them: mosaics of the scene of `make_geotiff`, and archives."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, reproject

from service.geotiff.ground import transform_points
from tests.support.bundles import HR_GSD_M, HR_SIZE, UTM_32N, make_geotiff
from tests.support.orders import COLUMNS, NORTH, WEST, make_detail

ROWS = 2
HEIGHT, WIDTH = ROWS * HR_SIZE, COLUMNS * HR_SIZE


def mosaic(
    first_column: int = 0, last_column: int = WIDTH, *, seed: int = 7, gsd_m: float = HR_GSD_M, **profile: Any
) -> bytes:
    """Write the scene in fine detail from one HR column to another; all patches by default."""
    pixels = make_detail(np.arange(HEIGHT), np.arange(first_column, last_column), seed)
    return make_geotiff(pixels, west=WEST + first_column * HR_GSD_M, north=NORTH, gsd_m=gsd_m, **profile)


def warped(
    pixels: NDArray[np.uint8], transform: Affine, crs: str, *, collar_px: int = 2, **profile: Any
) -> bytes:
    """Write an image (3, H, W) of UTM zone 32 north in another CRS of metres, with a black border."""
    height, width = pixels.shape[1:]
    along = np.linspace(0, 1, 21)
    sides = [(along * width, 0 * along), (along * width, 0 * along + height)]
    sides += [(0 * along, along * height), (0 * along + width, along * height)]
    points = np.concatenate([np.stack(transform @ side, axis=-1) for side in sides])
    x, y = transform_points(UTM_32N, crs, points).T
    step = transform.a
    columns, rows = int(np.ceil(np.ptp(x) / step)), int(np.ceil(np.ptp(y) / step))
    place = Affine(step, 0, x.min() - collar_px * step, 0, -step, y.max() + collar_px * step)
    out = np.zeros((3, rows + 2 * collar_px, columns + 2 * collar_px), np.uint8)
    reproject(
        pixels, out, src_transform=transform, src_crs=UTM_32N, dst_transform=place, dst_crs=crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    shape = {"count": 3, "height": out.shape[1], "width": out.shape[2], "dtype": "uint8"}
    with MemoryFile() as file:
        with file.open(driver="GTiff", transform=place, crs=crs, **(shape | profile)) as raster:
            raster.write(out)
        return bytes(file.read())


def archive(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Write a zip archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as packed:
        for name, body in files.items():
            packed.writestr(name, body)
    return memory.getvalue()
