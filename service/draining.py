"""The end of the server: not ready, then no new requests, then the answers under way, then the process.

The first signal lets requests end, the second asks those that compute to stop. Neither cuts an answer unless
it takes longer than the time that is stated here.
"""

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import cast

import uvicorn

from service.connections import BoundedProtocol, ServerConfig
from service.web.turns import Turns

UNREADY_SECONDS = 1.0
"""Time in which the server still takes requests while /readyz says that it does not want any."""
NATURAL_SHARE = 0.75
"""Share of the time to drain in which requests may end by themselves. Then computations are stopped."""
HURRIED_SECONDS = 5.0
"""Most seconds from the time to drain, or from a second signal, until the process ends, whatever runs."""

logger = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """A server that ends within a stated time.

    `last_acts` is run when the process must be ended by force.
    """

    def __init__(self, config: ServerConfig, drain_s: float, last_acts: Callable[[], None]) -> None:
        super().__init__(config)
        config.timeout_graceful_shutdown = math.ceil(drain_s)  # connections are closed then
        self._drain_s = drain_s
        self._last_acts = last_acts
        self._signals = 0
        self._leave_at = float("inf")
        self._checked_at = time.monotonic()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  (uvicorn's signature)
        """Begin to end at the first SIGTERM or SIGINT, and hurry at the second."""
        self._signals += 1
        if self._signals == 1:
            if (draining := self.lifespan.state.get("draining")) is not None:
                cast(threading.Event, draining).set()
            self._leave_at = time.monotonic() + UNREADY_SECONDS
            _after(NATURAL_SHARE * self._drain_s, self._stop_computing)
            _after(self._drain_s + HURRIED_SECONDS, self._end)
        elif self._signals == 2:
            self.should_exit = True
            self._stop_computing()
            _after(HURRIED_SECONDS, self._end)

    async def on_tick(self, counter: int) -> bool:
        """Check the connections every second, and leave when it is time."""
        if counter % 10 == 0:
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                cast(BoundedProtocol, connection).check(now, now - self._checked_at)
            self._checked_at = now
        return await super().on_tick(counter) or time.monotonic() >= self._leave_at

    def _stop_computing(self) -> None:
        if (turns := self.lifespan.state.get("turns")) is not None:
            cast(Turns, turns).end_all()

    def _end(self) -> None:
        """End the process although something still runs, such as a search that meets no checkpoint."""
        logger.warning("A request still runs although it was stopped; the process ends now.")
        self._last_acts()
        os._exit(0)


def ignore_signals() -> None:
    """Let nothing interrupt the last acts of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _after(seconds: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
