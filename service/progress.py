"""Progress of long computations: loops over batches of tiles say how far they are to who listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]
"""Called with the tiles done and all tiles."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def advance(done: int, total: int) -> None:
    """Say that `done` of `total` tiles are done."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` for the progress of everything that is computed inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
