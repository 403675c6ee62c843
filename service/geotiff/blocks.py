"""Checks of the strips and tiles of each image: their place in the file and their decoded size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.geotiff import jpeg
from service.geotiff.errors import DamagedTiffError, ExpansionError, RasterTooLargeError, UnsupportedTiffError
from service.geotiff.tiff import Directory

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, BANDS, STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339
SUBSAMPLING = 530

_JPEG, _YCBCR = 7, 6

_MIB = 1024 * 1024

_COMPRESSIONS = {1: "none", 5: "LZW", 7: "JPEG", 8: "DEFLATE", 32773: "PackBits", 32946: "DEFLATE"}
_COMPRESSIONS |= {34887: "LERC", 50000: "ZSTD"}
_REFUSED_COMPRESSIONS = {
    **dict.fromkeys((2, 3, 4, 32771), "CCITT fax"),
    6: "old-style JPEG",
    34661: "JBIG",
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    34892: "lossy JPEG of DNG",
    34925: "LZMA",
    34926: "an old draft of ZSTD",
    **dict.fromkeys((34927, 50001), "WebP"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
}
# Samples of 9 to 15 bits are packed by no codec that has its own idea of a sample.
_PACKING = frozenset({1, 5, 8, 32773, 32946, 50000})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one file. The defaults take a whole Sentinel-2 granule (10,980 x 10,980 x 4 x 16 bit)."""

    body_bytes: int = 32 * _MIB
    side: int = 16_384  # pixels
    pixels: int = 134_217_728
    decoded_bytes: int = 1024 * _MIB
    bands: int = 32
    images: int = 40  # image, mask and their overviews
    blocks: int = 262_144
    block_side: int = 8_192  # pixels of a tile, which may be larger than the image
    expansion: int = 400  # decoded bytes per stored byte, above `expansion_free` decoded bytes
    expansion_free: int = 128 * _MIB
    decode_seconds: float = 20.0


def check_size(directory: Directory, limits: Limits) -> tuple[int, int]:
    """Return width and height in pixels; refuse an empty image and one that is too large."""
    width, height = directory.number(WIDTH, 0), directory.number(HEIGHT, 0)
    if not width or not height:
        raise DamagedTiffError(f"The raster is {width} x {height} pixels: it is empty.")
    if width > limits.side or height > limits.side or width * height > limits.pixels:
        raise RasterTooLargeError(
            f"The raster is {width} x {height} pixels. A side may have at most {limits.side} pixels and the "
            f"raster at most {limits.pixels}. Cut it into smaller scenes.",
            width=width,
            height=height,
        )
    return width, height


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The strips or tiles of a directory."""

    columns: int  # pixels of a block
    rows: int
    spans: NDArray[np.uint64]  # (N, 2) [start, end) of the blocks that the file holds
    missing: NDArray[np.bool_]  # (down, across); True: the file holds the block of no band (SPARSE_OK)

    def missing_pixels(self, height: int, width: int) -> NDArray[np.bool_]:
        """Mark the pixels (H, W) of missing blocks."""
        return self.missing.repeat(self.rows, 0)[:height].repeat(self.columns, 1)[:, :width]


def check_blocks(directory: Directory, limits: Limits) -> Blocks:
    """Return the strips or tiles of a directory.

    Refuses blocks outside the file, and more blocks or decoded bytes than `limits` allows.
    """
    width, height = check_size(directory, limits)
    _check_compression(directory)
    columns, rows, offset_tag, bytes_tag = _block_shape(directory, width, height, limits)
    bands = min(directory.number(BANDS, 1), 65_535)
    planes = bands if directory.number(PLANAR, 1) == 2 else 1
    across, down = -(-width // columns), -(-height // rows)
    wanted = across * down * planes
    if wanted > limits.blocks:
        raise RasterTooLargeError(
            f"The raster has {wanted} strips or tiles. At most {limits.blocks} are read: use larger ones."
        )
    offsets, sizes = directory.numbers(offset_tag), directory.numbers(bytes_tag)
    if not len(offsets) == len(sizes) == wanted:
        raise DamagedTiffError(
            f"The raster needs {wanted} strips or tiles, but lists {len(offsets)} offsets and "
            f"{len(sizes)} sizes."
        )
    missing = (offsets == 0) & (sizes == 0)
    spans = _inside(offsets[~missing], sizes[~missing], len(directory.body))
    if directory.number(COMPRESSION, 1) == _JPEG:
        shapes = _pictures(directory, (columns, rows), (across, down), planes)
        jpeg.check_frames(directory.body, spans, shapes[~missing])
    bits = max(per_band(directory, BITS, bands, 1))
    decoded = wanted * columns * rows * (bands // planes) * _decoded_bits(bits) // 8
    _check_expansion(decoded, int(sizes.sum()), bits, limits)
    return Blocks(
        columns=columns, rows=rows, spans=spans, missing=missing.reshape(planes, down, across).all(axis=0)
    )


def _pictures(
    directory: Directory, block: tuple[int, int], blocks: tuple[int, int], planes: int
) -> NDArray[np.uint64]:
    """Return the columns and rows (N, 2) that the JPEG picture of each block must have at least.

    A tile is always whole; the last strip may end with the image. With a plane for each band, those of
    subsampled colours are smaller.
    """
    columns, rows = block
    across, down = blocks
    shapes = np.empty((planes, down, across, 2), np.uint64)
    shapes[:] = columns, rows
    if not directory.find(TILE_WIDTH):
        shapes[:, -1, :, 1] = directory.number(HEIGHT, 0) - (down - 1) * rows
    if planes > 1 and directory.number(PHOTOMETRIC, 1) == _YCBCR:
        subsampled = directory.numbers(SUBSAMPLING) if directory.find(SUBSAMPLING) else np.array([2, 2])
        shapes[1:] = -(-shapes[1:].astype(np.int64) // np.maximum(subsampled[:2].astype(np.int64), 1))
    return shapes.reshape(-1, 2)


def _decoded_bits(bits: int) -> int:
    """Return the bits that a decoded sample takes: GDAL widens 9 to 15 bits to 16."""
    return 16 if 8 < bits < 16 else bits


def _check_compression(directory: Directory) -> None:
    codec = directory.number(COMPRESSION, 1)
    if codec not in _COMPRESSIONS:
        names = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        name = _REFUSED_COMPRESSIONS.get(codec, "a method that is not known")
        raise UnsupportedTiffError(
            f"The raster is compressed with {name} (TIFF method {codec}). Loupe reads {names}. Convert it: "
            "gdal_translate -co COMPRESS=DEFLATE in.tif out.tif, or rio convert --co compress=deflate in.tif "
            "out.tif.",
            compression=codec,
        )
    if directory.number(PREDICTOR, 1) not in (1, 2, 3) or directory.number(PLANAR, 1) not in (1, 2):
        raise UnsupportedTiffError("The raster's predictor or planar configuration is unknown.")


def check_packing(directory: Directory, bits: int) -> None:
    """Refuse samples of 9 to 15 bits with a codec or predictor that takes other samples."""
    if directory.number(COMPRESSION, 1) not in _PACKING or directory.number(PREDICTOR, 1) != 1:
        raise UnsupportedTiffError(
            f"The pixels have {bits} bits. Loupe reads such numbers without a predictor, and uncompressed or "
            "with LZW, DEFLATE, ZSTD or PackBits. Convert them: "
            "gdal_translate -co NBITS=16 -co COMPRESS=DEFLATE in.tif out.tif."
        )


def _block_shape(directory: Directory, width: int, height: int, limits: Limits) -> tuple[int, int, int, int]:
    """Return the columns and rows of a block, and the tags of the blocks' offsets and byte counts."""
    if not directory.find(TILE_WIDTH):
        rows = min(directory.number(STRIP_ROWS, height), height)
        columns, tags = width, (STRIP_OFFSETS, STRIP_BYTES)
    else:
        columns, rows = directory.number(TILE_WIDTH, 0), directory.number(TILE_HEIGHT, 0)
        tags = (TILE_OFFSETS, TILE_BYTES)
        if columns > limits.block_side or rows > limits.block_side:
            raise UnsupportedTiffError(
                f"The raster's TIFF tiles are {columns} x {rows} pixels. At most {limits.block_side} pixels "
                "a side are read."
            )
    if not columns or not rows:
        raise DamagedTiffError("The raster's strips or tiles have no pixels.")
    return columns, rows, *tags


