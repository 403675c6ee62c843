"""The encoding of numbers whose file does not declare one, recognised by their range."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.imagery import encodings
from service.imagery.encodings import ENCODINGS, Scaling, display
from service.imagery.plausibility import is_colourless
from service.imagery.samples import Sample

_BITS = {10: 1023.0, 11: 2047.0, 12: 4095.0, 14: 16383.0, 16: 65535.0}
_SHIFTED = {12: 4080.0, 16: 65280.0}  # 8 bit times a power of two
_MIN_LEVELS = 12  # different values from which a grid of 8-bit levels is no chance
_FLOAT_REFLECTANCE = 2.0  # the 98th percentile of reflectance is below it, single glints may be above
_UNIFORM = 60.0  # range of a band; an 8-bit picture of more than one surface has a larger one
_DARK_WATER = 120.0  # blue of dark water x 10,000; an 8-bit picture of water is darker
_PERCENT, _PERCENT_OR_PICTURE = 45.0, 110.0
_DARK = 550.0  # reflectance x 10,000 below which land that is not green may be raw numbers of 11 bits
_BRIGHT_1E4, _MOST_1E4 = 6_500.0, 17_000.0  # Landsat's darkest surfaces; the brightest clouds x 10,000
_MOST_LANDSAT = 43_700.0  # a reflectance of 1
_STANDARDISED, _NEGATIVE_SHARE = 0.3, 0.1  # lowest over highest number; share of the pixels below 0
_PILE_SHARE = 0.002  # share of pixels at 2^n - 1 from which a picture of n bits is suspected


@dataclass(frozen=True)
class Recognised:
    """An encoding, and what makes it doubtful."""

    scaling: Scaling
    note: str = ""  # a doubt about what is carried out: a sentence, or nothing
    unclear: str = ""  # why no encoding is likely enough: a sentence, or nothing


def recognise(sample: Sample, dtype: np.dtype[np.generic], *, landsat: bool) -> Recognised:
    """Return the encoding of undeclared numbers; `landsat` says that the names are Landsat's (SR_B4)."""
    if dtype == np.uint8:
        return Recognised(ENCODINGS[encodings.EIGHT_BIT])
    if grid := _eight_bit_grid(sample, dtype):
        words = f"8-bit colours stretched to 0..{grid:,.0f}"
        note = f"Their levels are those of an 8-bit picture stretched to 0..{grid:,.0f}, and are read so."
        return Recognised(display(0, grid, words), note)
    if dtype.kind == "f" and sample.high <= _FLOAT_REFLECTANCE:
        return Recognised(ENCODINGS[encodings.UNIT])
    return _beyond_unit(sample, landsat=landsat)


def _beyond_unit(sample: Sample, *, landsat: bool) -> Recognised:
    """Return the encoding of numbers that are neither 8-bit levels nor reflectance 0..1."""
    if (
        not sample.whole
        and sample.low < -_STANDARDISED * sample.high
        and (sample.values < 0).any(axis=0).mean() > _NEGATIVE_SHARE
    ):
        why = "Many are negative, as standardised values (mean 0) and decibels are, and reflectance is not."
        return Recognised(ENCODINGS[encodings.UNIT], unclear=why)
    if sample.high <= 255 and sample.top <= 300:
        return _small_whole(sample) if sample.whole else _small_fractions(sample)
    if landsat and sample.low >= _BRIGHT_1E4 and sample.high <= 65_535:
        note = "The band names and the range are those of Landsat Collection 2, and are read so."
        return Recognised(ENCODINGS[encodings.LANDSAT], note)
    return _thousands(sample)


def _eight_bit_grid(sample: Sample, dtype: np.dtype[np.generic]) -> float | None:
    """Return the white of a picture whose numbers are all 8-bit levels stretched to it, or None."""
    values = sample.values[:, :20_000]
    levels = np.unique(values)
    if not _MIN_LEVELS <= len(levels) <= 256 or levels[0] < 0:
        return None
    if dtype.kind == "f" and levels[-1] <= 1.0:
        return 1.0 if _fits(levels, 1 / 255, 1e-6) else None
    for white in (*_BITS.values(), *_SHIFTED.values()):
        if 255 < levels[-1] <= white and _fits(levels, white / 255, 0.51 if white in _BITS.values() else 0):
            return white
    return None


