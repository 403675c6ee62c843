"""The size of the picture that a JPEG block of a TIFF holds.

libtiff decodes a picture that is smaller than its strip or tile with only a warning, and leaves the rest of
the block as the memory happens to be. Sources: ITU-T T.81 (1992), annex B; libtiff 4.7, `JPEGPreDecode`.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from service.geotiff.errors import DamagedTiffError

_START, _SCAN = 0xD8, 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # these three are no frames but tables
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length


def check_frames(body: bytes, spans: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> None:
    """Refuse a file of which a JPEG block is smaller than its strip or tile.

    `spans` (N, 2) are the [start, end) of the blocks, `wanted` (N, 2) the columns and rows they must cover.
    """
    for (start, end), (columns, rows) in zip(spans.tolist(), wanted.tolist(), strict=True):
        width, height = frame_size(body, start, end)
        if width < columns or height < rows:
            raise DamagedTiffError(
                f"A JPEG strip or tile of {columns} x {rows} pixels holds a picture of {width} x {height}. "
                "Write the file again: gdal_translate in.tif out.tif."
            )


def frame_size(body: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the width and height in pixels that the JPEG stream body[start:end] declares.

    DamagedTiffError unless the stream begins as a JPEG and has a frame in front of its first scan.
    """
    if body[start : start + 2] == bytes((0xFF, _START)):
        at = start + 2
        while at + 4 <= end and body[at] == 0xFF:
            marker = body[at + 1]
            if marker in _FRAMES and at + 9 <= end:
                height, width = struct.unpack_from(">HH", body, at + 5)
                return width, height
            if marker == _SCAN:
                break
            if marker == 0xFF:
                at += 1  # padding in front of a marker
            else:
                at += 2 if marker in _ALONE else 2 + int.from_bytes(body[at + 2 : at + 4])
    raise DamagedTiffError(
        "A strip or tile says that it is a JPEG, but holds no JPEG picture. Write the file again: "
        "gdal_translate in.tif out.tif."
    )
