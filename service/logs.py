"""Logs as lines of JSON: one object for each request, and one for each message of the server.

A thread writes the lines. Nothing waits for it: when a disk or a pipe is slow, lines beyond MOST_WAITING are
dropped and counted, and a line says how many.
"""

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from service.bounded_warnings import bound_warnings
from service.errors import UnavailableError

STANDARD_OUTPUT = "-"
"""The setting that sends the lines to standard output."""
MOST_WAITING = 4_096
"""Lines that wait to be written."""
LONGEST = 1_000
"""Most characters of a text that a client chose."""
CLOSING_S = 2.0
"""Most seconds that the end of the process waits for the last lines."""
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLog:
    """A log of JSON objects, one a line, in ASCII. A file that was moved away is begun again."""

    def __init__(self, target: str, most_waiting: int = MOST_WAITING) -> None:
        """Open the log and append to it. OSError when the file cannot be written."""
        self._path = None if target == STANDARD_OUTPUT else Path(target).expanduser()
        self._stream = sys.stdout if self._path is None else open_for_appending(self._path)
        self._waiting: queue.Queue[str | None] = queue.Queue(most_waiting)
        self._dropped = 0
        self._lock = threading.Lock()
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def add(self, entry: Mapping[str, Any]) -> None:
        """Let an object be written soon; it is dropped and counted if too many wait."""
        try:
            self._waiting.put_nowait(line_of(entry))
        except queue.Full:
            with self._lock:
                self._dropped += 1

    def close(self) -> None:
        """Write what waits, for at most CLOSING_S seconds."""
        try:
            self._waiting.put(None, timeout=CLOSING_S)
        except queue.Full:
            return  # whatever the lines are written to takes none
        self._writer.join(CLOSING_S)
        if self._path is not None and not self._writer.is_alive():
            self._stream.close()

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            with self._lock:
                dropped, self._dropped = self._dropped, 0
            if dropped:
                line += line_of(_message(logging.WARNING, __name__, f"{dropped} lines were dropped here."))
            try:
                self._reopen_if_moved()
                self._stream.write(line)
                self._stream.flush()
            except (OSError, ValueError):  # a full disk or a closed pipe: the server goes on
                with self._lock:
                    self._dropped += dropped + 1

    def _reopen_if_moved(self) -> None:
        if self._path is None:
            return
        opened = os.fstat(self._stream.fileno())
        if not self._path.exists() or not os.path.samestat(opened, self._path.stat()):
            self._stream.close()
            self._stream = open_for_appending(self._path)


class JsonHandler(logging.Handler):
    """A handler that writes the messages of the server to a log of JSON objects."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message, with the traceback of its exception if it has one."""
        entry = _message(record.levelno, record.name, record.getMessage(), record.created)
        if record.exc_info:
            entry["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._log.add(entry)


@contextmanager
def logging_to(target: str | None) -> Iterator[JsonLog | None]:
    """Send the messages of the server to a log of JSON objects, or without one as text to standard error.

    With the log on standard output, whatever else is printed goes to standard error. UnavailableError when
    the log cannot be opened.
    """
    if target is None:
        configure(logging.StreamHandler())
        yield None
        return
    try:
        log = JsonLog(target)
    except OSError as error:
        raise UnavailableError(
            f"The log {target} cannot be written: {error.strerror}. Set another LOUPE_LOG."
        ) from error
    configure(JsonHandler(log), force=True)
    try:
        with redirect_stdout(sys.stderr) if target == STANDARD_OUTPUT else nullcontext():
            yield log
    finally:
        log.close()


def configure(handler: logging.Handler, *, force: bool = False) -> None:
    """Let a handler write warnings and errors; `force`: instead of the handlers that there are."""
    bound_warnings([handler])
    logging.basicConfig(level=logging.WARNING, format=TEXT, handlers=[handler], force=force)


def open_for_appending(path: Path) -> TextIO:
    """Open a file that only its owner reads, and append to it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="ascii")


def line_of(entry: Mapping[str, Any]) -> str:
    """Write an object as one line of printable ASCII, whatever its texts hold."""
    return json.dumps(entry).replace("\x7f", "\\u007f") + "\n"


def moment(seconds: float | None = None) -> str:
    """Return a time in UTC as RFC 3339, by default now."""
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(level: int, logger: str, message: str, at: float | None = None) -> dict[str, Any]:
    return {
        "at": moment(at),
        "log": "server",
        "level": logging.getLevelName(level),
        "logger": logger,
        "message": message,
    }
