"""The conversion of a raster's numbers to an 8-bit colour image, with a description of how it was done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.errors import LoupeWarning
from service.geotiff.raster import Gap, Raster
from service.imagery.acquisition import find_acquired_on
from service.imagery.band_names import read_name
from service.imagery.bands import BandNumbers, choose_bands
from service.imagery.encodings import Scaling, Three
from service.imagery.nodata import drop_zeros, find_valid, missing_bands
from service.imagery.oddities import odd_pictures, unused_masks
from service.imagery.samples import take_sample
from service.imagery.scaling import Declared, choose_scaling

_ROWS = 1024  # rows converted at a time, to bound the memory of floating-point intermediates


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
    acquired_on: date | None = None  # day that the file states
    warnings: tuple[LoupeWarning, ...] = ()  # doubts about the reading
    gaps: tuple[Gap, ...] = ()  # why the file's pixels are not valid; empty if all are
    collar: NDArray[np.bool_] | None = field(default=None, repr=False)  # (H, W); see `collar.mark_collar`


def to_imagery(
    raster: Raster,
    bands: str | None = None,
    radiometry: str | None = None,
    *,
    is_scene: bool = False,
    strict: bool = False,
) -> Imagery:
    """Make the colour image of a raster.

    `bands` is "R,G,B" counted from 1, `radiometry` one of `RADIOMETRIES`; None lets Loupe choose. In a scene,
    regions that look like fill are not valid; in a delivery, black is compared with the scene. `strict`
    refuses numbers that are not plausible, which is for new scenes: a small patch may be uniform or dark.
    Raises 422 `bands-ambiguous`, `bands-missing`, `radiometry-unknown`, `radiometry-implausible` or
    `no-valid-pixels`.
    """
    chosen, bands_from = choose_bands(raster, bands)
    picked = [raster.pixels[band - 1] for band in chosen]
    data = find_valid(raster, picked, by_shape=is_scene)
    declared = _declared(raster, chosen)
    sample = take_sample(picked, data.valid)
    scaling, doubts = choose_scaling(declared, sample, radiometry or "auto", strict=strict)
    if strict:
        known = any(doubt.code == "radiometry-doubtful" for doubt in doubts)
        odd = [
            one for one in odd_pictures(sample, scaling) if not (known and one.code == "radiometry-doubtful")
        ]
        doubts = [*doubts, *odd, *unused_masks(raster, chosen)]
    if not scaling.is_colour and raster.pixels.dtype.kind in "ui":
        data = drop_zeros(picked, data)
    rgb = _to_8_bit(picked, data.valid, scaling)
    return Imagery(
        rgb=rgb,
        valid=data.valid,
        transform=raster.transform,
        crs=raster.crs,
        bands=chosen,
        bands_from=bands_from,
        radiometry=scaling.words,
        acquired_on=find_acquired_on(raster.items),
        warnings=(*data.warnings, *doubts, *(missing_bands(picked, rgb, data.valid) if is_scene else ())),
        gaps=data.gaps,
    )


def _declared(raster: Raster, bands: BandNumbers) -> Declared:
    def of(values: Sequence[float]) -> Three:
        red, green, blue = (values[band - 1] for band in bands)
        return red, green, blue

    names = [read_name(raster.descriptions[band - 1] or "") for band in bands]
    return Declared(
        dtype=raster.pixels.dtype,
        scales=of(raster.scales),
        offsets=of(raster.offsets),
        landsat=all(name.surface for name in names),
        items=raster.items,
    )


def _to_8_bit(
    picked: Sequence[NDArray[Any]], valid: NDArray[np.bool_], scaling: Scaling
) -> NDArray[np.uint8]:
    """Compute round(255 * clip(reflectance / white, 0, 1)) where valid, else 0."""
    rgb = np.zeros((3, *valid.shape), np.uint8)
    for out, band, gain, shift in zip(rgb, picked, scaling.gain, scaling.shift, strict=True):
        if band.dtype == np.uint8 and scaling.white == 255.0:
            np.copyto(out, band, where=valid)
            continue
        for top in range(0, len(valid), _ROWS):
            rows = slice(top, top + _ROWS)
            with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
                value = (band[rows].astype(np.float64) + shift) * (gain * 255.0 / scaling.white)
            np.copyto(out[rows], np.rint(np.clip(value, 0, 255)), where=valid[rows], casting="unsafe")
    return rgb
