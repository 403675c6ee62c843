"""A landscape of four covers as reflectance, and rasters made of it, with known true colours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reflectance import WHITE_REFLECTANCE
from service.geotiff.raster import Raster
from service.imagery.radiometry import Imagery
from tests.support.rasters import make_raster

SIDE = 24
Pixels = NDArray[np.float64]
# Red, green, blue and near infrared of forest, sand, water and town, one in each quadrant.
COVERS = np.array(
    [[0.05, 0.09, 0.04, 0.32], [0.26, 0.19, 0.12, 0.30], [0.02, 0.05, 0.09, 0.01], [0.17, 0.16, 0.15, 0.20]]
)
SNOW = np.array(
    [[0.85, 0.86, 0.87, 0.8], [0.9, 0.9, 0.91, 0.85], [0.8, 0.82, 0.84, 0.78], [0.88, 0.88, 0.9, 0.8]]
)
LAKE = np.array([[0.012, 0.022, 0.030, 0.01]] * 4)


def make_land(covers: Pixels = COVERS, seed: int = 0) -> Pixels:
    """Return reflectance (4, SIDE, SIDE), three percent of noise in it."""
    half = SIDE // 2
    quadrants = np.repeat(np.repeat(covers.reshape(2, 2, 4), half, axis=0), half, axis=1)
    noise = np.random.default_rng(seed).uniform(0.97, 1.03, (4, SIDE, SIDE))
    return np.asarray(quadrants.transpose(2, 0, 1) * noise)


def true_colours(land: Pixels) -> NDArray[np.uint8]:
    """Return the colours (3, H, W) of reflectance (3 or more, H, W)."""
    return np.rint(np.clip(land[:3] / WHITE_REFLECTANCE * 255, 0, 255)).astype(np.uint8)


def digital(land: Pixels, scale: float = 1e4, dtype: str = "uint16") -> NDArray[Any]:
    """Return reflectance as numbers of a type."""
    return np.rint(land * scale).astype(dtype)


def make_rgb(pixels: NDArray[Any], **raster: Any) -> Raster:
    """Return a raster whose first bands are called B4, B3 and B2 as those of Sentinel-2."""
    return make_raster(pixels, **{"descriptions": ("B4", "B3", "B2", "B8")[: len(pixels)]} | raster)


def shows(imagery: Imagery, land: Pixels, tolerance: int = 3) -> bool:
    """Tell whether the valid pixels of an image have the true colours of a landscape."""
    off = np.abs(imagery.rgb.astype(int) - true_colours(land).astype(int))
    return bool((off[:, imagery.valid] <= tolerance).all())


def codes(imagery: Imagery) -> list[str]:
    """Return the kinds of an image's warnings."""
    return [warning.code for warning in imagery.warnings]
