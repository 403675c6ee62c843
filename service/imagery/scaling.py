"""The choice of a raster's scaling: as asked for, by the file's tags, or by the range of its numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from models.reflectance import QUANTIFICATION, WHITE_REFLECTANCE
from service.errors import LoupeWarning
from service.imagery.encodings import (
    ENCODINGS,
    OFFSET_1000,
    TEN_THOUSAND,
    RadiometryError,
    Scaling,
    Three,
    display,
    named_scaling,
    with_white,
)
from service.imagery.plausibility import (
    Look,
    RadiometryImplausibleError,
    doubtful,
    implausible,
    is_constant,
    look_of,
    unclear,
)
from service.imagery.recognition import recognise
from service.imagery.samples import Sample
from service.imagery.sentinel2 import decide_offset

_MOST_APART = 10.0  # ratio of the scales of two bands of one sensor
_MOST_SHIFTED = 0.05  # difference of the offsets of two bands, reflectance
_MOST_REFLECTANCE = 2.0  # an offset tag above it is in digital numbers


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Statements of a file about the numbers of its red, green and blue bands."""

    dtype: np.dtype[np.generic]
    scales: Three
    offsets: Three
    landsat: bool  # the band names are those of Landsat's surface reflectance
    items: Mapping[str, str] = field(repr=False)

    @property
    def is_tagged(self) -> bool:
        """Whether the file has scale or offset tags that change a number."""
        return (set(self.scales), set(self.offsets)) != ({1.0}, {0.0})


def choose_scaling(
    declared: Declared, sample: Sample, asked: str, *, strict: bool
) -> tuple[Scaling, list[LoupeWarning]]:
    """Return the scaling of a sample's numbers, and the doubts about it.

    With `strict`, numbers that cannot be what they are read as, or that may be two things, are refused (422
    `radiometry-implausible`); otherwise they are read as the likelier one, with a warning. Whatever was asked
    for is done.
    """
    if asked != "auto":
        scaling = named_scaling(asked)
        return scaling, list(_doubts(sample, scaling))
    try:
        choose = _by_tags if declared.is_tagged else _by_range
        scaling, warnings = choose(declared, sample, strict)
        look = look_of(sample, scaling)
        if not look.is_possible:
            raise implausible(sample, scaling, look)
    except RadiometryImplausibleError as refusal:
        if strict:
            raise
        scaling = _guess(declared, sample)
        return scaling, [LoupeWarning(code=refusal.code, detail=refusal.detail, figures=sample.figures())]
    if strict and is_constant(sample):
        raise unclear(sample, "Every pixel has the same colour, so there is nothing to see.")
    return scaling, [*warnings, *_doubts(sample, scaling)]


def _guess(declared: Declared, sample: Sample) -> Scaling:
    return recognise(sample, declared.dtype, landsat=declared.landsat).scaling


def _doubts(sample: Sample, scaling: Scaling) -> Iterator[LoupeWarning]:
    """Yield a warning if the picture is not that of usual ground."""
    look = look_of(sample, scaling)
    if look is not Look.PLAUSIBLE:
        yield doubtful(sample, f"Read as {scaling.words}, the picture is {look}.")
    elif is_constant(sample):
        yield doubtful(sample, "Every pixel has the same colour.")


def _by_range(declared: Declared, sample: Sample, strict: bool) -> tuple[Scaling, list[LoupeWarning]]:
    found = recognise(sample, declared.dtype, landsat=declared.landsat)
    if found.unclear:
        raise unclear(sample, found.unclear)
    warnings = [doubtful(sample, found.note)] if found.note else []
    if found.scaling is not ENCODINGS[TEN_THOUSAND]:
        return found.scaling, warnings
    scaling, more = _with_offset(declared, sample, found.scaling, strict)
    return scaling, warnings + more


