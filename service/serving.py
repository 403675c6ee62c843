"""Run the server: prepare the database, print the address and the first key, serve until a signal."""

import logging
import signal
import socket
import sys
import threading
from contextlib import ExitStack
from types import FrameType

from uvicorn.config import LOGGING_CONFIG

from service.access.operator_key import ensure_first_key
from service.app import bundles_of, create_app
from service.bounded_warnings import bound_warnings
from service.connections import RESERVED_FILES, ConnectionLimits, ServerConfig, raise_file_limit
from service.database.embedded import stop_embedded
from service.database.engine import check_ready, open_database
from service.database.roles import check_role
from service.draining import DrainingServer, ignore_signals
from service.errors import UnavailableError
from service.geotiff.quarantine import start_decoders
from service.geotiff.sandbox import sandbox_of
from service.logs import JsonLog, logging_to
from service.monitoring import metrics_server
from service.orders.expiry import expire_orders
from service.pricing.repository import ensure_examples_everywhere
from service.settings import Settings

logger = logging.getLogger(__name__)

RETIRED_KEYS = (
    "LOUPE_API_KEY has another value than before, so the operator's former key was revoked: %s. The new key "
    "has the same holder."
)
CLOSED_KEY = (
    "The key of LOUPE_API_KEY is revoked and opens nothing: %s. Set another one, such as from "
    "`openssl rand -hex 32`, or unset it."
)


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; return the process's exit status.

    A new API key is printed to standard output once and goes nowhere else.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until the server takes the signals over. Without a handler the process would end here and leave the
        # embedded database running.
        signal.signal(number, leave)
    try:
        with logging_to(settings.log) as log:
            return serve(settings, log)
    except UnavailableError as error:
        say(f"Cannot serve. {error.detail}")
        return 1


def serve(settings: Settings, log: JsonLog | None) -> int:
    """Serve with a log of requests, if there is one. UnavailableError when something is missing."""
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        say(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Set another LOUPE_PORT.")
        return 1
    with ExitStack() as ports:
        ports.callback(listener.close)
        try:
            ports.enter_context(metrics_server(settings))
        except OSError as error:
            where = f"{settings.metrics_host}:{settings.metrics_port}"
            say(f"Cannot show metrics on {where}: {error.strerror}. Set another LOUPE_METRICS_PORT.")
            return 1
        serve_on(listener, settings, log)
    return 0


def serve_on(listener: socket.socket, settings: Settings, log: JsonLog | None) -> None:
    """Serve on a socket until a signal. UnavailableError when something is missing."""
    try:
        # Before the first key is made: a server that cannot start would never print it.
        held = bundles_of(settings)
        sandbox_of(settings)
        announce(listener, prepare(settings))
        threading.Thread(target=start_decoders, name="decoders", daemon=True).start()
        config = ServerConfig(
            create_app(settings, held, log),
            limits_of(settings),
            log_level="warning",
            log_config=LOGGING_CONFIG if log is None else None,  # None: as the others log
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=sorted(settings.trusted_proxies),
        )
        if log is None:  # uvicorn has made handlers of its own
            bound_warnings(logging.getLogger("uvicorn").handlers)
        DrainingServer(config, settings.drain_seconds, lambda: end_children(settings)).run(sockets=[listener])
    finally:
        ignore_signals()  # a second one would interrupt the end of the database
        listener.close()
        end_children(settings)


def limits_of(settings: Settings) -> ConnectionLimits:
    """Raise the limit of open files, and return the limits of connections that it leaves."""
    return ConnectionLimits(
        most=max(16, min(settings.connections, raise_file_limit() - RESERVED_FILES)),
        header_s=settings.header_seconds,
        body_s=settings.body_seconds,
        send_s=settings.send_seconds,
    )


def end_children(settings: Settings) -> None:
    """End the embedded database."""
    stop_embedded(settings.state)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End the process through every `finally`."""
    raise SystemExit(0)


def prepare(settings: Settings) -> str | None:
    """Migrate the database, expire overdue orders and make the first key; return the key if it is new."""
    settings.state.mkdir(parents=True, exist_ok=True)
    database = open_database(settings).of_all()
    try:
        check_ready(database)
        check_role(database.engine, settings.role_check)
        chosen = settings.api_key.get_secret_value() if settings.api_key else None
        expire_orders(database)
        with database.sessions.begin() as session:
            first = ensure_first_key(session, chosen)
            ensure_examples_everywhere(session)
        if first.retired:
            logger.warning(RETIRED_KEYS, ", ".join(first.retired))
        if first.closed:
            logger.warning(CLOSED_KEY, first.closed)
        return first.made
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
