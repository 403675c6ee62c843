"""A real server process on loopback, with time limits, stopped by its process id."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg

from examples.demo.mosaic import TILE_PX
from service.client import Client, ClientError
from tests.support.bundles import TILE_M, UTM_32N
from tests.support.known_scene import KnownScene

ROOT = Path(__file__).parent.parent.parent
KEY = "an-operator-key-for-acceptance"
ADDRESS = re.compile(r"listens on (http://\S+)")
START_SECONDS = 300
STOP_SECONDS = 60


class ServerProcess:
    """A server with one LOUPE_HOME that a test can start, stop and kill repeatedly."""

    def __init__(self, home: Path, bundle: Path) -> None:
        self.home, self.bundle = home, bundle
        self.default_bundle = bundle.name
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment without the machine's own settings, with a free port and one CPU thread."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
        own = {
            "LOUPE_HOME": str(self.home),
            "LOUPE_BUNDLES": str(self.bundle.parent),
            "LOUPE_DEFAULT_BUNDLE": self.default_bundle,
            "LOUPE_PORT": "0",
            "LOUPE_API_KEY": KEY,
            "LOUPE_DEVICE": "cpu",
            "LOUPE_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }
        return inherited | own

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        log = self.home / "server.log"
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (found := ADDRESS.search(text := log.read_text(errors="replace"))):
            assert self._process.poll() is None, f"the server ended:\n{text}"
            assert time.monotonic() < deadline, f"the server did not start:\n{text}"
            time.sleep(0.05)
        self.url = found[1]
        try:
            with self.client() as client:
                client.get("/readyz")
        except ClientError as error:
            raise AssertionError(
                f"the server is not ready: {error}\n{log.read_text(errors='replace')}"
            ) from error

    def stop(self) -> int:
        """Stop the server with SIGTERM and return its exit status."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Stop the server and its database if they still run."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        if (self.home / "postgres" / "postmaster.pid").exists():
            os.kill(int(self._postmaster()[0]), signal.SIGINT)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_database(self) -> None:
        """Kill the embedded PostgreSQL with SIGKILL, as a power cut does."""
        os.kill(int(self._postmaster()[0]), signal.SIGKILL)

    def client(self, key: str = KEY) -> Client:
        """Return a client of this server."""
        return Client(self.url, key)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query on the embedded database."""
        with self.connect() as database:
            return database.execute(sql.encode()).fetchall()

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the embedded database as its superuser."""
        lines = self._postmaster()
        return psycopg.connect(host=lines[4], port=int(lines[3]), user="postgres", dbname="postgres")

    def settled_usd(self) -> Decimal:
        """Return the sum of all settled transfers in dollars."""
        sql = "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.transfer WHERE kind = 'settle'"
        ((minor,),) = self.query(sql)
        return Decimal(minor).scaleb(-2)

    def _postmaster(self) -> list[str]:
        return (self.home / "postgres" / "postmaster.pid").read_text().splitlines()


@contextmanager
def running_server(bundle: Path) -> Iterator[ServerProcess]:
    """Run a server with an empty state.

    The state is not in pytest's folder, which is closed to other users: when the tests run as root,
    PostgreSQL runs as another user and could not reach its files.
    """
    with TemporaryDirectory(prefix="loupe-acceptance-", ignore_cleanup_errors=True) as home:
        process = ServerProcess(Path(home), bundle)
        try:
            process.start()
            yield process
        finally:
            process.close()


def make_mosaic(columns: int = 3, rows: int = 2) -> KnownScene:
    """Make a scene of random patches for the tiny bundle: 80 m tiles in UTM zone 32 north."""
    coarse = np.random.default_rng(0).integers(0, 256, (rows * 8, columns * 8, 3), dtype=np.uint8)
    pixels = coarse.repeat(TILE_PX // 8, axis=0).repeat(TILE_PX // 8, axis=1)
    return KnownScene(pixels, TILE_M, UTM_32N, 500_000, 5_300_000)
