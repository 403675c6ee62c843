"""The choice of the red, green and blue bands of a raster.

Bands are found by description, then by colour interpretation, then by the documented order of files of
their kind. If none of these settles it, the client must say `bands=R,G,B`.
"""

import re
from collections.abc import Sequence

import numpy as np

from service.errors import InvalidInputError
from service.geotiff.raster import Raster
from service.imagery.band_names import (
    BandName,
    colour_of_wavelength,
    is_filler,
    landsat_sensor,
    read_name,
    skeleton,
)
from service.imagery.band_numbers import colour_numbers, only_counts

BandNumbers = tuple[int, int, int]

COLOURS = ("red", "green", "blue")
_CENTRES_NM = {"red": 660.0, "green": 560.0, "blue": 490.0}


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
    spectral = [band for band, colour in enumerate(raster.colours, 1) if colour != "alpha"]
    texts = [raster.descriptions[band - 1] for band in spectral]
    names = [read_name(text) if text and not is_filler(text) else None for text in texts]
    candidates = _by_words(names) or _by_wavelength(names) or _by_number(raster, names)
    if candidates:
        red, green, blue = (spectral[place] for place in candidates)
        said = ", ".join(str(raster.descriptions[band - 1]) for band in (red, green, blue))
        return (red, green, blue), f"by their descriptions ({said})"
    if _names_other_bands(raster, spectral, names):
        raise _ambiguous(raster, "their descriptions do not name one red, one green and one blue band")
    return None


def _by_words(names: Sequence[BandName | None]) -> list[int] | None:
    """Return the places of the bands that are called red, green and blue."""
    found = []
    for colour in COLOURS:
        called = [place for place, name in enumerate(names) if name and name.colour == colour]
        plain = [place for place in called if (name := names[place]) and name.plain]
        found.append(called if len(called) == 1 else plain)
    return [places[0] for places in found] if all(len(places) == 1 for places in found) else None


def _by_wavelength(names: Sequence[BandName | None]) -> list[int] | None:
    """Return the places of the bands whose stated wavelengths are nearest to red, green and blue."""
    found = []
    for colour in COLOURS:
        near = [
            (abs(name.wavelength_nm - _CENTRES_NM[colour]), place)
            for place, name in enumerate(names)
            if name and name.wavelength_nm and colour_of_wavelength(name.wavelength_nm) == colour
        ]
        found += [min(near)[1]] if near else []
    return found if len(found) == 3 else None


def _by_number(raster: Raster, names: Sequence[BandName | None]) -> list[int] | None:
    """Return the places of the numbers that the file's set of names gives to red, green and blue."""
    coded = [name for name in names if name and name.number is not None]
    if not coded or any(name and name.colour for name in names):
        return None
    counts = only_counts(names) and landsat_sensor([name.text for name in coded]) is None
    if counts and (len(names) == 3 or all(name.written == "band" for name in coded)):
        return None
    numbers = colour_numbers(names, raster.items)
    if numbers is None:
        listed = ", ".join(name.text for name in coded)[:200]
        raise _ambiguous(raster, f"the names {listed} number the bands, but not those of one known sensor")
    places = [
        [place for place, name in enumerate(names) if name and (name.number, name.suffix) == (number, "")]
        for number in numbers
    ]
    return [found[0] for found in places] if all(len(found) == 1 for found in places) else None


def _names_other_bands(raster: Raster, spectral: list[int], names: Sequence[BandName | None]) -> bool:
    """Tell whether descriptions name bands that are no colours, so that nothing else may be guessed.

    Texts that are alike but for digits (a file name, lyr.1 and lyr.2) name nothing.
    """
    known = [name for name in names if name and not name.says_nothing]
    if only_counts(names):
        return len(names) == 3 and not _has_colours(raster, spectral) and known[0].written == "b"
    if known:
        unnamed = [band for band, name in zip(spectral, names, strict=True) if name not in known]
        return len(unnamed) != 3 or not _has_colours(raster, unnamed)
    texts = {skeleton(name.text) for name in names if name}
    return all(names) and len(texts) > 1


def _has_colours(raster: Raster, bands: list[int]) -> bool:
    return {raster.colours[band - 1] for band in bands} == set(COLOURS)


def _by_colour(raster: Raster) -> tuple[BandNumbers, str] | None:
    if any(raster.colours.count(colour) != 1 for colour in COLOURS):
        return None
    red, green, blue = (raster.colours.index(colour) + 1 for colour in COLOURS)
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
