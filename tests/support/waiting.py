"""Waiting for something that another thread or process does."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""Far more than anything needs on a busy machine: it only ends a test that hangs."""


def eventually(happened: Callable[[], bool]) -> None:
    """Return once `happened()` is true; fail after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
