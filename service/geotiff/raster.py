"""The only way from uploaded bytes to pixels on the ground."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from service.geotiff import quarantine
from service.geotiff.blocks import Blocks
from service.geotiff.gdal_metadata import BandMetadata
from service.geotiff.georeference import read_crs, read_transform, settle
from service.geotiff.orientation import turn_north_up
from service.geotiff.preflight import Limits, check_structure, neutralise
from service.geotiff.transparency import is_transparency


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A reason for which pixels are not valid, and the share of the file's pixels that it drops."""

    cause: str  # such as "transparent by alpha band 4", as it follows "50 % of it is"
    share: float  # of all pixels, 0..1
    alpha_band: int | None = None  # number of the band that acts as transparency, counted from 1


@dataclass(frozen=True, kw_only=True)
class Raster:
    """Pixels with their place on Earth. Rows run from north to south, columns from west to east."""

    pixels: NDArray[Any] = field(repr=False)  # (bands, H, W) as stored
    valid: NDArray[np.bool_] = field(repr=False)  # (H, W); False: nodata, transparent or masked
    transform: Affine  # pixel corner (column, row) -> CRS
    crs: str  # "EPSG:n"
    descriptions: tuple[str | None, ...]  # one per band, like the three fields below
    colours: tuple[str, ...]  # GDAL's colour interpretation, lower case
    scales: tuple[float, ...]  # physical value = scale * stored + offset
    offsets: tuple[float, ...]
    gaps: tuple[Gap, ...] = ()  # why pixels are not valid; empty if all are
    nodata: float | None = None  # as declared
    items: Mapping[str, str] = field(default_factory=dict, repr=False)  # GDAL metadata, names in lower case
    false_alpha: int | None = None  # number, from 1, of a band marked as alpha that hides no pixels


def read_geotiff(body: bytes, limits: Limits) -> Raster:
    """Check, neutralise and decode an uploaded GeoTIFF; GDAL sees it only in the quarantine.

    Raises 413, 415 or 422 when the file cannot be used, 503 when no decoder is free.
    """
    structure = check_structure(body, limits)
    shape = (structure.bands, structure.height, structure.width)
    copy = neutralise(body, structure)
    decoded = quarantine.decode(copy, shape, structure.dtype, limits.decode_seconds)
    transform = read_transform(decoded.facts["transform"], structure.placement)
    crs = read_crs(decoded.facts.get("crs"))
    transform = settle(transform, crs, structure.width, structure.height)
    marked = _colours(decoded.facts, structure.metadata, structure.bands)
    colours, false_alpha = _without_false_alpha(marked, decoded.pixels)
    valid, gaps = _valid(decoded, colours, structure.blocks)
    pixels, valid, transform = turn_north_up(decoded.pixels, valid, transform, crs)
    metadata, bands = structure.metadata, range(structure.bands)
    return Raster(
        pixels=pixels,
        valid=valid,
        transform=transform,
        crs=crs,
        descriptions=tuple(metadata.descriptions.get(band) or None for band in bands),
        colours=colours,
        scales=tuple(metadata.scales.get(band, 1.0) for band in bands),
        offsets=tuple(metadata.offsets.get(band, 0.0) for band in bands),
        gaps=gaps,
        nodata=decoded.facts.get("nodata"),
        items=metadata.items,
        false_alpha=false_alpha,
    )


def _colours(facts: Mapping[str, Any], metadata: BandMetadata, bands: int) -> tuple[str, ...]:
    """Return the colour interpretation of each band; the file's XML overrides the TIFF tags, as in GDAL."""
    found = [str(colour) for colour in facts.get("colours", [])][:bands]
    found += ["undefined"] * (bands - len(found))
    return tuple(metadata.colours.get(band, colour) for band, colour in enumerate(found))


def _without_false_alpha(
    colours: tuple[str, ...], pixels: NDArray[Any]
) -> tuple[tuple[str, ...], int | None]:
    """Return the colours, without a band marked as alpha that is not.

    The second value is that band's number, from 1, if taking it for transparency would have hidden pixels.
    """
    if "alpha" not in colours or len(colours) < 4:
        return colours, None
    band = colours.index("alpha")
    others = np.array([index for index, colour in enumerate(colours) if colour != "alpha"])
    if is_transparency(pixels[band], pixels[others[:3]]):
        return colours, None
    hides = bool((pixels[band] == 0).any())
    return (*colours[:band], "undefined", *colours[band + 1 :]), band + 1 if hides else None


def _valid(
    decoded: quarantine.Decoded, colours: tuple[str, ...], blocks: Blocks
) -> tuple[NDArray[np.bool_], tuple[Gap, ...]]:
    """Mark the pixels (H, W) that are not transparent, masked, or nodata (or NaN) in every colour band.

    Returns also the reasons for which other pixels were dropped.
    """
    pixels, nodata = decoded.pixels, decoded.facts.get("nodata")
    valid: NDArray[np.bool_] = np.ones(pixels.shape[1:], np.bool_)
    gaps: list[Gap] = []

    def keep(data: NDArray[np.bool_], cause: str, alpha_band: int | None = None) -> None:
        np.logical_and(valid, data, out=valid)
        dropped = 1 - float(np.count_nonzero(data)) / data.size
        if dropped:
            gaps.append(Gap(cause=cause, share=dropped, alpha_band=alpha_band))

    if blocks.missing.any():
        keep(~blocks.missing_pixels(*valid.shape), "in blocks that the file lacks (SPARSE_OK)")
    if decoded.mask is not None:
        keep(decoded.mask > 0, "masked by the file's internal mask")
    if "alpha" in colours:
        band = colours.index("alpha")
        keep(pixels[band] > 0, f"transparent by alpha band {band + 1}", band + 1)
    bands = [band for band, colour in enumerate(colours) if colour != "alpha"]
    if pixels.dtype.kind == "f":
        keep(_numbers(pixels, bands, nodata), "not a number" if nodata is None else f"nodata ({nodata:g})")
    elif nodata is not None:
        data = np.logical_or.reduce([pixels[band] != nodata for band in bands])
        keep(data, f"nodata ({nodata:g})")
    return valid, tuple(gaps)


def _numbers(pixels: NDArray[Any], bands: Sequence[int], nodata: float | None) -> NDArray[np.bool_]:
    """Mark the pixels (H, W) of a floating-point raster that have a number other than nodata in one band."""
    missing = np.nan if nodata is None else pixels.dtype.type(nodata)
    empty = [np.isnan(pixels[band]) | (pixels[band] == missing) for band in bands]
    numbers: NDArray[np.bool_] = ~np.logical_and.reduce(empty)
    return numbers