def _inside(offsets: NDArray[np.uint64], sizes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    if not sizes.all() or not offsets.all():
        raise DamagedTiffError(
            "Some strips or tiles have a size without a place, or a place without a size. "
            "Write the file again: gdal_translate in.tif out.tif."
        )
    if not len(sizes):
        return np.empty((0, 2), np.uint64)
    # Not offsets + sizes > length: that sum can wrap around at 64 bits.
    if int(sizes.max()) > length or bool((offsets > np.uint64(length) - sizes).any()):
        raise DamagedTiffError("Some strips or tiles lie outside the file. The upload may be cut off.")
    return np.stack([offsets, offsets + sizes], axis=1)


def _check_expansion(decoded: int, stored: int, bits: int, limits: Limits) -> None:
    if decoded > limits.decoded_bytes:
        raise RasterTooLargeError(
            f"The raster decodes to {decoded} bytes. At most {limits.decoded_bytes} are read: cut it into "
            "smaller scenes.",
            decoded=decoded,
        )
    # A sound mask of 1 bit can pack a thousandfold; the limit on pixels bounds it.
    if bits > 1 and decoded > limits.expansion_free and decoded > limits.expansion * stored:
        raise ExpansionError(
            f"{stored} stored bytes would decode to {decoded}, more than {limits.expansion} times as many. "
            "Most of the raster is empty: crop it to the part that holds data, with "
            "gdal_translate -projwin WEST NORTH EAST SOUTH in.tif out.tif or "
            "rio clip in.tif out.tif --bounds 'WEST SOUTH EAST NORTH'.",
            decoded=decoded,
            stored=stored,
        )


def check_overlaps(spans: NDArray[np.uint64]) -> None:
    """Refuse spans (N, 2) that share a byte with each other or with the header."""
    ordered = spans[np.argsort(spans[:, 0], kind="stable")]
    if bool((ordered[1:, 0] < ordered[:-1, 1]).any()) or int(ordered[0, 0]) < 8:
        raise DamagedTiffError(
            "Strips or tiles of the file overlap: the same bytes stand for several parts of the raster."
        )


def per_band(directory: Directory, tag: int, bands: int, default: int) -> list[int]:
    """Return the values of a tag that has one for each band, or one for all bands."""
    values = [int(value) for value in directory.numbers(tag)] or [default]
    if len(values) not in (1, bands):
        raise DamagedTiffError(f"TIFF tag {tag} has {len(values)} values for {bands} bands.", tag=tag)
    return values
