"""Connections of clients: how many there are, and how long each may keep the server waiting.

uvicorn waits for ever for a request's header and body. Here a connection that waits too long is closed, and
when there are too many, the one that has said nothing for longest makes room for a new one. A proxy in front
does the same and more (docs/security.md); the server must stand without one.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

RESERVED_FILES = 256
"""Files that the server needs for itself: database, decoders, uploads and downloads."""
MOST_FILES = 65_536
BODY_BYTES_PER_S = 16 * 1024
"""Speed of a slow upload that is still waited for, beyond the seconds that every body has."""
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """Limits of the connections of one server, in seconds."""

    most: int
    header_s: float
    """Until the header of a request is complete, from the connection or the last answer on."""
    body_s: float
    """Until its body is complete, and a second more for each BODY_BYTES_PER_S."""
    send_s: float
    """Without a byte of an answer that the client takes."""


class ServerConfig(uvicorn.Config):
    """Configuration of uvicorn with the limits of connections."""

    def __init__(self, app: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, http=BoundedProtocol, **options)
        self.limits = limits


class BoundedProtocol(H11Protocol):
    """A connection that keeps the server waiting for a limited time."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = cast(ServerConfig, config).limits
        self.waiting_since = time.monotonic()
        self.known = False
        """Whether a request on this connection has shown a valid key."""
        self._received = 0  # bytes of the request
        self._receiving_s = 0.0
        self._unsent = 0  # bytes in the transport's buffer
        self._stuck_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection. Beyond the limit another one makes room, or this one is refused."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.most:
            (longest_waiting(cast(set[BoundedProtocol], self.connections), self) or self).drop()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        self._received += len(data)
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request on this connection."""
        self.waiting_since, self._received, self._receiving_s = time.monotonic(), 0, 0.0
        self.known = self.known or self._authenticated
        super().on_response_complete()

    @property
    def waits(self) -> bool:
        """Whether the connection has no request that is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def receives(self) -> bool:
        """Whether a request's body is still coming, and not because the server has stopped reading it."""
        return not self.waits and self.cycle.more_body and not self.flow.read_paused

    @property
    def expendable(self) -> bool:
        """Whether nobody who has shown a key waits for an answer on this connection."""
        return self.waits or (self.receives and not self._authenticated)

    @property
    def _authenticated(self) -> bool:
        return "workspace_id" in self.cycle.scope.get("state", {})

    def drop(self) -> None:
        """Close the connection without a word."""
        self.connections.discard(self)
        self.transport.abort()

    def check(self, now: float, passed: float) -> None:
        """Close the connection if it has kept the server waiting too long; `passed` since the last check."""
        unsent = self.transport.get_write_buffer_size()
        self._stuck_s = self._stuck_s + passed if unsent and unsent == self._unsent else 0.0
        self._unsent = unsent
        self._receiving_s += passed if self.receives else 0.0
        if self._stuck_s > self.limits.send_s:
            self.drop()
        elif self.transport.is_closing():
            return
        elif self.waits:
            if now - self.waiting_since > self.limits.header_s:
                self._time_out(begun=self._received > 0 and self.conn.their_state is h11.IDLE)
        elif self._receiving_s > self.limits.body_s + self._received / BODY_BYTES_PER_S:
            self._time_out(begun=not self.cycle.response_started)

    def _time_out(self, *, begun: bool) -> None:
        """Close the connection, with an answer to a request that has begun and has none."""
        if begun:
            self.transport.write(TIMED_OUT)
        if self.cycle is not None:
            self.cycle.disconnected = True  # the application writes nothing after this answer
            self.cycle.message_event.set()
        self.transport.close()


def longest_waiting(connections: Iterable[BoundedProtocol], new: BoundedProtocol) -> BoundedProtocol | None:
    """Return the connection that makes room for a new one: of the address that has most, the oldest.

    Those that have shown a valid key come last.
    """
    expendable = [one for one in connections if one.expendable and one is not new]
    waiting = [one for one in expendable if not one.known] or expendable
    if not waiting:
        return None
    address, _ = Counter(_address(one) for one in waiting).most_common(1)[0]
    return min((one for one in waiting if _address(one) == address), key=lambda one: one.waiting_since)


def raise_file_limit() -> int:
    """Let this process open as many files as the system allows, at most MOST_FILES; return the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


def _address(connection: BoundedProtocol) -> str | None:
    return connection.client[0] if connection.client else None
