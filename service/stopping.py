"""The end of a computation before it has finished: at its deadline, or when nobody waits for it any more.

A computation that may take long calls `checkpoint` between its steps, such as batches of tiles. It runs under
the Stop of its request or job, which others may use from any thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from service.errors import UnavailableError


class TakesTooLongError(UnavailableError):
    """A computation that was stopped at the deadline of its request."""

    code = "takes-too-long"
    title = "The computation takes too long"


class CallerGoneError(UnavailableError):
    """A computation that was stopped because its client closed the connection."""

    code = "caller-gone"
    title = "The client has gone"


class ServerStoppingError(UnavailableError):
    """A computation that was stopped because the server ends."""

    code = "server-stopping"
    title = "The server is stopping"


class Stop:
    """A request to end one computation, which the computation meets at its next checkpoint."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._lock = threading.Lock()
        self._reason: UnavailableError | None = None
        self._calls: list[Callable[[], object]] = []

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def end(self, reason: UnavailableError) -> None:
        """Stop the computation for this reason; the first reason counts."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason, calls = reason, list(self._calls)
        for call in calls:
            call()

    def check(self) -> None:
        """Raise the reason if the computation was stopped, or TakesTooLongError after its deadline."""
        if self._reason is None and self.remaining == 0:
            self.end(
                TakesTooLongError(
                    f"It was stopped after {self._seconds:g} s. Send a smaller scene, or try again when the "
                    "server is less busy.",
                    seconds=self._seconds,
                )
            )
        if self._reason is not None:
            raise self._reason.without_frames()

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Call `call` once if the computation is stopped during the block, from the thread that stops it."""
        with self._lock:
            late = self._reason is not None
            self._calls.append(call)
        try:
            if late:
                call()
            yield
        finally:
            with self._lock:
                self._calls.remove(call)


_current: ContextVar[Stop | None] = ContextVar("stop", default=None)


def current_stop() -> Stop:
    """Return the Stop that this computation runs under, or one that nobody ends."""
    return _current.get() or Stop()


def checkpoint() -> None:
    """Raise if the computation that calls was stopped; the reasons are the errors of this module."""
    stop = _current.get()
    if stop is not None:
        stop.check()


@contextmanager
def under(stop: Stop) -> Iterator[None]:
    """Run a block, and the threads that its requests are handed to, under a Stop."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)