def _fits(levels: NDArray[np.float64], step: float, tolerance: float) -> bool:
    return bool((np.abs(levels - np.rint(levels / step) * step) <= tolerance).all())


def _small_whole(sample: Sample) -> Recognised:
    """Tell whole numbers of 0..255 that are colours from those that are dark water x 10,000."""
    if sample.low < 0:
        note = "Some are negative, so they are read as reflectance x 10,000 of dark water."
        return Recognised(ENCODINGS[encodings.TEN_THOUSAND], note)
    medians = np.median(sample.values, axis=1)
    uniform = float((sample.highs - sample.lows).max()) < _UNIFORM
    if uniform and medians[2] >= medians[1] >= medians[0] and sample.high >= _DARK_WATER:
        note = "They are read as reflectance x 10,000 of dark water. They may be 8-bit colours."
        return Recognised(ENCODINGS[encodings.TEN_THOUSAND], note)
    note = "They are read as 8-bit colours, because reflectance x 10,000 would be nearly black."
    return Recognised(Scaling((1.0,) * 3, (0.0,) * 3, 255.0, "8-bit colours 0..255 in a wider type"), note)


def _small_fractions(sample: Sample) -> Recognised:
    """Tell fractions of 2..255 that are percent from those that are colours."""
    if sample.high <= _PERCENT:
        return Recognised(ENCODINGS[encodings.PERCENT], "They are read as reflectance in percent.")
    picture = display(0, 255, "colours 0..255 as fractions")
    if sample.high <= _PERCENT_OR_PICTURE:
        return Recognised(picture, unclear="They can be percent, or colours of 0..255.")
    return Recognised(picture, "They are read as colours of 0..255.")


def _thousands(sample: Sample) -> Recognised:
    """Tell reflectance x 10,000 from Landsat's numbers and from pictures of more than 8 bits."""
    usual = ENCODINGS[encodings.TEN_THOUSAND]
    if sample.high <= _MOST_1E4:
        if sample.low < _BRIGHT_1E4 or is_colourless(sample.values):
            return Recognised(usual, _pile_note(sample) or _dark_note(sample))
        return Recognised(
            usual,
            unclear="They are too bright for reflectance x 10,000, and may be Landsat's numbers or radiance.",
        )
    if sample.low >= _BRIGHT_1E4 and sample.high <= _MOST_LANDSAT:
        note = "The range is that of Landsat Collection 2 (x 0.0000275 - 0.2), and is read so."
        return Recognised(ENCODINGS[encodings.LANDSAT], note)
    picture = display(0, 65_535, "colours 0..65,535")
    stretched = ENCODINGS[encodings.FULL_16_BIT]
    guess = picture if sample.high > 32_768 or sample.high > 65_535 else stretched
    why = (
        "They are too bright for reflectance x 10,000. They may be reflectance x 65,535 or a 16-bit picture."
    )
    return Recognised(guess, unclear=why)


def _pile_note(sample: Sample) -> str:
    """Return a doubt if many pixels hold exactly the largest number of 10 to 14 bits."""
    top = sample.top
    if top in tuple(_BITS.values())[:-1] and (sample.values == top).any(axis=0).mean() >= _PILE_SHARE:
        return (
            f"Many pixels hold exactly {top:,.0f}, as in a picture of that range. They are read as "
            f"reflectance x 10,000. If they are a picture, send radiometry=range:0-{top:.0f}."
        )
    return ""


def _dark_note(sample: Sample) -> str:
    """Return a doubt if land is darker than reflectance x 10,000 usually is."""
    red, green, blue = np.median(sample.values, axis=1)
    if sample.high < _DARK and red >= min(green, blue):
        return (
            "As reflectance x 10,000 they are dark. They may be raw numbers (of 10 or 11 bits), which have "
            "another scale."
        )
    return ""
