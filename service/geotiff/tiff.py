"""The container: header, directories (IFDs) and entries of an untrusted classic TIFF or BigTIFF.

Sources: TIFF 6.0 (Adobe, 1992), BigTIFF (libtiff design notes). A declared size is checked against the
file's own size before anything is allocated for it.
"""

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.geotiff.containers import recognise_container
from service.geotiff.errors import DamagedTiffError, NotGeoTiffError, UnsupportedTiffError

MAX_TAGS = 128
MAX_TAG_BYTES = 4 * 1024 * 1024

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8}
_TYPE_BYTES[18] = 8
_REALS = {11: "f4", 12: "f8"}
_UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}


@dataclass(frozen=True)
class TiffLayout:
    """Number formats of a file: its byte order, and the sizes that are larger in BigTIFF."""

    order: Literal["<", ">"]
    big: bool

    @property
    def count_format(self) -> str:
        """Struct format of a directory's number of entries."""
        return self.order + ("Q" if self.big else "H")

    @property
    def offset_format(self) -> str:
        """Struct format of a position in the file."""
        return self.order + ("Q" if self.big else "I")

    @property
    def entry_format(self) -> str:
        """Struct format of an entry's tag, type and count, which its value or position follows."""
        return self.order + ("HHQ" if self.big else "HHI")

    @property
    def count_bytes(self) -> int:
        """Size in bytes of a directory's number of entries."""
        return 8 if self.big else 2

    @property
    def entry_bytes(self) -> int:
        """Size in bytes of one entry."""
        return 20 if self.big else 12

    @property
    def offset_bytes(self) -> int:
        """Size in bytes of a position in the file, and of the longest value that an entry holds itself."""
        return 8 if self.big else 4


@dataclass(frozen=True)
class Entry:
    """A tag with the type, count and position of its values, which lie inside the file."""

    tag: int
    type: int
    count: int
    position: int

    @property
    def size(self) -> int:
        """Size in bytes of the values."""
        return _TYPE_BYTES[self.type] * self.count


@dataclass(frozen=True)
class Directory:
    """An IFD: its position, its entries in file order and the position of the next IFD (0: none)."""

    body: bytes
    layout: TiffLayout
    offset: int
    entries: tuple[Entry, ...]
    next_offset: int

    @property
    def end(self) -> int:
        """Position of the first byte after the directory."""
        layout = self.layout
        return self.offset + layout.count_bytes + len(self.entries) * layout.entry_bytes + layout.offset_bytes

    def find(self, tag: int) -> Entry | None:
        """Return the entry of `tag`, or None."""
        return next((entry for entry in self.entries if entry.tag == tag), None)

    def numbers(self, tag: int) -> NDArray[np.uint64]:
        """Return the values of an unsigned integer tag, empty when absent; refuse another type."""
        entry = self.find(tag)
        if entry is None:
            return np.empty(0, np.uint64)
        if entry.type not in _UNSIGNED:
            raise DamagedTiffError(
                f"TIFF tag {tag} must hold whole numbers, but has type {entry.type}.", tag=tag
            )
        dtype = np.dtype(_UNSIGNED[entry.type]).newbyteorder(self.layout.order)
        values = np.frombuffer(self.body, dtype, entry.count, entry.position)
        return values.astype(np.uint64)

    def number(self, tag: int, default: int) -> int:
        """Return the first value of an unsigned integer tag, or `default` when absent or empty."""
        values = self.numbers(tag)
        return int(values[0]) if values.size else default

    def reals(self, tag: int) -> NDArray[np.float64]:
        """Return the values of a floating-point tag, empty when absent or of another type."""
        entry = self.find(tag)
        if entry is None or entry.type not in _REALS:
            return np.empty(0, np.float64)
        dtype = np.dtype(_REALS[entry.type]).newbyteorder(self.layout.order)
        return np.frombuffer(self.body, dtype, entry.count, entry.position).astype(np.float64)

    def raw(self, tag: int) -> bytes:
        """Return the bytes of the values of `tag`, empty when absent."""
        entry = self.find(tag)
        return self.body[entry.position : entry.position + entry.size] if entry else b""


