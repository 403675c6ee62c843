"""Check a TIFF's structure before any decoder sees it, and make the copy that the decoder may see.

Every directory is checked, those of overviews and masks too. `Structure` describes a file that passes;
`neutralise` then keeps only the tags of the image and its mask that decoding needs.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from service.geotiff import blocks
from service.geotiff.blocks import (
    BANDS,
    BITS,
    HEIGHT,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SUBFILE,
    WIDTH,
    Blocks,
    Limits,
)
from service.geotiff.errors import DamagedTiffError, RasterTooLargeError, UnsupportedTiffError
from service.geotiff.gdal_metadata import BandMetadata, read_metadata, with_text
from service.geotiff.tiff import Directory, read_directories

__all__ = ["Limits", "Structure", "check_structure", "neutralise"]

GDAL_METADATA = 42112
_TEXTS = {"tifftag_documentname": 269, "tifftag_imagedescription": 270}
_PIXEL_SCALE, _TIE_POINTS, _MATRIX, _RPC = 33550, 33922, 34264, 50844

# Tags that decoding needs. All others (GDAL and XMP metadata, EXIF, ICC, RPC, ...) are cut from the copy.
_NEEDED = frozenset(
    {SUBFILE, WIDTH, HEIGHT, BITS, blocks.COMPRESSION, PHOTOMETRIC, BANDS, SAMPLE_FORMAT}
    | {blocks.PLANAR, blocks.PREDICTOR}
    | {338, 347, 529, 530, 531, 532, 50674}  # extra samples, JPEG tables, YCbCr, LERC parameters
    | {_PIXEL_SCALE, _TIE_POINTS, _MATRIX, 34735, 34736, 34737}  # GeoTIFF's place and keys
    | {42113}  # GDAL_NODATA
)
_STRIPS = frozenset({blocks.STRIP_ROWS, blocks.STRIP_OFFSETS, blocks.STRIP_BYTES})
_TILES = frozenset({blocks.TILE_WIDTH, blocks.TILE_HEIGHT, blocks.TILE_OFFSETS, blocks.TILE_BYTES})
_PHOTOMETRICS = {0: "gray", 1: "gray", 2: "RGB", 6: "YCbCr"}
_REFUSED_PHOTOMETRICS = {
    3: "a colour palette",
    4: "a mask",
    5: "CMYK",
    8: "CIE L*a*b*",
    32803: "a raw sensor",
}
_DTYPES = {(1, 8): "uint8", (1, 16): "uint16", (2, 16): "int16", (1, 32): "uint32", (2, 32): "int32"}
_DTYPES |= {(3, 32): "float32", (3, 64): "float64"}
_REDUCED, _MASK = 1, 4  # bits of SUBFILE


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The means by which a file says where it lies, in order of preference."""

    geotransform: bool
    control_points: int
    rational_polynomials: bool  # RPCs, as raw satellite products have


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A TIFF that may be decoded: its image, its internal mask if any, and facts about its bands."""

    width: int  # pixels
    height: int  # pixels
    bands: int
    dtype: str
    metadata: BandMetadata = field(repr=False)
    image: Directory = field(repr=False)
    mask: Directory | None = field(repr=False)
    blocks: Blocks = field(repr=False)
    placement: Placement


def check_structure(body: bytes, limits: Limits) -> Structure:
    """Walk a TIFF or BigTIFF and describe it; raise 413, 415 or 422 when it may not be decoded."""
    if not body:
        raise DamagedTiffError("The upload is empty.")
    if len(body) > limits.body_bytes:
        raise RasterTooLargeError(
            f"The file has {len(body)} bytes. At most {limits.body_bytes} are read.", limit=limits.body_bytes
        )
    directories = read_directories(body, limits.images)
    image = directories[0]
    size = blocks.check_size(image, limits)
    bands, dtype = _check_samples(image, limits)
    stored = [blocks.check_blocks(directory, limits) for directory in directories]
    spans = [one.spans for one in stored]
    spans.append(np.array([(d.offset, d.end) for d in directories], np.uint64))
    blocks.check_overlaps(np.concatenate(spans))
    return Structure(
        width=size[0],
        height=size[1],
        bands=bands,
        dtype=dtype,
        metadata=with_text(
            read_metadata(image.raw(GDAL_METADATA)),
            {name: image.raw(tag) for name, tag in _TEXTS.items()},
        ),
        image=image,
        mask=_find_mask(directories, size),
        blocks=stored[0],
        placement=_find_placement(image),
    )


def neutralise(body: bytes, structure: Structure) -> bytearray:
    """Return a copy of the file with its image and mask, and without tags that decoding does not need.

    Overviews, other metadata and everything that could lead GDAL elsewhere are out of its reach.
    """
    copy = bytearray(body)
    _blank_layout_hint(copy, structure.image)
    mask = structure.mask
    _rewrite(copy, structure.image, mask.offset if mask else 0)
    if mask:
        _rewrite(copy, mask, 0)
    return copy


def _check_samples(image: Directory, limits: Limits) -> tuple[int, str]:
    """Return the bands and dtype of the image; 422 for palettes, 12 bit, complex and others not read."""
    bands = image.number(BANDS, 1)
    if not 1 <= bands <= limits.bands:
        raise UnsupportedTiffError(
            f"The raster has {bands} bands. Loupe reads 1 to {limits.bands}.", bands=bands
        )
    photometric = image.number(PHOTOMETRIC, 1)
    if photometric not in _PHOTOMETRICS:
        kind = _REFUSED_PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
        remedy = " Convert it: gdal_translate -expand rgb in.tif out.tif." if photometric == 3 else ""
        raise UnsupportedTiffError(
            f"The pixels are stored as {kind}. Loupe reads gray, RGB and YCbCr.{remedy}"
        )
    if image.number(266, 1) != 1:
        raise UnsupportedTiffError(
            "The file stores its bits in reverse order (FillOrder 2), which Loupe does not read. Convert it: "
            "gdal_translate in.tif out.tif."
        )
    return bands, _dtype(image, bands)


def _dtype(image: Directory, bands: int) -> str:
    bits = set(blocks.per_band(image, BITS, bands, 1))
    formats = set(blocks.per_band(image, SAMPLE_FORMAT, bands, 1))
    if len(bits) == len(formats) == 1:
        dtype = _DTYPES.get((min(formats), min(bits)))
        if dtype:
            return dtype
        if min(formats) == 1 and 8 < min(bits) < 16:
            blocks.check_packing(image, min(bits))
            return "uint16"
    words = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}
    kinds = " and ".join(words.get(f, f"format {f}") for f in sorted(formats))
    raise UnsupportedTiffError(
        f"The pixels are {kinds} numbers of {' and '.join(map(str, sorted(bits)))} bits. "
        f"Loupe reads {', '.join(_DTYPES.values())} and unsigned numbers of 9 to 15 bits, the same type for "
        f"all bands. {_widen(max(formats), max(bits))}"
    )


def _widen(sample_format: int, bits: int) -> str:
    """Say how to write the pixels as numbers that are read."""
    if sample_format in (5, 6):
        return "Send real numbers, for example the amplitude."
    if sample_format == 3 or bits > 32:
        option = "-ot Float32" if bits < 32 else "-ot Float64"
    elif sample_format == 2:
        option = "-ot Int16" if bits < 16 else "-ot Int32"
    elif bits < 8:
        option = "-ot Byte -co NBITS=8"
    else:
        option = "-ot UInt16 -co NBITS=16" if bits <= 16 else "-ot UInt32 -co NBITS=32"
    return f"Convert them: gdal_translate {option} in.tif out.tif."


def _find_mask(directories: tuple[Directory, ...], size: tuple[int, int]) -> Directory | None:
    """Return the image's full-size internal mask; refuse a file that holds several images."""
    mask = None
    for directory in directories[1:]:
        kind = directory.number(SUBFILE, 0)
        if not kind & (_REDUCED | _MASK):
            raise UnsupportedTiffError(
                f"The file holds {len(directories)} pages. Send one image in each file: "
                "gdal_translate GTIFF_DIR:1:in.tif out.tif writes the first."
            )
        if kind == _MASK and (directory.number(WIDTH, 0), directory.number(HEIGHT, 0)) == size:
            mask = directory
    return mask


