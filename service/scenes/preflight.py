"""Judge a TIFF's structure before any decoder sees it, and make the copy that the decoder may see.

Every directory is checked: overviews and masks as much as the image itself. What passes is described
by a `Structure`; `neutralise` then keeps, of the image and its mask, only the tags that decoding needs.
"""

import struct
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInputError
from service.scenes.errors import DamagedTiffError, RasterTooLargeError, UnsupportedTiffError
from service.scenes.gdal_metadata import BandMetadata, read_metadata
from service.scenes.tiff import Directory, read_directories

MIB = 1024 * 1024

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, BANDS, STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339
GDAL_METADATA = 42112

# What decoding needs. Everything else (GDAL and XMP metadata, EXIF, ICC, RPC, ...) is cut from our copy.
_NEEDED = frozenset(
    {SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, BANDS, STRIP_ROWS, STRIP_BYTES}
    | {PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SAMPLE_FORMAT}
    | {338, 347, 529, 530, 531, 532, 50674}  # extra samples, JPEG tables, YCbCr, LERC parameters
    | {33550, 33922, 34264, 34735, 34736, 34737}  # GeoTIFF: pixel scale, tie points, matrix, keys
    | {42113}  # GDAL_NODATA
)
_COMPRESSIONS = {1: "none", 5: "LZW", 7: "JPEG", 8: "DEFLATE", 32773: "PackBits", 32946: "DEFLATE"}
_COMPRESSIONS |= {34887: "LERC", 50000: "ZSTD"}
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
class Limits:
    """What one file may be. The defaults take a whole Sentinel-2 granule (10,980 x 10,980 x 4 x 16 bit)."""

    body_bytes: int = 32 * MIB
    side: int = 16_384  # pixels
    pixels: int = 134_217_728
    decoded_bytes: int = 1024 * MIB
    bands: int = 32
    images: int = 40  # image, mask and their overviews
    blocks: int = 262_144
    block_side: int = 8_192  # pixels of a tile, where it is larger than the image
    expansion: int = 400  # decoded bytes per stored byte, above 4 MiB
    decode_seconds: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A TIFF that may be decoded: its image, the internal mask if any, and what its XML says of the bands."""

    width: int  # pixels
    height: int  # pixels
    bands: int
    dtype: str
    metadata: BandMetadata = field(repr=False)
    image: Directory = field(repr=False)
    mask: Directory | None = field(repr=False)


def check_structure(body: bytes, limits: Limits) -> Structure:
    """Walk a (Big)TIFF and return what it is; raise 413, 415 or 422 in words when it may not be decoded."""
    if not body:
        raise DamagedTiffError("The upload is empty.")
    if len(body) > limits.body_bytes:
        raise RasterTooLargeError(
            f"The file has {len(body)} bytes; at most {limits.body_bytes} are taken.", limit=limits.body_bytes
        )
    directories = read_directories(body, limits.images)
    image = directories[0]
    size = _check_size(image, limits)
    bands, dtype = _check_samples(image, limits)
    spans = [_check_blocks(directory, limits) for directory in directories]
    spans.append(np.array([(d.offset, d.end) for d in directories], np.uint64))
    _check_overlaps(np.concatenate(spans))
    return Structure(
        width=size[0],
        height=size[1],
        bands=bands,
        dtype=dtype,
        metadata=read_metadata(image.raw(GDAL_METADATA)),
        image=image,
        mask=_find_mask(directories, size),
    )


def neutralise(body: bytes, structure: Structure) -> bytes:
    """Our copy of the file: one image, its mask if it has one, and no tag that decoding does not need.

    Overviews, further metadata and everything GDAL could follow elsewhere are out of its reach.
    """
    copy = bytearray(body)
    _blank_layout_hint(copy, structure.image)
    mask = structure.mask
    _rewrite(copy, structure.image, mask.offset if mask else 0)
    if mask:
        _rewrite(copy, mask, 0)
    return bytes(copy)


def _check_size(directory: Directory, limits: Limits) -> tuple[int, int]:
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if not width or not height:
        raise DamagedTiffError(f"The raster is {width} x {height} pixels: it is empty.")
    if width > limits.side or height > limits.side or width * height > limits.pixels:
        raise RasterTooLargeError(
            f"The raster is {width} x {height} pixels; at most {limits.side} a side and "
            f"{limits.pixels} in all are taken. Cut it into smaller scenes.",
            width=width,
            height=height,
        )
    return width, height


def _check_samples(image: Directory, limits: Limits) -> tuple[int, str]:
    """Bands and dtype of the image, or 422 for what is not read: palettes, 12 bit, complex, odd codecs."""
    bands = image.number(BANDS, 1)
    if not 1 <= bands <= limits.bands:
        raise UnsupportedTiffError(
            f"The raster has {bands} bands; 1 to {limits.bands} are read.", bands=bands
        )
    photometric = image.number(PHOTOMETRIC, 1)
    if photometric not in _PHOTOMETRICS:
        kind = _REFUSED_PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
        raise UnsupportedTiffError(f"The pixels are stored as {kind}; gray, RGB and YCbCr are read.")
    if image.number(266, 1) != 1:
        raise UnsupportedTiffError(
            "The file stores its bits in reverse order (FillOrder 2), which is not read."
        )
    return bands, _dtype(image, bands)


def _dtype(image: Directory, bands: int) -> str:
    bits = set(_per_band(image, BITS, bands, 1))
    formats = set(_per_band(image, SAMPLE_FORMAT, bands, 1))
    if len(bits) == len(formats) == 1:
        dtype = _DTYPES.get((formats.copy().pop(), bits.copy().pop()))
        if dtype:
            return dtype
    words = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}
    kinds = " and ".join(words.get(f, f"format {f}") for f in sorted(formats))
    raise UnsupportedTiffError(
        f"The pixels are {kinds} numbers of {' and '.join(map(str, sorted(bits)))} bits; "
        f"{', '.join(_DTYPES.values())} are read, all bands alike."
    )


def _per_band(directory: Directory, tag: int, bands: int, default: int) -> list[int]:
    values = [int(value) for value in directory.numbers(tag)] or [default]
    if len(values) not in (1, bands):
        raise DamagedTiffError(f"TIFF tag {tag} has {len(values)} values for {bands} bands.", tag=tag)
    return values


def _check_blocks(directory: Directory, limits: Limits) -> NDArray[np.uint64]:
    """Spans (N, 2) [start, end) of a directory's strips or tiles, each inside the file, none huge."""
    width, height = _check_size(directory, limits)
    _check_compression(directory)
    columns, rows, offset_tag, bytes_tag = _block_shape(directory, width, height, limits)
    bands = min(directory.number(BANDS, 1), 65_535)
    planes = bands if directory.number(PLANAR, 1) == 2 else 1
    wanted = -(-width // columns) * -(-height // rows) * planes
    if wanted > limits.blocks:
        raise RasterTooLargeError(
            f"The raster is cut into {wanted} blocks; at most {limits.blocks} are read."
        )
    offsets, sizes = directory.numbers(offset_tag), directory.numbers(bytes_tag)
    if not len(offsets) == len(sizes) == wanted:
        raise DamagedTiffError(
            f"The raster needs {wanted} blocks and lists {len(offsets)}, {len(sizes)} sizes."
        )
    spans = _inside(offsets, sizes, len(directory.body))
    bits = max(_per_band(directory, BITS, bands, 1))
    decoded = wanted * columns * rows * (bands // planes) * bits // 8
    _check_expansion(decoded, int(sizes.sum()), bits, limits)
    return spans


def _check_compression(directory: Directory) -> None:
    codec = directory.number(COMPRESSION, 1)
    if codec not in _COMPRESSIONS:
        names = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise UnsupportedTiffError(f"The raster is compressed by method {codec}; these are read: {names}.")
    if directory.number(PREDICTOR, 1) not in (1, 2, 3) or directory.number(PLANAR, 1) not in (1, 2):
        raise UnsupportedTiffError("The raster's predictor or planar configuration is unknown.")


def _block_shape(directory: Directory, width: int, height: int, limits: Limits) -> tuple[int, int, int, int]:
    """Columns and rows of a block, and the tags of the blocks' offsets and byte counts."""
    if not directory.find(TILE_WIDTH):
        rows = min(directory.number(STRIP_ROWS, height), height)
        columns, tags = width, (STRIP_OFFSETS, STRIP_BYTES)
    else:
        columns, rows = directory.number(TILE_WIDTH, 0), directory.number(TILE_HEIGHT, 0)
        tags = (TILE_OFFSETS, TILE_BYTES)
        if columns > limits.block_side or rows > limits.block_side:
            raise UnsupportedTiffError(
                f"The raster's tiles are {columns} x {rows} pixels, which is too large."
            )
    if not columns or not rows:
        raise DamagedTiffError("The raster's strips or tiles have no pixels.")
    return columns, rows, *tags


def _inside(offsets: NDArray[np.uint64], sizes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    if not sizes.all() or not offsets.all():
        raise UnsupportedTiffError(
            "Some blocks are left out of the file (sparse GeoTIFF). "
            "Write it in full: gdal_translate without SPARSE_OK=TRUE."
        )
    # offsets > length - sizes, so that nothing can wrap around at 64 bits
    if int(sizes.max()) > length or bool((offsets > np.uint64(length) - sizes).any()):
        raise DamagedTiffError("Some blocks of pixels lie outside the file: the upload may be cut off.")
    return np.stack([offsets, offsets + sizes], axis=1)


def _check_expansion(decoded: int, stored: int, bits: int, limits: Limits) -> None:
    if decoded > limits.decoded_bytes:
        raise RasterTooLargeError(
            f"The raster decodes to {decoded} bytes; at most {limits.decoded_bytes} are taken.",
            decoded=decoded,
        )
    # A mask of 1 bit honestly packs a thousandfold and is bounded by its pixels.
    if bits > 1 and decoded > 4 * MIB and decoded > limits.expansion * stored:
        raise InvalidExpansionError(
            f"{stored} stored bytes would decode to {decoded}, more than {limits.expansion} times as many.",
            decoded=decoded,
            stored=stored,
        )


class InvalidExpansionError(InvalidInputError):
    """The file decodes to far more bytes than an image of its stored size does."""

    code = "expansion-too-large"
    title = "The raster expands too much"


def _check_overlaps(spans: NDArray[np.uint64]) -> None:
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    if bool((ordered[1:, 0] < ordered[:-1, 1]).any()) or int(ordered[0, 0]) < 8:
        raise DamagedTiffError(
            "Blocks of the file overlap: the same bytes stand for several parts of the raster."
        )


def _find_mask(directories: tuple[Directory, ...], size: tuple[int, int]) -> Directory | None:
    """Return the image's full-size internal mask; refuse a file that holds several images."""
    mask = None
    for directory in directories[1:]:
        kind = directory.number(SUBFILE, 0)
        if not kind & (_REDUCED | _MASK):
            raise UnsupportedTiffError(f"The file holds {len(directories)} pages; send one image a file.")
        if kind == _MASK and (directory.number(WIDTH, 0), directory.number(HEIGHT, 0)) == size:
            mask = directory
    return mask


def _rewrite(copy: bytearray, directory: Directory, next_offset: int) -> None:
    """Write the directory anew at its place with the needed entries only; it can only shrink."""
    layout = directory.layout
    start = directory.offset + layout.count_bytes
    places = range(start, directory.end - layout.offset_bytes, layout.entry_bytes)
    kept = [
        directory.body[place : place + layout.entry_bytes]
        for place, entry in zip(places, directory.entries, strict=True)
        if entry.tag in _NEEDED
    ]
    written = struct.pack(layout.count_format, len(kept)) + b"".join(kept)
    written += struct.pack(layout.offset_format, next_offset)
    copy[directory.offset : directory.end] = written.ljust(directory.end - directory.offset, b"\0")


def _blank_layout_hint(copy: bytearray, image: Directory) -> None:
    """Hide GDAL's own layout hint behind the header: the copy no longer has the layout it promises."""
    start = 16 if image.layout.big else 8
    hint = b"GDAL_STRUCTURAL_METADATA_SIZE="
    if copy[start : start + len(hint)] == hint:
        copy[start : start + 4] = b"none"
