"""A TCP relay between client and server that can be slow, or cut every connection."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 16_384


class Relay:
    """A listening socket whose connections are passed on to the server."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = set[socket.socket]()
        self._lock = threading.Lock()
        self.delay_s = 0.0
        """Seconds that each chunk of at most CHUNK bytes waits."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def aim(self, host: str, port: int) -> None:
        """Pass new connections on to another address: a server that starts again has another port."""
        self._target = (host, port)

    def cut(self) -> int:
        """Reset every connection, whatever is under way, and return their number."""
        with self._lock:
            ended, self._open = self._open, set()
        for end in ended:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)
                end.close()
        return len(ended) // 2

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target, timeout=5)
                except OSError:
                    near.close()  # as a server that is away refuses it
                    continue
                far.settimeout(None)
                with self._lock:
                    self._open |= {near, far}
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                time.sleep(self.delay_s)
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source}
        source.close()


@contextmanager
def relaying(host: str, port: int) -> Iterator[Relay]:
    """Relay to an address on this machine until the block ends."""
    relay = Relay(host, port)
    try:
        yield relay
    finally:
        relay.close()
