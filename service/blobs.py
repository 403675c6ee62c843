"""Blobs in a folder, each named by the SHA-256 of its bytes.

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

from service.errors import UnavailableError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPOOL = "incoming"
_STALE_SECONDS = 86_400.0


class StorageFailedError(UnavailableError):
    """The folder of stored files is full or refuses writes."""

    code = "storage-failed"
    title = "The file cannot be stored"


class BlobMissingError(UnavailableError):
    """A stored file no longer exists."""

    code = "blob-missing"
    title = "A stored file is missing"


class BlobDamagedError(UnavailableError):
    """A stored file no longer has the digest that it was stored under."""

    code = "blob-damaged"
    title = "A stored file is damaged"


def put(root: Path, body: bytes) -> str:
    """Store `body` under `root` and return its SHA-256 in hex; storing it twice changes nothing.

    After this returns, the blob survives a power cut: the file is synced before the rename and its folder
    after it. A crash leaves either the whole blob or none. Raises `StorageFailedError` when the disk is
    full or refuses the write.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    path = _path(root, sha256)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return sha256  # a damaged copy is replaced below
    try:
        _write(path, body)
        _sync_folder(root)
    except OSError as error:
        raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error
    return sha256


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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


def keep(root: Path, spooled: SpooledFile) -> None:
    """Move a spooled file, which was synced, among the blobs; its open descriptors stay valid.

    Keeping it twice changes nothing. After this returns, the blob survives a power cut.
    """
    path = _path(root, spooled.sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if spooled.path.exists():
            spooled.path.replace(path)
        _sync_folder(path.parent)
        _sync_folder(root)
    except OSError as error:
        raise StorageFailedError(f"The file cannot be stored: {error.strerror}.") from error


def clear_spool(root: Path) -> None:
    """Remove spooled files that a killed server left behind more than a day ago."""
    for path in (root / _SPOOL).glob("*"):
        if path.stat().st_mtime < time.time() - _STALE_SECONDS:
            path.unlink(missing_ok=True)


def get(root: Path, sha256: str) -> bytes:
    """Return the blob stored under `sha256` after verifying its digest.

    Raises `BlobMissingError` when there is none and `BlobDamagedError` when its bytes have changed.
    """
    try:
        body = _path(root, sha256).read_bytes()
    except FileNotFoundError as error:
        raise _missing(sha256) from error
    _check_digest(hashlib.sha256(body).hexdigest(), sha256)
    return body


def verified_path(root: Path, sha256: str) -> Path:
    """Return the path of a blob of any size after verifying its digest; errors as `get`."""
    path = _path(root, sha256)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise _missing(sha256) from error
    _check_digest(found, sha256)
    return path


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


def _path(root: Path, sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise BlobMissingError("The name of a stored file must be a SHA-256 digest in lower-case hex.")
    return root / sha256[:2] / sha256


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
