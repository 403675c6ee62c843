"""A temporary server process for the demo, on a free port and with an empty database."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loupe import Client, ProblemError

ROOT = Path(__file__).parent.parent.parent
ADDRESS = re.compile(r"listens on (http://\S+)")
START_SECONDS = 120
STOP_SECONDS = 30
DEVICE_SETTINGS = {"LOUPE_DEVICE", "LOUPE_THREADS"}
"""Settings that the demo's server takes from the environment."""


class ServerError(Exception):
    """A server that did not start; the message contains the end of its log."""


@dataclass(frozen=True)
class Server:
    """The address of the demo's server and its API key."""

    url: str
    key: str


@contextmanager
def running_server(home: Path, **settings: str) -> Iterator[Server]:
    """Start a server on the state in `home` with settings, wait until it is ready, and stop it at the end.

    It also stops when this process is killed. Raises ServerError when it does not start.
    """
    key, log = secrets.token_urlsafe(24), home / "server.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo.tethered", "serve"],
            env=_environment(home, key) | settings,
            cwd=home,  # no .env of the operator is read here
            stdin=subprocess.PIPE,  # closes when this process ends
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the demo, which then stops the server
        )
    try:
        server = Server(_await_address(process, log), key)
        _await_ready(server)
        yield server
    finally:
        _stop(process)


def _environment(home: Path, key: str) -> dict[str, str]:
    """Return the environment with the shipped bundles and default settings, apart from the device."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in DEVICE_SETTINGS or not name.startswith("LOUPE_")
    }
    path = os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")]))
    own = {"LOUPE_HOME": str(home), "LOUPE_HOST": "127.0.0.1", "LOUPE_PORT": "0", "LOUPE_API_KEY": key}
    return inherited | own | {"PYTHONPATH": path}


def _await_address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while not (found := ADDRESS.search(text := log.read_text(errors="replace"))):
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"The server did not start:\n{text[-2000:].strip()}")
        time.sleep(0.1)
    return found[1]


def _await_ready(server: Server) -> None:
    """Wait until the bundle is loaded: the listening server answers only then."""
    with Client(server.url, server.key) as client:
        try:
            client.get("/readyz")
        except ProblemError as error:
            missing = [name for name, good in error.problem.get("checks", {}).items() if not good]
            raise ServerError(f"The server is not ready. Failed checks: {', '.join(missing)}.") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