def _with_offset(
    declared: Declared, sample: Sample, scaling: Scaling, strict: bool
) -> tuple[Scaling, list[LoupeWarning]]:
    """Return the scaling of Sentinel-2's reflectance x 10,000 with or without its offset."""
    radiometry, item, warning = decide_offset(declared.items, sample, suspect=strict)
    if radiometry == OFFSET_1000:
        named = ENCODINGS[OFFSET_1000]
        scaling = replace(named, words=f"{named.words}; the file says {item}")
    return scaling, [warning] if warning else []


def _by_tags(declared: Declared, sample: Sample, strict: bool) -> tuple[Scaling, list[LoupeWarning]]:
    """Return the scaling by scale and offset tags, or the one that was meant if the tags cannot be right."""
    scales, offsets = declared.scales, declared.offsets
    if not all(scales):
        raise RadiometryError("The file's tags scale a band by 0. Set radiometry= to override them.")
    _check_alike(scales, offsets, sample)
    stated = _tagged(scales, offsets, "reflectance by the file's scale and offset tags")
    if declared.dtype == np.uint8 and np.allclose(scales, 1 / 255, rtol=0.01) and not any(offsets):
        return display(0, 255, "8-bit colour, scaled to 0..1 by the file's tags"), []
    if look_of(sample, stated).is_possible:
        if set(scales) == {QUANTIFICATION} and not any(offsets):
            return _with_offset(declared, sample, stated, strict)
        return stated, []
    for other in _other_meanings(declared, sample):
        if look_of(sample, other) is Look.PLAUSIBLE:
            return other, [_tags_wrong(declared, sample, other, look_of(sample, stated))]
    raise implausible(sample, stated, look_of(sample, stated))


def _other_meanings(declared: Declared, sample: Sample) -> Iterator[Scaling]:
    """Yield what tags may have meant: no offset any more, an offset before the scale, or no scale."""
    scales, offsets = declared.scales, declared.offsets
    if any(offsets):
        if max(map(abs, offsets)) > _MOST_REFLECTANCE:
            before = _three(scale * offset for scale, offset in zip(scales, offsets, strict=True))
            yield _tagged(scales, before, "reflectance by the file's tags, the offset in digital numbers")
        none = (0.0, 0.0, 0.0)
        yield _tagged(scales, none, "reflectance by the file's scale tags, without its offset tags")
    found = recognise(sample, declared.dtype, landsat=declared.landsat)
    if not found.unclear:
        yield replace(found.scaling, words=f"{found.scaling.words}, without the file's scale tags")


def _tagged(scales: Three, offsets: Three, words: str) -> Scaling:
    shift = _three(offset / scale for scale, offset in zip(scales, offsets, strict=True))
    return Scaling(scales, shift, WHITE_REFLECTANCE, with_white(words))


def _three(values: Iterator[float]) -> Three:
    red, green, blue = values
    return red, green, blue


def _check_alike(scales: Three, offsets: Three, sample: Sample) -> None:
    """Refuse tags that differ between the bands more than those of any sensor do."""
    sizes = [abs(scale) for scale in scales]
    apart = max(sizes) / min(sizes) > _MOST_APART or len({scale > 0 for scale in scales}) > 1
    # Offsets beyond a reflectance of 1 belong to radiance, whose bands differ.
    shifted = max(offsets) - min(offsets) > _MOST_SHIFTED or len({offset == 0 for offset in offsets}) > 1
    if apart or shifted:
        raise unclear(
            sample,
            f"The file's tags scale red, green and blue by {_list(scales)} with offsets {_list(offsets)}. "
            "The bands of a sensor differ less.",
        )


def _list(values: Three) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _tags_wrong(declared: Declared, sample: Sample, used: Scaling, look: Look) -> LoupeWarning:
    tags = f"scale {_list(declared.scales)} and offset {_list(declared.offsets)}"
    return doubtful(
        sample,
        f"By the file's tags ({tags}) the picture would be {look}. They are read as {used.words}.",
    )