def read_layout(body: bytes) -> tuple[TiffLayout, int]:
    """Return the layout and the position of the first directory; 415 unless `body` starts like a TIFF."""
    if body[:2] not in (b"II", b"MM"):
        raise _not_a_tiff(body)
    order: Literal["<", ">"] = "<" if body[:2] == b"II" else ">"
    if len(body) < 8:
        raise DamagedTiffError(f"The file ends after {len(body)} bytes, inside its header.")
    version = struct.unpack_from(order + "H", body, 2)[0]
    if version == 42:
        return TiffLayout(order, big=False), struct.unpack_from(order + "I", body, 4)[0]
    if version == 43 and len(body) >= 16 and struct.unpack_from(order + "HH", body, 4) == (8, 0):
        return TiffLayout(order, big=True), struct.unpack_from(order + "Q", body, 8)[0]
    raise NotGeoTiffError(f"The file's version number is {version}. A TIFF has 42, a BigTIFF 43.")


def _not_a_tiff(body: bytes) -> NotGeoTiffError:
    container = recognise_container(body)
    if container is None:
        return NotGeoTiffError("The file does not start like a TIFF. Send the GeoTIFF itself.")
    return NotGeoTiffError(
        f"The file is {container.name}, and Loupe reads GeoTIFF. {container.remedy}", container=container.name
    )


def read_directories(body: bytes, most: int) -> tuple[Directory, ...]:
    """Follow the chain of directories; refuse loops and more than `most` directories."""
    layout, offset = read_layout(body)
    directories: list[Directory] = []
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise DamagedTiffError("The TIFF's chain of directories loops back on itself.")
        if len(directories) == most:
            raise UnsupportedTiffError(f"The TIFF holds more than {most} images (pages, overviews, masks).")
        seen.add(offset)
        directories.append(_read_directory(body, layout, offset))
        offset = directories[-1].next_offset
    if not directories:
        raise DamagedTiffError("The TIFF holds no image.")
    return tuple(directories)


def _read_directory(body: bytes, layout: TiffLayout, offset: int) -> Directory:
    first = offset + layout.count_bytes
    if first > len(body):
        raise DamagedTiffError(
            f"A TIFF directory at byte {offset} lies outside the file ({len(body)} bytes). "
            "The upload may be cut off: send the whole file."
        )
    count = struct.unpack_from(layout.count_format, body, offset)[0]
    if not 0 < count <= MAX_TAGS:
        raise DamagedTiffError(f"A TIFF directory declares {count} tags. Loupe reads 1 to {MAX_TAGS}.")
    after = first + count * layout.entry_bytes
    if after + layout.offset_bytes > len(body):
        raise DamagedTiffError("A TIFF directory runs past the end of the file. The upload may be cut off.")
    entries = tuple(_read_entry(body, layout, first + i * layout.entry_bytes) for i in range(count))
    if len({entry.tag for entry in entries}) < count:
        raise DamagedTiffError("A TIFF directory holds the same tag twice.")
    next_offset = struct.unpack_from(layout.offset_format, body, after)[0]
    return Directory(body, layout, offset, entries, next_offset)


def _read_entry(body: bytes, layout: TiffLayout, at: int) -> Entry:
    tag, kind, count = struct.unpack_from(layout.entry_format, body, at)
    if kind not in _TYPE_BYTES:
        raise DamagedTiffError(f"TIFF tag {tag} has the unknown type {kind}.", tag=tag)
    size = _TYPE_BYTES[kind] * count
    if size > MAX_TAG_BYTES:
        raise DamagedTiffError(
            f"TIFF tag {tag} declares {size} bytes. At most {MAX_TAG_BYTES} are read.", tag=tag
        )
    position = at + layout.entry_bytes - layout.offset_bytes
    if size > layout.offset_bytes:
        position = struct.unpack_from(layout.offset_format, body, position)[0]
    if position + size > len(body):
        raise DamagedTiffError(f"TIFF tag {tag} points outside the file. The upload may be cut off.", tag=tag)
    return Entry(tag, kind, count, position)
