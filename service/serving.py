"""Run the server: prepare the database, print the address and the first key, serve until a signal."""

import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn

from service.access.repository import ensure_first_key, former_operator_keys
from service.app import bundles_of, create_app
from service.database.embedded import stop_embedded
from service.database.engine import check_ready, open_database
from service.database.roles import check_role
from service.errors import UnavailableError
from service.geotiff.sandbox import sandbox_of
from service.orders.expiry import expire_orders
from service.pricing.repository import ensure_examples_everywhere
from service.settings import Settings

logger = logging.getLogger(__name__)

FORMER_KEYS = (
    "LOUPE_API_KEY has another value than before. Former keys stay valid, and each has a holder of its own, "
    "who may approve what the present key orders: %s. Revoke them, such as with `loupe keys revoke %s`."
)
DRAIN_SECONDS = 20
"""Most seconds that requests may take to end after the signal to stop."""


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; return the process's exit status.

    A new API key is printed to standard output once and goes nowhere else.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn drains and then raises the signal again. Without a handler the process would end there and
        # leave the embedded database running.
        signal.signal(number, leave)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        say(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Set another LOUPE_PORT.")
        return 1
    try:
        # Before the first key is made: a server that cannot start would never print it.
        held = bundles_of(settings)
        sandbox_of(settings)
        announce(listener, prepare(settings))
        config = uvicorn.Config(
            create_app(settings, held),
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])
    except UnavailableError as error:
        say(f"Cannot serve. {error.detail}")
        return 1
    finally:
        listener.close()
        stop_embedded(settings.state)
    return 0


def leave(_number: int, _frame: FrameType | None) -> None:
    """End the process through every `finally`."""
    raise SystemExit(0)


def prepare(settings: Settings) -> str | None:
    """Migrate the database, expire overdue orders and make the first key; return the key if it is new."""
    settings.state.mkdir(parents=True, exist_ok=True)
    database = open_database(settings)
    try:
        check_ready(database)
        check_role(database.engine, settings.role_check)
        chosen = settings.api_key.get_secret_value() if settings.api_key else None
        expire_orders(database)
        with database.sessions.begin() as session:
            key = ensure_first_key(session, chosen)
            ensure_examples_everywhere(session)
            former = former_operator_keys(session, chosen) if chosen else ()
        if former:
            logger.warning(FORMER_KEYS, ", ".join(former), former[0])
        return key
    finally:
        database.engine.dispose()


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything slow happens, so that a taken port is reported at once; port 0 picks a free one.

    The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP. Without it,
    every answer on a kept-alive connection waits 40 ms for the client's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def announce(listener: socket.socket, key: str | None) -> None:
    """Print the server's address and, once, the key that it made."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"Loupe listens on http://{shown}:{port}")
    if key is not None:
        say(f"API key, shown this once: {key}")


def say(line: str) -> None:
    """Print a line for the person who started the server."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
