"""From bands and numbers to an 8-bit colour image, saying in words how it was done.

Bands are found by description, then by colour interpretation, then by the documented order of files of
their kind; when none of these settles it the client must say `bands=R,G,B`.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.geotiff.errors import BandsAmbiguousError, BandsMissingError, NoValidPixelsError, RadiometryError
from service.geotiff.raster import Raster

# ESA's true-colour image: 255 at DN 3558 of reflectance x 10,000
# (Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, TCI of Level-1C).
WHITE_REFLECTANCE = 0.3558
QUANTIFICATION = 1e-4  # reflectance of one digital number, Sentinel-2 L1C and L2A
BASELINE_0400_OFFSET = -1000.0  # BOA_ADD_OFFSET, digital numbers, processing baseline 04.00 and later
RADIOMETRIES = ("auto", "uint8", "reflectance", "reflectance-1e4", "reflectance-1e4-offset1000")

_NAMES = (
    frozenset({"red", "b4", "b04", "r"}),
    frozenset({"green", "b3", "b03", "g"}),
    frozenset({"blue", "b2", "b02", "b"}),
)
_NOT_VISIBLE = frozenset({"edge", "rededge", "nir", "near", "infra", "infrared", "swir", "coastal"})
_OTHER_BAND = re.compile(r"b(0?1|0?[5-9]|8a|1[0-2])")
_ROWS = 1024  # rows converted at a time: bounds the memory of floating-point intermediates

Bands = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Imagery:
    """A colour image with its place on Earth."""

    rgb: NDArray[np.uint8] = field(repr=False)  # (3, H, W), 0 where not valid
    valid: NDArray[np.bool_] = field(repr=False)  # (H, W)
    transform: Affine  # pixel corner (column, row) -> CRS
    crs: str  # "EPSG:n"
    bands: Bands  # red, green, blue, counted from 1
    bands_from: str  # how they were found
    radiometry: str  # how values became 8 bit


@dataclass(frozen=True)
class _Scaling:
    """reflectance = gain * (value + shift); `white` is what becomes 255."""

    gain: tuple[float, float, float]
    shift: tuple[float, float, float]
    white: float
    words: str


def to_imagery(raster: Raster, bands: str | None = None, radiometry: str | None = None) -> Imagery:
    """Make the colour image of a raster.

    `bands` is "R,G,B" counted from 1, `radiometry` one of `RADIOMETRIES`; both are found out when None.
    Raises 422 `bands-ambiguous`, `bands-missing`, `radiometry-unknown` or `no-valid-pixels`.
    """
    chosen, bands_from = _parse_bands(bands, len(raster.pixels)) if bands else _find_bands(raster)
    picked = [raster.pixels[band - 1] for band in chosen]
    valid = _finite(raster.valid, picked)
    scaling = _find_scaling(raster, chosen, radiometry or "auto", valid)
    if scaling.gain[0] != 1.0 and raster.pixels.dtype.kind in "ui":
        valid &= (picked[0] != 0) | (picked[1] != 0) | (picked[2] != 0)  # Sentinel-2: 0 is no data
    if not valid.any():
        raise NoValidPixelsError("Every pixel of the raster is nodata, transparent or not a number.")
    return Imagery(
        rgb=_to_8_bit(picked, valid, scaling),
        valid=valid,
        transform=raster.transform,
        crs=raster.crs,
        bands=chosen,
        bands_from=bands_from,
        radiometry=scaling.words,
    )


def _parse_bands(text: str, count: int) -> tuple[Bands, str]:
    numbers = [int(part) for part in re.findall(r"\d{1,5}", text)]
    if not re.fullmatch(r"\s*\d{1,5}\s*,\s*\d{1,5}\s*,\s*\d{1,5}\s*", text, re.ASCII) or not all(
        1 <= number <= count for number in numbers
    ):
        raise BandsAmbiguousError(
            f"bands={text[:50]!r} is not three band numbers of 1 to {count}: "
            "write bands=R,G,B, such as bands=4,3,2.",
            band_count=count,
        )
    return (numbers[0], numbers[1], numbers[2]), "as asked for (bands=)"


def _find_bands(raster: Raster) -> tuple[Bands, str]:
    spectral = [band for band, colour in enumerate(raster.colours, 1) if colour != "alpha"]
    if len(spectral) < 3:
        raise BandsMissingError(
            f"The raster has {len(spectral)} of the three bands needed (red, green, blue), "
            "transparency not counted.",
            band_count=len(spectral),
        )
    return _by_description(raster) or _by_colour(raster) or _by_order(raster, len(spectral))


def _by_description(raster: Raster) -> tuple[Bands, str] | None:
    """Bands whose descriptions name red, green and blue; 422 when they name bands but not those three."""
    words = [frozenset(re.findall(r"[a-z0-9]+", (text or "").lower())) for text in raster.descriptions]
    found = [
        [band for band, said in enumerate(words, 1) if said & names and not said & _NOT_VISIBLE]
        for names in _NAMES
    ]
    if all(len(candidates) == 1 for candidates in found):
        names = ", ".join(str(raster.descriptions[candidates[0] - 1]) for candidates in found)
        return (found[0][0], found[1][0], found[2][0]), f"by their descriptions ({names})"
    named = any(found) or any(said & _NOT_VISIBLE or any(map(_OTHER_BAND.fullmatch, said)) for said in words)
    if named:
        raise _ambiguous(raster, "their descriptions do not name one red, one green and one blue band")
    return None


def _by_colour(raster: Raster) -> tuple[Bands, str] | None:
    if any(raster.colours.count(colour) != 1 for colour in ("red", "green", "blue")):
        return None
    red, green, blue = (raster.colours.index(colour) + 1 for colour in ("red", "green", "blue"))
    return (red, green, blue), "by the file's colour interpretation"


def _by_order(raster: Raster, count: int) -> tuple[Bands, str]:
    """The documented order of files with this many bands (docs/inputs.md)."""
    orders: dict[int, tuple[Bands, str]] = {
        3: ((1, 2, 3), "red, green, blue"),
        10: ((3, 2, 1), "Sentinel-2 B02, B03, B04, ... (the 10 and 20 m bands)"),
        12: ((4, 3, 2), "Sentinel-2 B01, B02, B03, B04, ... (Level-2A)"),
        13: ((4, 3, 2), "Sentinel-2 B01, B02, B03, B04, ... (Level-1C)"),
    }
    orders[4] = ((3, 2, 1), "blue, green, red, near infrared (Sentinel-2's 10 m bands)")
    if raster.pixels.dtype == np.uint8:
        orders[4] = ((1, 2, 3), "red, green, blue, near infrared (as NAIP)")
    if count not in orders:
        raise _ambiguous(raster, f"files of {count} bands have no customary order")
    bands, words = orders[count]
    return bands, f"by the customary order of {count} {raster.pixels.dtype} bands: {words}"


def _ambiguous(raster: Raster, why: str) -> BandsAmbiguousError:
    return BandsAmbiguousError(
        f"Red, green and blue cannot be told among the raster's {len(raster.pixels)} bands: {why}. "
        "Name them, counted from 1, with bands=R,G,B, such as bands=4,3,2.",
        band_count=len(raster.pixels),
        descriptions=list(raster.descriptions),
        remedy="bands=R,G,B",
    )


def _finite(valid: NDArray[np.bool_], picked: list[NDArray[Any]]) -> NDArray[np.bool_]:
    valid = valid.copy()
    for band in picked:
        if band.dtype.kind == "f":
            valid &= np.isfinite(band)
    return valid


def _find_scaling(raster: Raster, bands: Bands, asked: str, valid: NDArray[np.bool_]) -> _Scaling:
    if asked not in RADIOMETRIES:
        raise RadiometryError(f"radiometry={asked[:50]!r} is none of {', '.join(RADIOMETRIES)}.")
    if asked == "auto":
        scales = _thrice(*(raster.scales[band - 1] for band in bands))
        offsets = _thrice(*(raster.offsets[band - 1] for band in bands))
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


def _guess(raster: Raster, bands: Bands, valid: NDArray[np.bool_]) -> str:
    if raster.pixels.dtype == np.uint8:
        return "uint8"
    if raster.pixels.dtype.kind != "f":
        return "reflectance-1e4"
    largest = max(float(raster.pixels[band - 1].max(where=valid, initial=-np.inf)) for band in bands)
    return "reflectance" if largest <= 2 else "reflectance-1e4"


def _by_tags(scales: tuple[float, float, float], offsets: tuple[float, float, float]) -> _Scaling:
    if not all(scales):
        raise RadiometryError("The file's tags scale a band by 0. Say radiometry= to overrule them.")
    shift = _thrice(*(offset / scale for scale, offset in zip(scales, offsets, strict=True)))
    return _Scaling(
        scales, shift, WHITE_REFLECTANCE, _words("reflectance by the file's scale and offset tags")
    )


def _same(gain: float, shift: float, white: float, words: str) -> _Scaling:
    full = words if white == 255.0 else _words(words)
    return _Scaling((gain,) * 3, (shift,) * 3, white, full)


def _words(source: str) -> str:
    return f"{source}, {WHITE_REFLECTANCE} becoming 255 (ESA's true-colour image)"


def _thrice(*values: float) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def _to_8_bit(picked: list[NDArray[Any]], valid: NDArray[np.bool_], scaling: _Scaling) -> NDArray[np.uint8]:
    """round(255 * clip(reflectance / white, 0, 1)) where valid, else 0."""
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
