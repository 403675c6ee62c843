"""Which pixels of a raster are data: one rule for all types, and a warning for what the file leaves out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError, LoupeWarning
from service.geotiff.raster import Gap, Raster
from service.imagery.fill import Fill, find_impossible, find_regions
from service.imagery.samples import Sample, take_sample

Mask = NDArray[np.bool_]
_LIT, _MISSING_SHARE = 110, 0.02  # of 255, brighter than water; share of the valid pixels
_REPORTED = 0.001  # share of the pixels from which undeclared zeros of whole-number reflectance are reported


class NoValidPixelsError(InvalidInputError):
    """Every pixel is nodata, transparent or not a number."""

    code = "no-valid-pixels"
    title = "The raster has no valid pixel"


@dataclass(frozen=True)
class DataPixels:
    """The valid pixels of a raster, and why others are not valid."""

    valid: Mask = field(repr=False)  # (H, W)
    warnings: tuple[LoupeWarning, ...]  # one for each undeclared fill
    gaps: tuple[Gap, ...]  # declared and undeclared reasons


def find_valid(raster: Raster, picked: Sequence[NDArray[Any]], *, by_shape: bool) -> DataPixels:
    """Return the valid pixels of the three bands in use; 422 `no-valid-pixels` when there is none.

    `by_shape` also leaves out regions that have the shape of fill, and refuses an 8-bit raster of zeros. It
    is for scenes: black in a delivery is compared with the scene, and may be accepted.
    """
    valid = raster.valid.copy()
    for band in picked:
        if band.dtype.kind == "f":
            valid &= np.isfinite(band)
    _check_any(valid)
    valid &= ~_declared(raster.nodata, picked, valid)
    _check_any(valid)
    warnings = () if raster.false_alpha is None else (_false_alpha(raster.false_alpha),)
    data = DataPixels(valid, warnings, raster.gaps)
    for find in (find_impossible, find_regions) if by_shape else (find_impossible,):
        for fill in list(find(picked, data.valid, take_sample(picked, data.valid))):
            data = _without(data, fill)
    if by_shape or picked[0].dtype != np.uint8:
        _check_any(data.valid & np.logical_or.reduce([band != 0 for band in picked]))
    return data


def drop_zeros(picked: Sequence[NDArray[Any]], data: DataPixels) -> DataPixels:
    """Leave out pixels of whole-number reflectance that are 0 in all bands, as in Sentinel-2 products."""
    zero = data.valid & (picked[0] == 0) & (picked[1] == 0) & (picked[2] == 0)
    return _without(data, Fill((0.0, 0.0, 0.0), zero), reported=_REPORTED)


def missing_bands(
    picked: Sequence[NDArray[Any]], rgb: NDArray[np.uint8], valid: Mask
) -> Iterator[LoupeWarning]:
    """Warn of a band that is exactly 0 where another one is bright: no surface looks so, a lost band does.

    `picked` has the bands (H, W) as stored, `rgb` (3, H, W) the colours made of them.
    """
    lit = valid & (rgb.max(axis=0) >= _LIT)
    for colour, band in zip(("red", "green", "blue"), picked, strict=True):
        share = float((lit & (band == 0)).sum() / valid.sum())
        if share >= _MISSING_SHARE:
            yield LoupeWarning(
                code="band-missing-in-part",
                detail=f"{colour.capitalize()} is exactly 0 in {share:.1%} of the valid pixels, although "
                f"another band is bright there, as if {colour} were missing. The pixels "
                "are used as they are. Send a file in which every band covers the whole scene.",
                figures={"band": colour, "share": round(share, 4)},
            )


def _without(data: DataPixels, fill: Fill, reported: float = 0.0) -> DataPixels:
    """Leave out the pixels of a fill, and report them if their share is above `reported`."""
    share = float((fill.pixels & data.valid).mean())
    if not share:
        return data
    valid = data.valid & ~fill.pixels
    _check_any(valid)
    gaps = (*data.gaps, Gap(cause=f"undeclared fill ({fill.words})", share=share))
    warnings = (*data.warnings, _undeclared_fill(fill.words, share)) if share > reported else data.warnings
    return DataPixels(valid, warnings, gaps)


def _undeclared_fill(value: str, share: float) -> LoupeWarning:
    """Return the warning about pixels that were taken for nodata although the file does not say so."""
    size = f"{share:.1%}" if share >= _REPORTED else "Less than 0.1%"
    return LoupeWarning(
        code="undeclared-nodata",
        detail=f"{size} of the pixels hold {value} in red, green and blue, which looks like fill, but the "
        "file does not declare it as nodata. Loupe leaves these pixels out. Declare it with gdal_edit.py "
        f"-a_nodata {value.partition(',')[0]}.",
        figures={"value": value, "share": round(share, 4)},
    )


def _declared(nodata: float | None, picked: Sequence[NDArray[Any]], valid: Mask) -> Mask:
    """Return the pixels that the declared nodata value marks.

    A value that a dark or bright surface can have (0, or one near the others) counts when all three bands
    hold it; a value far from all others counts in one band.
    """
    if nodata is None or not np.isfinite(nodata):
        return np.zeros_like(valid)
    equal = [_equals(band, nodata) for band in picked]
    everywhere: Mask = np.logical_and.reduce(equal)
    anywhere: Mask = np.logical_or.reduce(equal)
    rest = valid & ~anywhere
    if not rest.any() or not _is_far(nodata, picked[0].dtype, take_sample(picked, rest)):
        return everywhere
    return anywhere


def _equals(band: NDArray[Any], value: float) -> Mask:
    if band.dtype.kind == "f":
        return np.asarray(band == band.dtype.type(value))
    limits = np.iinfo(band.dtype)
    if value != int(value) or not limits.min <= value <= limits.max:
        return np.zeros(band.shape, np.bool_)
    return np.asarray(band == band.dtype.type(value))


def _is_far(nodata: float, dtype: np.dtype[Any], sample: Sample) -> bool:
    if dtype == np.uint8 or nodata == 0:
        return False
    span = max(sample.high - sample.low, abs(sample.high))
    return not sample.low - span <= nodata <= sample.high + span


def _check_any(valid: Mask) -> None:
    if not valid.any():
        raise NoValidPixelsError(
            "Every pixel of the raster is nodata, transparent, 0 or not a number. Send a raster with data."
        )


def _false_alpha(band: int) -> LoupeWarning:
    return LoupeWarning(
        code="alpha-not-transparency",
        detail=f"Band {band} is marked as transparency (alpha), but its values are those of a measured band, "
        "such as near infrared. Loupe does not use it as transparency. If it is, write only 0 and 255.",
        figures={"band": band},
    )
