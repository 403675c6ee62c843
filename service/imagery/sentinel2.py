"""The offset of 1,000 in Sentinel-2 products of processing baseline 04.00 and later: is it in the numbers?"""

import re
from collections.abc import Mapping

import numpy as np

from service.errors import LoupeWarning
from service.imagery.encodings import OFFSET_1000, TEN_THOUSAND
from service.imagery.samples import Sample

_OFFSET = 1000.0
_DARKEST = 950.0  # with the offset left in, hardly a pixel is below; noise takes some of them under 1,000
_RARE = 0.01  # share of pixels that may be below all the same
_SUSPECT = 2_000.0  # the darkest pixels of a scene with the offset; brighter ones are cloud, snow or desert
_BASELINE = re.compile(r"^n?0?(\d{1,2})\.?(\d{2})$")
_PRODUCT = re.compile(r"s2[abcd]_msil[12][ac]_\d{8}t\d{6}_n(\d{2})(\d{2})_|^s2[abcd]_.*_n(\d{2})\.(\d{2})$")
_BASELINE_KEYS = (
    "processing_baseline",
    "s2:processing_baseline",
    "processing:version",
    "baseline",
    "software",
)
_APPLIED_KEYS = ("boa_offset_applied", "earthsearch:boa_offset_applied", "offset_applied", "harmonized")
_OFFSET_KEYS = ("boa_add_offset", "radio_add_offset")


def offset_in_metadata(items: Mapping[str, str]) -> tuple[bool, str] | None:
    """Tell by a file's metadata whether the numbers contain the offset, with the item that says so.

    None if the metadata do not tell. An item that states the offset itself counts before the baseline.
    """
    items = dict(_split(key, text) for key, text in items.items())
    for key, text in items.items():
        name, value = key.rsplit("#", 1)[-1], text.strip().lower()
        if name in _APPLIED_KEYS and value in ("true", "1", "yes", "false", "0", "no"):
            return value in ("false", "0", "no"), f"{key}={text}"
        if "s2_sr_harmonized" in value or "s2_harmonized" in value:
            return False, f"{key}={text}"
    for key, text in items.items():
        if any(name in key for name in _OFFSET_KEYS) and (number := _number(text)) is not None:
            return number == -_OFFSET, f"{key}={text}"
    for key, text in items.items():
        if baseline := _baseline(key, text.strip().lower()):
            return baseline >= 4.0, f"{key}={text}"
    return None


def _split(key: str, text: str) -> tuple[str, str]:
    """Return an item as meant: GDAL writes `s2:baseline=05.09` as the item `s2` with `baseline=05.09`."""
    match = re.fullmatch(r"([\w:#-]+)=(.*)", text, re.DOTALL)
    return (f"{key}:{match[1].lower()}", match[2]) if match else (key, text)


def decide_offset(
    items: Mapping[str, str], sample: Sample, *, suspect: bool
) -> tuple[str, str, LoupeWarning | None]:
    """Return the radiometry of reflectance x 10,000, the metadata item that led to it, and a warning or None.

    The pixels decide against the metadata when many are below 1,000: then the offset was removed already.
    `suspect` asks for a warning where the metadata are silent and no pixel is below 1,000.
    """
    told = offset_in_metadata(items)
    darkest = np.percentile(sample.values, 1, axis=1)
    below = float((sample.values < _DARKEST).any(axis=0).mean())
    figures = {
        "first_percentile": [round(float(one), 1) for one in darkest],
        "share_below_950": round(below, 4),
    }
    if told is None:
        warned = suspect and below <= _RARE and float(darkest.min()) <= _SUSPECT
        return TEN_THOUSAND, "", _suspected(float(darkest.min()), figures) if warned else None
    contained, item = told
    if not contained:
        return TEN_THOUSAND, "", None
    if below > _RARE:
        return TEN_THOUSAND, "", _removed(item, below, figures)
    return OFFSET_1000, item, None


def _baseline(key: str, value: str) -> float | None:
    if match := _PRODUCT.search(value):
        return float(f"{match[1] or match[3]}.{match[2] or match[4]}")
    match = _BASELINE.match(value) if any(key.endswith(name) for name in _BASELINE_KEYS) else None
    return float(f"{match[1]}.{match[2]}") if match else None


def _number(text: str) -> float | None:
    """Return a number, or the one that all parts of a list such as "-1000,-1000" have in common."""
    try:
        numbers = {float(part) for part in re.split(r"[,;\s]+", text.strip("[]{} ")) if part}
    except ValueError:
        return None
    return numbers.pop() if len(numbers) == 1 else None


def _suspected(darkest: float, figures: dict[str, object]) -> LoupeWarning:
    return LoupeWarning(
        code="sentinel2-offset-suspected",
        detail=f"The darkest pixels of red, green and blue are near {darkest:,.0f}, and hardly one is below "
        "1,000. If this is Sentinel-2 data of processing baseline 04.00 or later (since January 2022), the "
        "offset of 1,000 is still in it. Send radiometry=reflectance-1e4-offset1000 then.",
        figures=figures,
    )


def _removed(item: str, below: float, figures: dict[str, object]) -> LoupeWarning:
    return LoupeWarning(
        code="sentinel2-offset-removed",
        detail=f"The file says {item}, whose numbers contain an offset of 1,000, but {below:.0%} of the "
        "pixels are below 1,000. Loupe takes the offset as removed. If it is not, send "
        "radiometry=reflectance-1e4-offset1000.",
        figures=figures | {"metadata": item},
    )
