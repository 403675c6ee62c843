"""Delivered files from bytes to checked patches. Opens no database session."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.geotiff.preflight import Limits
from service.geotiff.raster import read_geotiff
from service.imagery.placement import place_patch
from service.imagery.radiometry import Imagery, to_imagery
from service.imagery.tile_grid import TileGrid
from service.orders.checklist import Place

# GDAL's warper, as rasterio calls it, mutes a warning through state of the whole process: one at a time.
_PLACING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class ReadAs:
    """How to read a delivered file: its bands, red first, and the meaning of its numbers."""

    bands: str | None = None
    radiometry: str | None = None


@dataclass(frozen=True, kw_only=True)
class DecodedFile:
    """A decoded file, and the properties of it that every patch's checks state."""

    imagery: Imagery
    checks: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class CutPatch:
    """A patch cut from a file: uint8 (3, s, s) on the patch's own pixel grid, and what was verified."""

    pixels: NDArray[np.uint8]
    checks: dict[str, Any]


def decode_file(body: bytes, read_as: ReadAs, limits: Limits) -> DecodedFile:
    """Read a delivered file. Raises the 4xx errors of reading a GeoTIFF, of its bands and radiometry."""
    raster = read_geotiff(body, limits)
    imagery = to_imagery(raster, read_as.bands, read_as.radiometry)
    _, height, width = raster.pixels.shape
    checks = {
        "crs": raster.crs,
        "width_px": width,
        "height_px": height,
        "bands": list(imagery.bands),
        "bands_from": imagery.bands_from,
        "radiometry": imagery.radiometry,
    }
    return DecodedFile(imagery=imagery, checks=checks)


def cut_patch(file: DecodedFile, grid: TileGrid, place: Place, size: int) -> CutPatch:
    """Cut a patch of `size` pixels a side from a file and check it.

    Errors: patch-misplaced when the file does not cover the patch, patch-too-coarse.
    """
    with _PLACING:
        pixels = place_patch(file.imagery, grid, *place, size).pixels
    checks = file.checks | {
        "covers_patch": True,
        "warnings": [warning.to_json() for warning in file.imagery.warnings],
        "patch_px": size,
    }
    return CutPatch(pixels=pixels, checks=checks)
