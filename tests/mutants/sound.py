"""Sound files that are mutated: GeoTIFFs of every kind that the service reads, and archives of them."""

import io
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from affine import Affine

from tests.support.rasters import handmade_tiff, make_noise, tiff_with_metadata, write_geotiff

TURNED = Affine(8, 6, 500_000, 6, -8, 5_700_000)


def _made(dtype: str = "uint8", bands: int = 3, side: int = 32, **options: Any) -> Callable[[], bytes]:
    return lambda: write_geotiff(make_noise(bands, side, side, dtype), **options)


RASTERS: dict[str, Callable[[], bytes]] = {
    "handmade": handmade_tiff,
    "one-strip": _made(),
    "strips-lzw": _made(compress="lzw", predictor=2, blockysize=8),
    "tiles-deflate": _made("uint16", tiled=True, blockxsize=16, blockysize=16, compress="deflate"),
    "tiles-zstd": _made("float32", tiled=True, blockxsize=16, blockysize=16, compress="zstd", predictor=3),
    "planes-packbits": _made("int16", interleave="band", compress="packbits", nodata=-1),
    "jpeg-strips": _made(compress="jpeg", photometric="ycbcr", blockysize=16),
    "jpeg-tiles": _made(compress="jpeg", photometric="ycbcr", tiled=True, blockxsize=16, blockysize=16),
    "lerc": _made("float32", 1, compress="lerc"),
    "12-bit": _made("uint16", nbits=12, compress="deflate"),
    "alpha": _made(bands=4, photometric="rgb", alpha="yes"),
    "big-endian": _made("uint16", endianness="big", compress="lzw"),
    "bigtiff": _made(bigtiff="yes", mask=np.ones((32, 32), np.bool_), overviews=[2]),
    "turned": _made(transform=TURNED),
    "degrees": _made(crs="EPSG:4326", transform=Affine(1e-4, 0, 9, 0, -1e-4, 50)),
    "described": _made("uint16", 4, descriptions=("B04", "B03", "B02", "B08"), scales=(1e-4,) * 4,
                       offsets=(-0.1,) * 4),
    "metadata": lambda: tiff_with_metadata('<GDALMetadata><Item name="a">b</Item></GDALMetadata>'),
}  # fmt: skip
"""Makers of small GeoTIFFs, by name."""


@cache
def raster(name: str) -> bytes:
    """Return one of RASTERS."""
    return RASTERS[name]()


@cache
def archive(compression: int) -> bytes:
    """Return a zip archive with two GeoTIFFs, a mask and a text."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as packed:
        packed.writestr("delivery/one.tif", raster("one-strip"))
        packed.writestr("delivery/two.tif", raster("tiles-deflate"))
        packed.writestr("delivery/one_udm2.tif", raster("handmade"))
        packed.writestr("readme.txt", "As ordered.")
    return memory.getvalue()


ARCHIVES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
