"""Blobs in a folder for each workspace, each named by the SHA-256 of its bytes.

Workspaces share no file: neither an answer nor its time tells what another one has stored. Earlier versions
kept all files in one folder, where they are still read.

Small files are put at once. A large one is spooled to a temporary file beside the blobs, and kept or dropped
once it is known to be worth it: it is never in memory as a whole.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from service.errors import LoupeError, UnavailableError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPOOL = "incoming"
_WORKSPACES = "workspaces"
_STALE_SECONDS = 86_400.0


class StorageFailedError(UnavailableError):
    """The folder of stored files is full or refuses writes."""

    code = "storage-failed"
    title = "The file cannot be stored"


class StoredFileError(LoupeError):
    """A stored file is lost: asking again does not help, so this is not a 503."""

    status = 500
    code = "stored-file-lost"
    title = "A stored file is lost"


class BlobMissingError(StoredFileError):
    """A stored file no longer exists."""

    code = "blob-missing"
    title = "A stored file is missing"


class BlobDamagedError(StoredFileError):
    """A stored file no longer has the digest that it was stored under."""

    code = "blob-damaged"
    title = "A stored file is damaged"


def folder_of(root: Path, workspace_id: UUID) -> Path:
    """Return the folder of a workspace's blobs."""
    return root / _WORKSPACES / str(workspace_id)


def put(folder: Path, body: bytes) -> str:
    """Store `body` in `folder` and return its SHA-256 in hex; storing it twice only makes the blob new.

    After this returns, the blob survives a power cut: the file is synced before the rename and its folder
    after it. A crash leaves either the whole blob or none. Raises `StorageFailedError` when the disk is
    full or refuses the write.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    path = path_of(folder, sha256)
    if _touch(path) and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return sha256  # a damaged copy is replaced below
    write_whole(path, body)
    return sha256


def write_whole(path: Path, body: bytes) -> None:
    """Write a file that survives a power cut and that nobody sees half written.

    Raises `StorageFailedError` when the disk is full or refuses the write.
    """
    try:
        _make_folder(path.parent)
        _write(path, body)
    except OSError as error:
        raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error


def _write(path: Path, body: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as file:
        try:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


@dataclass(frozen=True, kw_only=True)
class SpooledFile:
    """A whole file beside the blobs that is not kept yet."""

    path: Path
    sha256: str
    size: int  # bytes


class Spool:
    """A temporary file beside the blobs that is hashed while it is written."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._digest, self._size = hashlib.sha256(), 0

    @property
    def size(self) -> int:
        """Number of bytes written so far."""
        return self._size

    def write(self, chunk: bytes | bytearray) -> None:
        """Append bytes. StorageFailedError when the disk is full."""
        try:
            self._file.write(chunk)
        except OSError as error:
            raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error
        self._digest.update(chunk)
        self._size += len(chunk)

    def close(self) -> SpooledFile:
        """Sync the file to disk and describe it."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error
        return SpooledFile(path=self._path, sha256=self._digest.hexdigest(), size=self._size)


@contextmanager
def spooling(root: Path) -> Iterator[Spool]:
    """Open a temporary file under `root` and remove it afterwards unless `keep` has moved it."""
    folder = root / _SPOOL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
    except OSError as error:
        raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield Spool(file, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)


def keep(folder: Path, spooled: SpooledFile) -> None:
    """Move a spooled file, which was synced, among the blobs; its open descriptors stay valid.

    Keeping it twice changes nothing. After this returns, the blob survives a power cut.
    """
    path = path_of(folder, spooled.sha256)
    try:
        _make_folder(path.parent)
        if spooled.path.exists():
            spooled.path.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error


def clear_spool(root: Path) -> None:
    """Remove spooled files that a killed server left behind more than a day ago."""
    for path in (root / _SPOOL).glob("*"):
        if is_older(path, time.time() - _STALE_SECONDS):
            path.unlink(missing_ok=True)


def is_older(path: Path, moment: float) -> bool:
    """Return whether a file was written before a moment; False if another process has removed it."""
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        return False


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder of blobs, also those that a killed process left in part."""
    for part in folder.glob("[0-9a-f][0-9a-f]"):
        yield from part.iterdir()


def remove(path: Path) -> int:
    """Remove a file and return its size in bytes; 0 if another process was first."""
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def is_stored(folder: Path, sha256: str) -> bool:
    """Return whether there is a blob, without reading it."""
    return _stored(folder, sha256).is_file()


def get(folder: Path, sha256: str) -> bytes:
    """Return the blob stored under `sha256` after verifying its digest.

    Raises `BlobMissingError` when there is none and `BlobDamagedError` when its bytes have changed.
    """
    return read_checked(_stored(folder, sha256), sha256)


def read_checked(path: Path, sha256: str) -> bytes:
    """Return a file's bytes after verifying their digest; errors as `get`."""
    try:
        body = path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(sha256) from error
    _check_digest(hashlib.sha256(body).hexdigest(), sha256)
    return body


def open_checked(folder: Path, sha256: str) -> BinaryIO:
    """Open a blob of any size after verifying its digest; errors as `get`. Whoever opens it closes it.

    It can be read to its end although it is deleted meanwhile, which a path could not.
    """
    try:
        file = _stored(folder, sha256).open("rb")
    except FileNotFoundError as error:
        raise _missing(sha256) from error
    try:
        _check_digest(hashlib.file_digest(file, "sha256").hexdigest(), sha256)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _missing(sha256: str) -> BlobMissingError:
    return BlobMissingError(
        f"The stored file {sha256} is missing. The operator can restore it from a backup.", sha256=sha256
    )


def _check_digest(found: str, sha256: str) -> None:
    if found != sha256:
        raise BlobDamagedError(
            f"The stored file {sha256} has changed since it was stored. The operator can restore it "
            "from a backup.",
            sha256=sha256,
        )


def path_of(folder: Path, sha256: str) -> Path:
    """Return the path of a blob in a folder, also if it is not there. BlobMissingError for no digest."""
    if not _SHA256.fullmatch(sha256):
        raise BlobMissingError("The name of a stored file must be a SHA-256 digest in lower-case hex.")
    return folder / sha256[:2] / sha256


def _stored(folder: Path, sha256: str) -> Path:
    """Return the path under which a blob is read: its own, or that in the folder of earlier versions."""
    path = path_of(folder, sha256)
    if folder.parent.name != _WORKSPACES or path.exists():
        return path
    return path_of(folder.parent.parent, sha256)


def _touch(path: Path) -> bool:
    """Make a file new, so that no sweep removes it while it gets its row; return whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which survives a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
