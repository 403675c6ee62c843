"""Mutations of files: each number stands for one mutant, which is the same in every run.

A TIFF is mutated where its meaning lies: header, directories, entries, the places and sizes of its blocks,
GeoTIFF's keys, and the bytes of a block. Both kinds of files are cut off, shifted and overwritten as well.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from service.errors import LoupeError
from service.geotiff.tiff import Directory, Entry, read_directories
from tests.mutants.sound import ARCHIVES, RASTERS, archive, raster

ARCHIVE_SHARE = 0.1
"""Share of mutants that are archives."""
MOST_CHANGES = 4
TELLING = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    255,
    256,
    32_767,
    65_535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
"""Numbers at which sizes and offsets turn over."""
REALS = (0.0, -0.0, 1e-320, 1e-30, 1e30, 1e308, float("inf"), float("-inf"), float("nan"), -10.0)
BLOCK_TAGS = (273, 279, 324, 325)
GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737, 42113)
SIGNATURES = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
"""Headers of an archive: of an entry, of its place in the directory, and of the directory's end."""

Chance = np.random.Generator
Change = Callable[[bytearray, Chance], None]


@dataclass(frozen=True)
class Mutant:
    """A changed file: what it was made from, and the names of the changes."""

    number: int
    origin: str
    changes: tuple[str, ...]
    body: bytes

    @property
    def is_archive(self) -> bool:
        """Whether it was an archive before."""
        return self.origin.startswith("zip")


def mutant(number: int) -> Mutant:
    """Return the mutant of a number, 0 or more."""
    chance = np.random.default_rng([2026, number])
    if chance.random() < ARCHIVE_SHARE:
        method = int(chance.choice(ARCHIVES))
        origin, body, possible = f"zip-{method}", archive(method), OF_ARCHIVES
    else:
        origin = str(chance.choice(list(RASTERS)))
        body, possible = raster(origin), OF_RASTERS
    changed = bytearray(body)
    names = tuple(str(chance.choice(list(possible))) for _ in range(chance.integers(1, MOST_CHANGES)))
    for name in names:
        if changed:
            possible[name](changed, chance)
    return Mutant(number, origin, names, bytes(changed))


def flip_bytes(body: bytearray, chance: Chance) -> None:
    """Overwrite some bytes anywhere."""
    for at in chance.integers(len(body), size=chance.integers(1, 9)):
        body[at] = int(chance.integers(256))


def cut_off(body: bytearray, chance: Chance) -> None:
    """Drop the end."""
    del body[int(chance.integers(len(body))) :]


def drop_middle(body: bytearray, chance: Chance) -> None:
    """Drop some bytes in the middle, so that all offsets behind them are wrong."""
    start = int(chance.integers(len(body)))
    del body[start : start + int(chance.integers(1, 64))]


def insert_bytes(body: bytearray, chance: Chance) -> None:
    """Insert some bytes in the middle."""
    at = int(chance.integers(len(body)))
    body[at:at] = chance.bytes(int(chance.integers(1, 64)))


def blank_range(body: bytearray, chance: Chance) -> None:
    """Overwrite a range with zeros or ones."""
    start = int(chance.integers(len(body)))
    end = min(len(body), start + int(chance.integers(1, 256)))
    body[start:end] = (b"\0", b"\xff")[int(chance.integers(2))] * (end - start)


def append_bytes(body: bytearray, chance: Chance) -> None:
    """Append an archive, a page or noise."""
    tails = (archive(ARCHIVES[0]), raster("handmade"), chance.bytes(100))
    body += tails[int(chance.integers(3))]


def change_header(body: bytearray, chance: Chance) -> None:
    """Overwrite a byte of the header: byte order, version, first directory."""
    body[int(chance.integers(min(16, len(body))))] = int(chance.integers(256))


def change_entry(body: bytearray, chance: Chance) -> None:
    """Change the tag, type, count or value of a directory's entry to a telling number."""
    if found := _any_entry(body, chance):
        directory, index, _ = found
        layout = directory.layout
        at = directory.offset + layout.count_bytes + index * layout.entry_bytes
        width = layout.offset_bytes
        place, size = ((at, 2), (at + 2, 2), (at + 4, width), (at + 4 + width, width))[
            int(chance.integers(4))
        ]
        _write(body, place, _telling(body, chance), size, layout.order)


def change_block(body: bytearray, chance: Chance) -> None:
    """Change the place or size of one strip or tile."""
    if found := _any_entry(body, chance, BLOCK_TAGS):
        directory, _, entry = found
        width = {3: 2, 4: 4, 16: 8}.get(entry.type)
        if width and entry.count:
            at = entry.position + int(chance.integers(entry.count)) * width
            _write(body, at, _telling(body, chance), width, directory.layout.order)


