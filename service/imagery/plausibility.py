"""Whether a picture that a scaling would make can be a picture of the ground, judged by its range."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.reflectance import WHITE_REFLECTANCE
from service.errors import InvalidInputError, LoupeWarning
from service.imagery.encodings import ENCODINGS, RADIOMETRIES, Scaling
from service.imagery.samples import Sample

_BLACK = 3.0  # of 255: if 98 % of the pixels are darker, nothing can be seen
_NEGATIVE, _NEGATIVE_SHARE = -0.03, 0.1  # reflectance below this in a tenth of the pixels is no dark water
_WHITE_SHARE = 0.95  # of the pixels, white in all bands
_COLOURLESS = 0.1  # spread of the bands over their mean; snow and clouds are below
_BRIGHTEST = 1.7  # reflectance; snow and clouds in low sun reach it, other surfaces do not
_CONSTANT = "constant-raster"


class RadiometryImplausibleError(InvalidInputError):
    """The numbers of the raster cannot be what they are read as."""

    code = "radiometry-implausible"
    title = "The pixel values are not plausible"


class Look(StrEnum):
    """A picture's look as a whole."""

    PLAUSIBLE = "plausible"
    BLACK = "nearly black"
    NEGATIVE = "below a reflectance of 0"
    WHITE = "nearly all white"
    SNOW = "nearly all white, and colourless as snow or clouds are"

    @property
    def is_possible(self) -> bool:
        """Whether some ground or sky looks like this."""
        return self in (Look.PLAUSIBLE, Look.SNOW)


def look_of(sample: Sample, scaling: Scaling) -> Look:
    """Judge the picture that a scaling makes of a sample."""
    values = scaled(sample, scaling)  # 1 becomes white
    if np.percentile(values, 98, axis=1).max() * 255 < _BLACK:
        return Look.BLACK
    negative = (values < _NEGATIVE / WHITE_REFLECTANCE).any(axis=0).mean()
    if not scaling.is_colour and negative > _NEGATIVE_SHARE:
        return Look.NEGATIVE
    if (values >= 1).all(axis=0).mean() < _WHITE_SHARE:
        return Look.PLAUSIBLE
    bright = np.percentile(values, 98, axis=1).max() * WHITE_REFLECTANCE
    possible = is_colourless(values) and (scaling.is_colour or bright <= _BRIGHTEST)
    return Look.SNOW if possible else Look.WHITE


def scaled(sample: Sample, scaling: Scaling) -> NDArray[np.float64]:
    """Return a sample's values (3, N) as a share of white."""
    shift, gain = np.array(scaling.shift)[:, None], np.array(scaling.gain)[:, None]
    return np.asarray((sample.values + shift) * gain / scaling.white)


def is_colourless(values: NDArray[np.float64]) -> bool:
    """Tell whether red, green and blue (3, N) are nearly alike in most pixels."""
    mean = np.abs(values).mean(axis=0)
    spread = np.ptp(values, axis=0) / np.where(mean > 0, mean, 1)
    return bool(np.median(spread) < _COLOURLESS)


def implausible(sample: Sample, scaling: Scaling, look: Look) -> RadiometryImplausibleError:
    """Return the refusal of a picture that no ground looks like."""
    return RadiometryImplausibleError(
        f"Red, green and blue lie {sample.words()}. Read as {scaling.words}, the picture is {look}. "
        f"{remedy(sample)}",
        measured=sample.figures(),
        read_as=scaling.words,
        look=str(look),
        remedy=list(RADIOMETRIES),
    )


def unclear(sample: Sample, why: str) -> RadiometryImplausibleError:
    """Return the refusal of numbers that have more than one likely meaning."""
    return RadiometryImplausibleError(
        f"Red, green and blue lie {sample.words()}. {why} {remedy(sample)}",
        measured=sample.figures(),
        remedy=list(RADIOMETRIES),
    )


def _short(number: float) -> str:
    """Write a number for an option: whole from 1,000 on, else with four significant digits."""
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def remedy(sample: Sample) -> str:
    """Say which options state what the numbers mean."""
    low, high = (_short(number) for number in (sample.low, sample.high))
    names = ", ".join(ENCODINGS)
    return (
        f"State what the numbers are with radiometry= ({names}), or which become black and white, such as "
        f"radiometry=range:{low if float(low) < float(high) else 0}-{high}; or send surface reflectance."
    )


def doubtful(sample: Sample, why: str) -> LoupeWarning:
    """Return a warning about numbers that were read in spite of a doubt."""
    return LoupeWarning(
        code="radiometry-doubtful",
        detail=f"Red, green and blue lie {sample.words()}. {why} {remedy(sample)}",
        figures=sample.figures(),
    )


def is_constant(sample: Sample) -> bool:
    """Tell whether every pixel has the same colour."""
    return bool((sample.values == sample.values[:, :1]).all())
