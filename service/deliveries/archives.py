"""The files of a delivered zip archive: GeoTIFFs to try, and the others with the reason why they are ignored.

An archive is untrusted. Its directory, its entries and what they unpack to are bounded, nothing is written
under a name that the archive gives, and only stored and deflated entries are unpacked, one chunk at a time.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from service.errors import InvalidInputError, LoupeError

MOST_ENTRIES = 2_000
MOST_DIRECTORY_BYTES = 4 * 1024 * 1024
LARGEST_UNPACKED = 4
"""Unpacked bytes of all entries together, as a multiple of the largest upload."""
LARGEST_RATIO = 200
"""Unpacked over packed bytes of an entry above `SMALL`; imagery reaches 20 where it is mostly empty."""
SMALL = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_TIFF = re.compile(r"\.tiff?", re.IGNORECASE)
_MASK = re.compile(r"(?:^|[^a-z0-9])(?:udm2?|cloud-?mask|masks?|qa\d*|clm|scl)(?:[^a-z0-9]|$)", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_ARCHIVE = re.compile(r"\.(?:zip|tar|gz|tgz|7z|rar)", re.IGNORECASE)

# The errors of zipfile for archives that contradict themselves; a text that is not UTF-8 is a ValueError.
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, OSError, EOFError, RuntimeError)


class ArchiveUnusableError(InvalidInputError):
    """An archive that is damaged or encrypted, or that holds what is never unpacked."""

    code = "archive-unusable"
    title = "The archive cannot be unpacked"


class ArchiveTooLargeError(LoupeError):
    """An archive with too many entries, or with too much in them."""

    status: ClassVar[int] = 413
    code = "archive-too-large"
    title = "The archive unpacks to too much"


@dataclass(frozen=True)
class ArchiveEntry:
    """A file in an archive: to be tried if it has no reason to be ignored."""

    name: str
    size: int  # bytes, unpacked
    ignored: str | None  # the reason, a sentence


class DeliveredArchive:
    """A zip archive that passed the checks. Used as a context manager."""

    def __init__(self, path: Path, largest: int) -> None:
        """Open the archive at `path`, whose entries may have `largest` bytes; errors as `_check`."""
        self._file = _BoundedFile(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            # Not is_dir(): it fails for an entry without a name, which `_check` refuses.
            self._entries = [one for one in self._zip.infolist() if not one.filename.endswith("/")]
            _check(self._entries, largest)
        except _DAMAGED as error:
            self._file.close()
            raise ArchiveUnusableError(f"The zip archive is damaged: {_said(error)}.") from error
        except LoupeError:
            self._file.close()
            raise

    def __enter__(self) -> "DeliveredArchive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    def entries(self) -> list[ArchiveEntry]:
        """Return the files: those to try first, the largest of them first because finer imagery is larger."""
        found = [
            ArchiveEntry(one.filename, one.file_size, _why_ignored(one.filename)) for one in self._entries
        ]
        return sorted(found, key=lambda one: (one.ignored is not None, -one.size, one.name))

    def chunks(self, entry: ArchiveEntry) -> Iterator[bytes]:
        """Yield the bytes of a file. ArchiveUnusableError when they are damaged."""
        info = next(one for one in self._entries if one.filename == entry.name)
        try:
            with self._zip.open(info) as source:
                while chunk := source.read(_CHUNK):
                    yield chunk
        except _DAMAGED as error:
            raise ArchiveUnusableError(
                f"The file {entry.name} in the zip archive is damaged: {_said(error)}.", file=entry.name
            ) from error


class _BoundedFile(io.FileIO):
    """A file that refuses to read at once more than a directory may have, whatever the archive declares."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MOST_DIRECTORY_BYTES:
            raise ArchiveTooLargeError(
                f"The archive's directory has {size} bytes, and at most {MOST_DIRECTORY_BYTES} are read. "
                "Deliver the GeoTIFFs in several archives.",
                limit=MOST_DIRECTORY_BYTES,
            )
        return super().read(size) or b""


def is_zip(head: bytes) -> bool:
    """Say whether a file that starts with `head` is a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def _check(entries: list[zipfile.ZipInfo], largest: int) -> None:
    """Refuse an archive that is too large or unsafe before anything is unpacked."""
    if len(entries) > MOST_ENTRIES:
        raise ArchiveTooLargeError(
            f"The archive has {len(entries)} files, and at most {MOST_ENTRIES} are read. Deliver the "
            "GeoTIFFs in several archives.",
            limit=MOST_ENTRIES,
        )
    total, most = sum(one.file_size for one in entries), LARGEST_UNPACKED * largest
    if total > most:
        raise ArchiveTooLargeError(
            f"The archive unpacks to {total} bytes, and at most {most} are read. Deliver the GeoTIFFs in "
            "several archives.",
            limit=most,
        )
    for one in entries:
        _check_entry(one, largest)
    if len({one.filename for one in entries}) < len(entries):
        raise ArchiveUnusableError("The archive holds two files of the same name.")


def _check_entry(one: zipfile.ZipInfo, largest: int) -> None:
    name = one.filename[:200]
    if _leaves_the_archive(one.filename):
        raise ArchiveUnusableError(f"The archive names a file outside itself: {name!r}.", file=name)
    if stat.S_ISLNK(one.external_attr >> 16):
        raise ArchiveUnusableError(
            f"The archive holds a symbolic link, {name!r}, which is not followed.", file=name
        )
    if one.flag_bits & 0x1:
        raise ArchiveUnusableError(
            f"The file {name!r} in the archive is encrypted. Deliver it without a password.", file=name
        )
    if _why_ignored(one.filename) is not None:
        return  # never unpacked
    if one.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ArchiveUnusableError(
            f"The file {name!r} is packed with method {one.compress_type}. Loupe unpacks stored and deflated "
            "files.",
            file=name,
        )
    if one.file_size > largest:
        raise ArchiveTooLargeError(
            f"The file {name!r} has {one.file_size} bytes, and at most {largest} are read.", limit=largest
        )
    if one.file_size > SMALL and one.file_size > LARGEST_RATIO * max(one.compress_size, 1):
        raise ArchiveTooLargeError(
            f"The file {name!r} unpacks to {one.file_size} bytes, more than {LARGEST_RATIO} times its packed "
            "size. Deliver the GeoTIFF itself, compressed (gdal_translate -co COMPRESS=DEFLATE).",
            file=name,
        )


def _leaves_the_archive(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or _DRIVE.match(name) is not None or not name.strip()


def _why_ignored(name: str) -> str | None:
    """Return why a file is not tried as imagery, None if it is."""
    path = PurePosixPath(name.replace("\\", "/"))
    if name.startswith("__MACOSX/") or path.name.startswith("."):
        return "It is a hidden file of the system that made the archive."
    if _ARCHIVE.fullmatch(path.suffix):
        return "It is an archive within the archive, and these are not unpacked. Deliver it by itself."
    if path.suffix.lower() in (".jp2", ".j2k"):
        return f"It is JPEG 2000. Convert it: gdal_translate {path.name} {path.stem}.tif."
    if not _TIFF.fullmatch(path.suffix):
        return "It is not a GeoTIFF."
    if _MASK.search(path.stem) or any(_MASK.fullmatch(part) for part in path.parts[:-1]):
        return "It is a mask by its name, not imagery."
    return None


def _said(error: Exception) -> str:
    return str(error).rstrip(".")[:200] or type(error).__name__