def change_place(body: bytearray, chance: Chance) -> None:
    """Change a number of the georeference or a GeoTIFF key."""
    if found := _any_entry(body, chance, GEO_TAGS):
        directory, _, entry = found
        order = directory.layout.order
        if entry.type == 12 and entry.count:
            at = entry.position + 8 * int(chance.integers(entry.count))
            struct.pack_into(order + "d", body, at, REALS[int(chance.integers(len(REALS)))])
        elif entry.size >= 2:
            at = entry.position + int(chance.integers(entry.size - 1))
            _write(body, at, int(chance.integers(65_536)), 2, order)


def swap_entries(body: bytearray, chance: Chance) -> None:
    """Swap two entries of a directory, or write one over the other."""
    one, two = _any_entry(body, chance), _any_entry(body, chance)
    if one and two:
        layout = one[0].layout
        spans = [
            slice(start, start + layout.entry_bytes)
            for directory, index, _ in (one, two)
            for start in (directory.offset + layout.count_bytes + index * layout.entry_bytes,)
        ]
        first, second = bytes(body[spans[0]]), bytes(body[spans[1]])
        body[spans[0]] = second
        if chance.random() < 0.5:
            body[spans[1]] = first


def change_chain(body: bytearray, chance: Chance) -> None:
    """Let a directory be followed by itself, by another place, or by nothing."""
    if directories := _directories(body):
        layout = directories[0].layout
        directory = directories[int(chance.integers(len(directories)))]
        targets = (directory.offset, 8, 0, int(chance.integers(len(body))))
        place = directory.end - layout.offset_bytes
        _write(body, place, targets[int(chance.integers(4))], layout.offset_bytes, layout.order)


def damage_block(body: bytearray, chance: Chance) -> None:
    """Overwrite bytes of the first strip or tile, where the codec's own header is."""
    if directories := _directories(body):
        image = directories[0]
        try:
            start = int(image.number(324 if image.find(324) else 273, 8))
        except LoupeError:
            return
        for _ in range(int(chance.integers(1, 6))):
            at = start + int(chance.integers(64))
            if at < len(body):
                body[at] = (0xFF, 0xD8, 0xC0, 0, int(chance.integers(256)))[int(chance.integers(5))]


def change_archive_header(body: bytearray, chance: Chance) -> None:
    """Change a field of a header of an archive: method, sizes, offsets, flags, number of entries."""
    signature = SIGNATURES[int(chance.integers(3))]
    places = [at for at in range(len(body) - 4) if body[at : at + 4] == signature]
    if places:
        at = places[int(chance.integers(len(places)))] + 4 + int(chance.integers(42))
        size = (1, 2, 4)[int(chance.integers(3))]
        if at + size <= len(body):
            _write(body, at, _telling(body, chance), size, "<")


def change_name(body: bytearray, chance: Chance) -> None:
    """Let an entry of an archive have a name that leaves it, hides it or is no text."""
    names = (b"../../../etc/one", b"/etc/passwd.tiff", b"C:\\delivery\\a.ti", b"\xff\xfe\0\0elivery/one")
    new = names[int(chance.integers(len(names)))].ljust(16, b"_")[:16]
    for at in range(len(body) - 16):
        if body[at : at + 16] == b"delivery/one.tif":
            body[at : at + 16] = new


ANYWHERE: dict[str, Change] = {
    change.__name__: change
    for change in (flip_bytes, cut_off, drop_middle, insert_bytes, blank_range, append_bytes)
}
OF_RASTERS: dict[str, Change] = ANYWHERE | {
    change.__name__: change
    for change in (
        change_header, change_entry, change_block, change_place, swap_entries, change_chain, damage_block,
    )
}  # fmt: skip
OF_ARCHIVES: dict[str, Change] = ANYWHERE | {
    change.__name__: change for change in (change_archive_header, change_name)
}


def _directories(body: bytearray) -> tuple[Directory, ...]:
    """Return the directories as far as they are still sound; none otherwise."""
    try:
        return read_directories(bytes(body), 40)
    except LoupeError:
        return ()


def _any_entry(
    body: bytearray, chance: Chance, tags: tuple[int, ...] = ()
) -> tuple[Directory, int, Entry] | None:
    """Choose an entry, of these tags if any are given; return its directory, its number and itself."""
    found = [
        (directory, index, entry)
        for directory in _directories(body)
        for index, entry in enumerate(directory.entries)
        if not tags or entry.tag in tags
    ]
    return found[int(chance.integers(len(found)))] if found else None


def _telling(body: bytearray, chance: Chance) -> int:
    near = (len(body), len(body) - 1, len(body) + 1, int(chance.integers(len(body) + 1)))
    numbers = (*TELLING, *near, int(chance.integers(400)), int(chance.integers(65_536)))
    return numbers[int(chance.integers(len(numbers)))]


def _write(body: bytearray, at: int, value: int, size: int, order: str) -> None:
    """Write the lowest bytes of a number."""
    raw = (value % 256**size).to_bytes(size, "little" if order == "<" else "big")
    body[at : at + size] = raw
