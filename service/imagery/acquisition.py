"""When a scene was acquired: the day that its file states, and grey values to tell two acquisitions apart."""

import re
from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

SAMPLED = 256
"""Pixels of a scene whose grey values are kept."""
# Of the GDAL metadata, in order of preference. TIFF's own DateTime says when a file was written.
_ITEMS = (
    "acquisitiondatetime", "acquisition_datetime", "acquisitiondate", "acquisition_date", "date_acquired",
    "datatake_1_datatake_sensing_start", "sensing_time", "product_start_time", "acquired", "datetime",
)  # fmt: skip
_DAY = re.compile(r"(\d{4})[-:/]?(\d{2})[-:/]?(\d{2})(?!\d)")


def find_acquired_on(items: Mapping[str, str]) -> date | None:
    """Return the day of acquisition (UTC) that GDAL metadata items, by lower-case name, state."""
    for name in _ITEMS:
        found = _DAY.match(items.get(name, "").strip())
        if found:
            try:
                return date(*map(int, found.groups()))
            except ValueError:  # such as month 13: another item may state a day
                continue
    return None


def sample_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """Return the grey values at up to SAMPLED places, evenly spread over tiles (T, 3, s, s)."""
    grey = pixels.reshape(len(pixels), 3, -1)
    tiles, places = _sampled_places(grey.shape[0], grey.shape[2])
    return bytes(np.rint(grey[tiles, :, places].mean(axis=1)).astype(np.uint8))


def sampled_tiles(tiles: int, tile_px: int) -> NDArray[np.int64]:
    """Return the tile of each value that `sample_pixels` takes from `tiles` tiles of `tile_px` squared."""
    return _sampled_places(tiles, tile_px**2)[0]


def _sampled_places(tiles: int, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the tile and the pixel in it of each sampled place, of `tiles` tiles with `pixels` each."""
    count = tiles * pixels
    return np.divmod(np.linspace(0, count - 1, min(SAMPLED, count)).astype(np.int64), pixels)
