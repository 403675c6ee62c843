"""The known ways to write reflectance or colours as numbers, and how each becomes 8 bit."""

import math
import re
from dataclasses import dataclass

from models.reflectance import QUANTIFICATION, WHITE_REFLECTANCE
from service.errors import InvalidInputError

BASELINE_0400_OFFSET = -1000.0  # BOA_ADD_OFFSET, digital numbers, processing baseline 04.00 and later
LANDSAT_SCALE, LANDSAT_OFFSET = 2.75e-5, -0.2  # Landsat Collection 2 Level-2, surface reflectance
RANGE = "range:LOW-HIGH"

Three = tuple[float, float, float]


class RadiometryError(InvalidInputError):
    """The radiometry cannot be used: an unknown name, or scale tags of 0."""

    code = "radiometry-unknown"
    title = "This radiometry is not known"


@dataclass(frozen=True)
class Scaling:
    """Scaling by reflectance = gain * (value + shift); `white` becomes 255."""

    gain: Three
    shift: Three
    white: float
    words: str

    @property
    def is_colour(self) -> bool:
        """Whether the numbers are the colours of a picture, and not reflectance."""
        return self.white != WHITE_REFLECTANCE


def reflectance(gain: float, shift: float, words: str) -> Scaling:
    """Return the scaling of reflectance that has one gain and shift in all bands."""
    return Scaling((gain,) * 3, (shift,) * 3, WHITE_REFLECTANCE, with_white(words))


def display(low: float, high: float, words: str) -> Scaling:
    """Return the scaling of a picture that is black at `low` and white at `high`."""
    return Scaling((1 / (high - low),) * 3, (-low,) * 3, 1.0, words)


def with_white(source: str) -> str:
    """Return a description of a reflectance with the reflectance that becomes white."""
    return f"{source}, {WHITE_REFLECTANCE} becoming 255 (ESA's true-colour image)"


def is_reflectance_described(words: str) -> bool:
    """Say whether a description is that of a reflectance, as satellite products of 10 m and more hold it."""
    return words.endswith(with_white(""))


EIGHT_BIT = "uint8"
UNIT, TEN_THOUSAND, OFFSET_1000 = "reflectance", "reflectance-1e4", "reflectance-1e4-offset1000"
PERCENT, FULL_16_BIT, LANDSAT = "reflectance-percent", "reflectance-65535", "landsat-collection2"

ENCODINGS = {
    EIGHT_BIT: Scaling((1.0,) * 3, (0.0,) * 3, 255.0, "8-bit colour as it is"),
    UNIT: reflectance(1.0, 0.0, "reflectance 0..1"),
    TEN_THOUSAND: reflectance(QUANTIFICATION, 0.0, "reflectance x 10,000"),
    OFFSET_1000: reflectance(
        QUANTIFICATION, BASELINE_0400_OFFSET, "reflectance x 10,000 with an offset of 1,000"
    ),
    PERCENT: reflectance(0.01, 0.0, "reflectance in percent"),
    FULL_16_BIT: reflectance(1 / 65535, 0.0, "reflectance x 65,535"),
    LANDSAT: reflectance(
        LANDSAT_SCALE, LANDSAT_OFFSET / LANDSAT_SCALE, "Landsat Collection 2 (x 0.0000275 - 0.2)"
    ),
}
RADIOMETRIES = ("auto", *ENCODINGS, RANGE)


def encoding_described(words: str) -> str | None:
    """Return the name of the encoding that is described by these words, or None."""
    return next((name for name, scaling in ENCODINGS.items() if scaling.words == words), None)


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"
_RANGE = re.compile(rf"range:({_NUMBER})-({_NUMBER})", re.ASCII | re.IGNORECASE)


def named_scaling(name: str) -> Scaling:
    """Return the scaling of a radiometry other than `auto`; 422 `radiometry-unknown` for any other text."""
    if name in ENCODINGS:
        return ENCODINGS[name]
    match = _RANGE.fullmatch(name)
    low, high = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if low < high and math.isfinite(high - low) and high - low > 1e-12:
        return display(low, high, f"colours from {low:g} (black) to {high:g} (white), as asked for")
    raise RadiometryError(
        f"The radiometry {name[:50]!r} is not known. Use one of {', '.join(RADIOMETRIES)}, "
        "where LOW and HIGH are the numbers that become black and white, such as range:0-4000."
    )
