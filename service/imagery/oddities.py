"""Warnings about a scene whose numbers are possible, but whose picture is not that of usual ground."""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.reflectance import WHITE_REFLECTANCE
from service.errors import LoupeWarning
from service.geotiff.raster import Raster
from service.imagery.bands import COLOURS, BandNumbers
from service.imagery.encodings import ENCODINGS, TEN_THOUSAND, Scaling
from service.imagery.plausibility import doubtful, is_constant, scaled
from service.imagery.samples import Sample

_ALIKE, _MIN_LEVELS = 0.999, 3  # share of the pixels; different values of bands that are the same
_BRIGHT, _COLOURED, _BRIGHT_SHARE = 0.7, 0.25, 0.02  # reflectance; spread over mean; share of the pixels
_NARROW = 0.9  # lowest over highest number: ground varies more, and only snow and clouds are alike
_DARK_PICTURE, _NOT_GREEN, _DIM = 60.0, 0.75, 5.0  # of 255; red over green; a night scene is below
_BLACK_SHARE = 0.2  # of the pixels, exactly 0 in all bands of a picture
_MASK_NAME = re.compile(r"alpha|mask|transparen|valid|opacity", re.IGNORECASE)
_LOST = 0.25  # share of the ground that is valid, but in tiles that are not planned
_RAW_TOP, _RAW_HIGH = 2_047.0, 1_300.0  # largest of 11 bits; reflectance x 10,000 of dark land
_SAMPLES = 1_000_000


def unused_masks(raster: Raster, chosen: BandNumbers) -> Iterator[LoupeWarning]:
    """Warn of a band that is named as transparency or mask, has two values, and is not used as such."""
    for band, name in enumerate(raster.descriptions, 1):
        if band in chosen or not _MASK_NAME.search(name or "") or raster.colours[band - 1] == "alpha":
            continue
        pixels = raster.pixels[band - 1]
        step = int(np.ceil(np.sqrt(pixels.size / _SAMPLES)))
        some = pixels[::step, ::step]
        if len(np.unique(some)) == 2 and some.min() == 0:
            share = float((some == 0).mean())
            yield LoupeWarning(
                code="mask-band-unused",
                detail=f"Band {band} is named {name!r} and is 0 in {share:.1%} of the pixels. Loupe does not "
                "use it as a mask. If 0 means no data, mark it as transparency: gdal_edit.py "
                f"-colorinterp_{band} alpha in.tif.",
                figures={"band": band, "share": round(share, 4)},
            )


def odd_pictures(sample: Sample, scaling: Scaling) -> Iterator[LoupeWarning]:
    """Yield warnings about equal bands, coloured brightness, numbers that hardly vary, and black pixels."""
    if is_constant(sample):
        return
    if said := _alike(sample.values):
        yield LoupeWarning(
            code="bands-alike",
            detail=f"{said} hold the same numbers, so this is not a colour picture. Name the bands with "
            "bands=R,G,B, or send a file with one band for each colour.",
        )
    values = scaled(sample, scaling)
    if scaling.is_colour:
        yield from _odd_colours(sample, values)
    elif _bright_share(values * WHITE_REFLECTANCE) >= _BRIGHT_SHARE:
        yield doubtful(sample, f"Read as {scaling.words}, coloured ground is as bright as snow.")
    elif scaling == ENCODINGS[TEN_THOUSAND] and _may_be_raw(sample):
        yield doubtful(
            sample,
            "No number is above 2,047, and as reflectance x 10,000 they are dark. They may be raw numbers "
            "of 10 or 11 bits, which have another scale.",
        )
    elif sample.high > 0 and sample.low >= _NARROW * sample.high:
        yield doubtful(
            sample, "They hardly differ, as temperatures and heights do, and reflectance does not."
        )


def _alike(values: NDArray[np.float64]) -> str:
    """Return the names of the bands (3, N) that are the same, or nothing."""
    for pair in ((0, 1), (1, 2), (0, 2)):
        one, other = values[pair[0]], values[pair[1]]
        if (one == other).mean() >= _ALIKE and len(np.unique(one[:20_000])) >= _MIN_LEVELS:
            return f"{COLOURS[pair[0]].capitalize()} and {COLOURS[pair[1]]}"
    return ""


def _may_be_raw(sample: Sample) -> bool:
    """Tell dark whole numbers of 10 or 11 bits from dark forests, which are green, and water."""
    red, green, _ = np.median(sample.values, axis=1)
    small = sample.whole and sample.top <= _RAW_TOP and sample.high < _RAW_HIGH
    return bool(small and red >= _NOT_GREEN * green)


def _bright_share(reflectance: NDArray[np.float64]) -> float:
    """Return the share of pixels (3, N) that are as bright as snow or clouds, but coloured."""
    spread = np.ptp(reflectance, axis=0) / np.maximum(np.abs(reflectance).mean(axis=0), 1e-6)
    return float(((reflectance.max(axis=0) >= _BRIGHT) & (spread >= _COLOURED)).mean())


def _odd_colours(sample: Sample, values: NDArray[np.float64]) -> Iterator[LoupeWarning]:
    black = float((sample.values == 0).all(axis=0).mean())
    if black >= _BLACK_SHARE:
        yield LoupeWarning(
            code="black-pixels",
            detail=f"{black:.1%} of the pixels are exactly 0 in red, green and blue, and are used as black "
            "ground. If they are missing, declare it: gdal_edit.py -a_nodata 0 in.tif.",
            figures={"share": round(black, 4)},
        )
    red, green, _ = np.median(values, axis=1) * 255
    if np.percentile(values, 98) * 255 < _DARK_PICTURE and red >= max(_NOT_GREEN * green, _DIM):
        yield doubtful(sample, "As a picture they are dark. They may be reflectance in percent.")


def scattered_holes(valid_share: NDArray[np.float32], usable: NDArray[np.bool_]) -> Iterator[LoupeWarning]:
    """Warn when much ground is valid, but lies in tiles (T,) that have too many holes to be used."""
    shares = valid_share
    lost = float(np.where(usable, 0.0, shares).mean())
    if lost >= _LOST:
        spoilt = int((~usable & (shares > 0)).sum())
        yield LoupeWarning(
            code="scattered-holes",
            detail=f"{lost:.0%} of the scene's ground is valid, but lies in {spoilt} tiles with too "
            "many missing pixels to be planned, such as stripes or single pixels. Fill the "
            "gaps (gdal_fillnodata.py in.tif out.tif) or send a scene without them.",
            figures={"share": round(lost, 4)},
        )
