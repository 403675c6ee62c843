"""The recognition of constant fill that a file does not declare as nodata.

Fill is a value that no surface has (-9999, 1e20), or one value in all bands over an area with sharp edges:
along the border of the raster, or a rectangle inside it. Dark pixels, shadows and saturated clouds differ.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.imagery.samples import Sample

_NEVER = (-9999.0, -99999.0, -32767.0, -32768.0)  # customary fill
_HUGE = 1e9  # no unit of reflectance or radiance gives such numbers
_FAR = 4.0  # the largest number of a type is fill when it is this many times above the others
_MAP_PIXELS = 2_000_000  # pixels of the map on which regions are found
_MIN_REGION, _MIN_SHARE = 16, 0.002  # of a region, in pixels of the map and as a share of it
_MIN_SQUARE = 64  # pixels of a region that does not touch the border
_MOST_REGIONS = 20
_COUNTED = 30_000  # pixels among which the commonest colour is looked for
_WHITE_SHARE, _WHITE_BORDER = 0.02, 0.1  # of the raster and of its border, for a region of the largest number
_SHARP, _SHARP_WHITE = 0.03, 0.2  # step at the edge of a region, as a share of the raster's contrast

Mask = NDArray[np.bool_]
Values = tuple[float, float, float]


@dataclass(frozen=True)
class Fill:
    """Pixels with the same values, in red, green and blue, that are not data."""

    values: Values
    pixels: Mask  # (H, W)

    @property
    def words(self) -> str:
        """The values as part of a sentence."""
        numbers = [f"{value:.6g}" for value in self.values]
        return numbers[0] if len(set(numbers)) == 1 else ", ".join(numbers)


def find_impossible(picked: Sequence[NDArray[Any]], _valid: Mask, sample: Sample) -> Iterator[Fill]:
    """Yield the pixels in which a band holds a value that no surface has, for each such value."""
    if picked[0].dtype == np.uint8:
        return
    least = min(float(band.min()) for band in picked)
    most = max(float(band.max()) for band in picked)
    for value in _suspects(picked[0].dtype, sample):
        if least <= value <= most:
            found = np.logical_or.reduce([band == value for band in picked])
            if found.any():
                yield Fill((value, value, value), found)
    if picked[0].dtype.kind == "f" and max(-least, most) >= _HUGE:
        huge = np.logical_or.reduce([np.abs(band) >= _HUGE for band in picked])
        extreme = most if most >= _HUGE else least
        yield Fill((extreme, extreme, extreme), huge)


def _suspects(dtype: np.dtype[Any], sample: Sample) -> list[float]:
    """Return values that would be fill: customary ones, and the largest of the type if it stands apart."""
    suspects = [value for value in _NEVER if dtype.kind != "u"]
    largest = 65535.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    others = sample.values[(sample.values < largest) & (np.abs(sample.values) < _HUGE)]
    if others.size and np.percentile(others, 98) * _FAR < largest:
        suspects.append(largest)
    return suspects


def find_regions(picked: Sequence[NDArray[Any]], valid: Mask, sample: Sample) -> Iterator[Fill]:
    """Yield regions of one value in all bands whose shape and edges are those of fill.

    A raster that has one value everywhere has no region: nothing tells fill from data.
    """
    step = int(np.ceil(np.sqrt(valid.size / _MAP_PIXELS)))
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        bands = np.stack([band[::step, ::step] for band in picked]).astype(np.float64)
    known = valid[::step, ::step]
    for values in _candidates(picked[0].dtype, sample):
        same = known & (bands == np.array(values)[:, None, None]).all(axis=0)
        rest = known & ~same
        if not same.any() or not rest.any():
            continue
        regions = _fill_regions(same, rest, bands, values)
        if regions.any():
            full = np.repeat(np.repeat(regions, step, axis=0), step, axis=1)[
                : valid.shape[0], : valid.shape[1]
            ]
            exact = [band == value for band, value in zip(picked, values, strict=True)]
            yield Fill(values, valid & full & np.logical_and.reduce(exact))


def _candidates(dtype: np.dtype[Any], sample: Sample) -> list[Values]:
    """Return the values that may be fill: 0, full 8-bit white, and in wider types the commonest."""
    if dtype == np.uint8:
        return [(0.0, 0.0, 0.0), (255.0, 255.0, 255.0)]
    some = sample.values[:, :: int(np.ceil(sample.values.shape[1] / _COUNTED))]
    found, counts = np.unique(some, axis=1, return_counts=True)
    best = int(counts.argmax())
    common = tuple(map(float, found[:, best]))
    frequent = counts[best] >= max(_MIN_SHARE * some.shape[1], 4)
    zeros: Values = (0.0, 0.0, 0.0)
    return [zeros, (common[0], common[1], common[2])] if frequent and common != zeros else [zeros]


def _fill_regions(same: Mask, rest: Mask, bands: NDArray[np.float64], values: Values) -> Mask:
    """Return the connected regions of `same` (h, w) that have the shape and the edges of fill."""
    labels, _ = ndimage.label(same)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    others = bands[:, rest]
    contrast = float(np.ptp(np.percentile(others, (2, 98), axis=1), axis=0).max())
    is_white = values[0] >= float(np.percentile(others, 98))
    kept = np.zeros_like(same)
    for number in np.argsort(sizes)[::-1][:_MOST_REGIONS]:
        if sizes[number] < _MIN_REGION or sizes[number] < _MIN_SHARE * same.size:
            break
        region = labels == number
        if _has_shape(region, is_white) and _is_sharp(region, rest, bands, values, contrast, is_white):
            kept |= region
    return kept


def _has_shape(region: Mask, is_white: bool) -> bool:
    """Tell whether a region lies along the border, or is a rectangle."""
    height, width = region.shape
    border = int(region[0].sum() + region[-1].sum() + region[1:-1, 0].sum() + region[1:-1, -1].sum())
    if is_white:
        return float(region.mean()) >= _WHITE_SHARE and border >= _WHITE_BORDER * 2 * (height + width)
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    size = int(region.sum())
    return border >= min(8, height, width) or (size >= _MIN_SQUARE and size == box)


def _is_sharp(
    region: Mask, rest: Mask, bands: NDArray[np.float64], values: Values, contrast: float, is_white: bool
) -> bool:
    """Tell whether values jump at the edge of a region, as they do not around shadows or clouds."""
    around = ndimage.binary_dilation(region, np.ones((3, 3))) & rest
    if not around.any():
        return True
    steps = np.abs(bands[:, around] - np.array(values)[:, None]).max(axis=0)
    needed = (_SHARP_WHITE if is_white else _SHARP) * contrast
    return bool(np.percentile(steps, 20) > needed)
