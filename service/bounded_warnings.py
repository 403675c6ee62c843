"""Warnings of a kind are written a few times and then counted, so that clients cannot fill the log."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LINES = 20
"""Warnings from one place in the code that are written in a time."""
WINDOW_S = 60.0


@dataclass
class _Place:
    """A place in the code that writes warnings, and how many it has written since a moment."""

    since: float
    lines: int = 0
    left_out: int = 0


class BoundedWarnings(logging.Filter):
    """A filter that lets only LINES warnings of each place in the code through in WINDOW_S.

    Clients cause warnings: one for each malformed request, for instance. The last line before a pause says
    that others are left out, and the first one after it says how many there were. Errors always pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[tuple[str, int], _Place] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written, and add to its message what is left out."""
        if record.levelno > logging.WARNING:
            return True
        with self._lock:
            note = self._count(record)
        if note:
            record.msg, record.args = f"{record.getMessage()} {note}", ()
        return note is not None

    def _count(self, record: logging.LogRecord) -> str | None:
        """Count a record; return what to add to it, or None if it is left out."""
        now = self._clock()
        place = self._places.setdefault((record.pathname, record.lineno), _Place(now))
        note = ""
        if now - place.since >= WINDOW_S:
            note = f"[{place.left_out} such lines were left out before.]" if place.left_out else ""
            place.since, place.lines, place.left_out = now, 0, 0
        if place.lines >= LINES:
            place.left_out += 1
            return None
        place.lines += 1
        if place.lines == LINES:
            left_s = WINDOW_S - (now - place.since)
            return f"[More such lines are left out for {left_s:.0f} s.]"
        return note


def bound_warnings(handlers: Iterable[logging.Handler]) -> None:
    """Let these handlers write a bounded number of warnings."""
    warnings = BoundedWarnings()
    for handler in handlers:
        handler.addFilter(warnings)
