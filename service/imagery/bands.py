"""The choice of the red, green and blue bands of a raster.

Bands are found by description, then by colour interpretation, then by the documented order of files of
their kind. If none of these settles it, the client must say `bands=R,G,B`.
"""

import re

import numpy as np

from service.errors import InvalidInputError
from service.geotiff.raster import Raster

BandNumbers = tuple[int, int, int]

_NAMES = (
    frozenset({"red", "b4", "b04", "r"}),
    frozenset({"green", "b3", "b03", "g"}),
    frozenset({"blue", "b2", "b02", "b"}),
)
_NOT_VISIBLE = frozenset({"edge", "rededge", "nir", "near", "infra", "infrared", "swir", "coastal"})
_OTHER_BAND = re.compile(r"b(0?1|0?[5-9]|8a|1[0-2])")


class BandsAmbiguousError(InvalidInputError):
    """The file does not tell which bands are red, green and blue."""

    code = "bands-ambiguous"
    title = "The red, green and blue bands are ambiguous"


class BandsMissingError(InvalidInputError):
    """The file has fewer than the three bands of a colour image."""

    code = "bands-missing"
    title = "The raster has too few bands"


def choose_bands(raster: Raster, asked: str | None) -> tuple[BandNumbers, str]:
    """Return red, green and blue, counted from 1, and how they were found; `asked` is "R,G,B" or None."""
    return _parse_bands(asked, len(raster.pixels)) if asked else _find_bands(raster)


def _parse_bands(text: str, count: int) -> tuple[BandNumbers, str]:
    numbers = [int(part) for part in re.findall(r"\d{1,5}", text)]
    if not re.fullmatch(r"\s*\d{1,5}\s*,\s*\d{1,5}\s*,\s*\d{1,5}\s*", text, re.ASCII) or not all(
        1 <= number <= count for number in numbers
    ):
        raise BandsAmbiguousError(
            f"bands={text[:50]!r} is not three band numbers of 1 to {count}. "
            "Write bands=R,G,B, such as bands=4,3,2.",
            band_count=count,
        )
    return (numbers[0], numbers[1], numbers[2]), "as asked for (bands=)"


def _find_bands(raster: Raster) -> tuple[BandNumbers, str]:
    spectral = [band for band, colour in enumerate(raster.colours, 1) if colour != "alpha"]
    if len(spectral) < 3:
        raise BandsMissingError(
            f"The raster has {len(spectral)} of the three bands needed (red, green, blue), "
            "not counting transparency. Send a colour image.",
            band_count=len(spectral),
        )
    return _by_description(raster) or _by_colour(raster) or _by_order(raster, len(spectral))


def _by_description(raster: Raster) -> tuple[BandNumbers, str] | None:
    """Find red, green and blue by description; 422 when descriptions name bands but not those three."""
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


def _by_colour(raster: Raster) -> tuple[BandNumbers, str] | None:
    if any(raster.colours.count(colour) != 1 for colour in ("red", "green", "blue")):
        return None
    red, green, blue = (raster.colours.index(colour) + 1 for colour in ("red", "green", "blue"))
    return (red, green, blue), "by the file's colour interpretation"


def _by_order(raster: Raster, count: int) -> tuple[BandNumbers, str]:
    """Return the bands by the documented order of files with `count` bands (docs/inputs.md)."""
    orders: dict[int, tuple[BandNumbers, str]] = {
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
        f"Loupe cannot tell which of the raster's {len(raster.pixels)} bands are red, green and blue: {why}. "
        "Number them from 1 with bands=R,G,B, such as bands=4,3,2.",
        band_count=len(raster.pixels),
        descriptions=list(raster.descriptions),
        remedy="bands=R,G,B",
    )