def _find_placement(image: Directory) -> Placement:
    """Apply GDAL's rule: a pixel scale with a tie point, or a matrix, is a geotransform.

    The decoder cannot say so: without a geotransform, rasterio 1.4.4 answers with uninitialised numbers
    when the file has control points or RPCs.
    """
    scale, ties = image.reals(_PIXEL_SCALE), image.reals(_TIE_POINTS)
    scaled = len(scale) >= 2 and len(ties) >= 6 and bool(scale[:2].all())
    return Placement(
        geotransform=scaled or len(image.reals(_MATRIX)) == 16,
        control_points=len(ties) // 6,
        rational_polynomials=image.find(_RPC) is not None,
    )


def _rewrite(copy: bytearray, directory: Directory, next_offset: int) -> None:
    """Rewrite the directory in place with only the needed entries, in order, so that it can only shrink.

    Of strips and tiles only those are kept that were checked: libtiff takes the later of the two.
    """
    needed = _NEEDED | (_TILES if directory.find(blocks.TILE_WIDTH) else _STRIPS)
    layout = directory.layout
    start = directory.offset + layout.count_bytes
    places = range(start, directory.end - layout.offset_bytes, layout.entry_bytes)
    kept = sorted(
        (entry.tag, directory.body[place : place + layout.entry_bytes])
        for place, entry in zip(places, directory.entries, strict=True)
        if entry.tag in needed
    )
    written = struct.pack(layout.count_format, len(kept)) + b"".join(entry for _, entry in kept)
    written += struct.pack(layout.offset_format, next_offset)
    copy[directory.offset : directory.end] = written.ljust(directory.end - directory.offset, b"\0")


def _blank_layout_hint(copy: bytearray, image: Directory) -> None:
    """Hide GDAL's layout hint after the header: the copy no longer has the layout that it promises."""
    start = 16 if image.layout.big else 8
    hint = b"GDAL_STRUCTURAL_METADATA_SIZE="
    if copy[start : start + len(hint)] == hint:
        copy[start : start + 4] = b"none"
