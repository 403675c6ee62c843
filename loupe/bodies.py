"""Bodies of uploads: bytes or a file, sent in parts, with the progress of the upload."""

from collections.abc import AsyncIterator, Callable, Iterator
from os import PathLike
from pathlib import Path

import anyio.to_thread

File = bytes | str | PathLike[str]
"""Bytes of a file, or its path."""
Sent = Callable[[int, int], None]
"""Called after each part with the bytes sent so far and in all. A repeated upload begins again at 0."""
PART = 1024 * 1024
"""Bytes of a part."""


class Body:
    """Content of one request. It can be read several times, so that a request can be repeated."""

    def __init__(self, file: File, sent: Sent | None = None) -> None:
        self._file = file if isinstance(file, bytes) else Path(file)
        self._sent = sent
        self.size = len(self._file) if isinstance(self._file, bytes) else self._file.stat().st_size
        """Bytes in all; OSError where there is no such file."""

    def parts(self) -> Iterator[bytes]:
        """Yield the content in parts of a mebibyte."""
        done = 0
        for part in self._read():
            yield part
            done += len(part)
            if self._sent is not None:
                self._sent(done, self.size)

    async def parts_async(self) -> AsyncIterator[bytes]:
        """Yield the same parts; files are read outside the event loop."""
        parts = self.parts()
        while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
            yield part

    def _read(self) -> Iterator[bytes]:
        if isinstance(self._file, bytes):
            for start in range(0, len(self._file), PART):
                yield self._file[start : start + PART]
            return
        with self._file.open("rb") as source:
            while part := source.read(PART):
                yield part
