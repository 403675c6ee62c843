"""The conversion of a raster's numbers to an 8-bit colour image, with a description of how it was done."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from models.reflectance import QUANTIFICATION, WHITE_REFLECTANCE
from service.errors import InvalidInputError, LoupeWarning
from service.geotiff.raster import Gap, Raster
from service.imagery.bands import BandNumbers, choose_bands

BASELINE_0400_OFFSET = -1000.0  # BOA_ADD_OFFSET, digital numbers, processing baseline 04.00 and later
RADIOMETRIES = ("auto", "uint8", "reflectance", "reflectance-1e4", "reflectance-1e4-offset1000")

_ROWS = 1024  # rows converted at a time, to bound the memory of floating-point intermediates


class RadiometryError(InvalidInputError):
    """The radiometry cannot be used: an unknown name, or scale tags of 0."""

    code = "radiometry-unknown"
    title = "This radiometry is not known"


class NoValidPixelsError(InvalidInputError):
    """Every pixel is nodata, transparent or not a number."""

    code = "no-valid-pixels"
    title = "The raster has no valid pixel"


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """A colour image with its place on Earth."""

    rgb: NDArray[np.uint8] = field(repr=False)  # (3, H, W), 0 where not valid
    valid: NDArray[np.bool_] = field(repr=False)  # (H, W)
    transform: Affine  # pixel corner (column, row) -> CRS
    crs: str  # "EPSG:n"
    bands: BandNumbers  # red, green, blue, counted from 1
    bands_from: str  # how the bands were found
    radiometry: str  # how values became 8 bit
    warnings: tuple[LoupeWarning, ...] = ()  # doubts about the reading
    gaps: tuple[Gap, ...] = ()  # why the file's pixels are not valid; empty if all are
    collar: NDArray[np.bool_] | None = field(default=None, repr=False)  # (H, W); see `collar.mark_collar`


@dataclass(frozen=True)
class _Scaling:
    """Scaling by reflectance = gain * (value + shift); `white` becomes 255."""

    gain: tuple[float, float, float]
    shift: tuple[float, float, float]
    white: float
    words: str


def to_imagery(raster: Raster, bands: str | None = None, radiometry: str | None = None) -> Imagery:
    """Make the colour image of a raster.

    `bands` is "R,G,B" counted from 1, `radiometry` one of `RADIOMETRIES`; None lets Loupe choose.
    Raises 422 `bands-ambiguous`, `bands-missing`, `radiometry-unknown` or `no-valid-pixels`.
    """
    chosen, bands_from = choose_bands(raster, bands)
    picked = [raster.pixels[band - 1] for band in chosen]
    valid = _finite(raster.valid, picked)
    scaling = _find_scaling(raster, chosen, radiometry or "auto", valid)
    if scaling.gain[0] != 1.0 and raster.pixels.dtype.kind in "ui":
        valid &= (picked[0] != 0) | (picked[1] != 0) | (picked[2] != 0)  # Sentinel-2: 0 is no data
    if not valid.any():
        raise NoValidPixelsError(
            "Every pixel of the raster is nodata, transparent or not a number. Send a scene with data."
        )
    return Imagery(
        rgb=_to_8_bit(picked, valid, scaling),
        valid=valid,
        transform=raster.transform,
        crs=raster.crs,
        bands=chosen,
        bands_from=bands_from,
        radiometry=scaling.words,
        gaps=raster.gaps,
    )


def _finite(valid: NDArray[np.bool_], picked: list[NDArray[Any]]) -> NDArray[np.bool_]:
    valid = valid.copy()
    for band in picked:
        if band.dtype.kind == "f":
            valid &= np.isfinite(band)
    return valid


def _find_scaling(raster: Raster, bands: BandNumbers, asked: str, valid: NDArray[np.bool_]) -> _Scaling:
    if asked not in RADIOMETRIES:
        raise RadiometryError(
            f"The radiometry {asked[:50]!r} is not known. Use one of {', '.join(RADIOMETRIES)}."
        )
    if asked == "auto":
        scales = _triple(*(raster.scales[band - 1] for band in bands))
        offsets = _triple(*(raster.offsets[band - 1] for band in bands))
        if (set(scales), set(offsets)) != ({1.0}, {0.0}):
            return _by_tags(scales, offsets)
        asked = _guess(raster, bands, valid)
    return {
        "uint8": _same(1.0, 0.0, 255.0, "8-bit colour as it is"),
        "reflectance": _same(1.0, 0.0, WHITE_REFLECTANCE, "reflectance 0..1"),
        "reflectance-1e4": _same(QUANTIFICATION, 0.0, WHITE_REFLECTANCE, "reflectance x 10,000"),
        "reflectance-1e4-offset1000": _same(
            QUANTIFICATION,
            BASELINE_0400_OFFSET,
            WHITE_REFLECTANCE,
            "reflectance x 10,000 with an offset of 1,000",
        ),
    }[asked]


def _guess(raster: Raster, bands: BandNumbers, valid: NDArray[np.bool_]) -> str:
    if raster.pixels.dtype == np.uint8:
        return "uint8"
    if raster.pixels.dtype.kind != "f":
        return "reflectance-1e4"
    largest = max(float(raster.pixels[band - 1].max(where=valid, initial=-np.inf)) for band in bands)
    return "reflectance" if largest <= 2 else "reflectance-1e4"


def _by_tags(scales: tuple[float, float, float], offsets: tuple[float, float, float]) -> _Scaling:
    if not all(scales):
        raise RadiometryError("The file's tags scale a band by 0. Set radiometry= to override them.")
    shift = _triple(*(offset / scale for scale, offset in zip(scales, offsets, strict=True)))
    return _Scaling(
        scales, shift, WHITE_REFLECTANCE, _with_white("reflectance by the file's scale and offset tags")
    )


def _same(gain: float, shift: float, white: float, words: str) -> _Scaling:
    full = words if white == 255.0 else _with_white(words)
    return _Scaling((gain,) * 3, (shift,) * 3, white, full)


def _with_white(source: str) -> str:
    return f"{source}, {WHITE_REFLECTANCE} becoming 255 (ESA's true-colour image)"


def _triple(*values: float) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def _to_8_bit(picked: list[NDArray[Any]], valid: NDArray[np.bool_], scaling: _Scaling) -> NDArray[np.uint8]:
    """Compute round(255 * clip(reflectance / white, 0, 1)) where valid, else 0."""
    rgb = np.zeros((3, *valid.shape), np.uint8)
    for out, band, gain, shift in zip(rgb, picked, scaling.gain, scaling.shift, strict=True):
        if band.dtype == np.uint8 and scaling.white == 255.0:
            np.copyto(out, band, where=valid)
            continue
        for top in range(0, len(valid), _ROWS):
            rows = slice(top, top + _ROWS)
            value = (band[rows].astype(np.float64) + shift) * (gain * 255.0 / scaling.white)
            np.copyto(out[rows], np.rint(np.clip(value, 0, 255)), where=valid[rows], casting="unsafe")
    return rgb
