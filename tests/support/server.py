"""A real server process on loopback, with time limits, stopped by its process id."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psycopg
from sqlalchemy.orm import Session

from examples.demo.mosaic import TILE_PX
from loupe import Client, ClientError
from service.access.repository import create_key, create_workspace, first_workspace
from service.access.roles import Role
from service.database.engine import connect
from service.pricing.repository import ensure_examples
from tests.support.bundles import TILE_M, UTM_32N
from tests.support.known_scene import KnownScene

ROOT = Path(__file__).parent.parent.parent
KEY = "an-operator-key-for-acceptance"
ADDRESS = re.compile(r"listens on (http://\S+)")
START_SECONDS = 300
STOP_SECONDS = 60


class ServerProcess:
    """A server with one LOUPE_HOME that a test can start, stop and kill repeatedly."""

    def __init__(
        self, home: Path, bundle: Path, files: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home, self.bundle, self.files = home, bundle, files
        self.settings = dict(settings or {})
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
        return inherited | own | self.settings

    @property
    def command(self) -> list[str]:
        """Command that starts the server, with a limit of open files if there is one."""
        serve = [sys.executable, "-m", "service", "serve"]
        if self.files is None:
            return serve
        return ["sh", "-c", f'ulimit -n {self.files}; exec "$@"', "sh", *serve]

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        log = self.home / "server.log"
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                self.command,
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

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        assert self._process is not None
        self._process.terminate()

    def stop(self) -> int:
        """Stop the server with SIGTERM and return its exit status."""
        self.ask_to_stop()
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of a server that was asked to stop, and return its exit status."""
        assert self._process is not None
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Stop the server and its database if they still run."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        if self.has_database:
            os.kill(self.database_pid, signal.SIGINT)

    @property
    def has_database(self) -> bool:
        """Whether the embedded PostgreSQL runs, or was killed."""
        return (self.home / "postgres" / "postmaster.pid").exists()

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_database(self) -> None:
        """Kill the embedded PostgreSQL with SIGKILL, as a power cut does."""
        os.kill(self.database_pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        assert self._process is not None
        return self._process.pid

    @property
    def database_pid(self) -> int:
        """Process id of the embedded PostgreSQL."""
        return int(self._postmaster()[0])

    def is_ready(self) -> bool:
        """Say whether the server answers, with everything that it needs."""
        try:
            with self.client() as client:
                client.get("/readyz")
        except ClientError:
            return False
        return True

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

    def add_workspace(self, name: str) -> str:
        """Add a workspace with example prices to the embedded database and return its key."""
        with self._session() as session:
            workspace = create_workspace(session, name)
            ensure_examples(session, workspace.id)
            return create_key(session, workspace, name)

    def add_key(self, name: str, role: Role) -> str:
        """Add a key of a new holder to the first workspace, as an operator does, and return it."""
        with self._session() as session:
            return create_key(session, first_workspace(session), name, role)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a transaction of the embedded database as its superuser."""
        lines = self._postmaster()
        database = connect(f"postgresql+psycopg://postgres@/postgres?host={lines[4]}&port={lines[3]}")
        with database.sessions.begin() as session:
            yield session
        database.engine.dispose()

    def settled_usd(self) -> Decimal:
        """Return the sum of all settled transfers in dollars."""
        sql = "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.transfer WHERE kind = 'settle'"
        ((minor,),) = self.query(sql)
        return Decimal(minor).scaleb(-2)

    def _postmaster(self) -> list[str]:
        return (self.home / "postgres" / "postmaster.pid").read_text().splitlines()


@contextmanager
def running_server(bundle: Path, files: int | None = None, **settings: str) -> Iterator[ServerProcess]:
    """Run a server with an empty state.

    The state is not in pytest's folder, which is closed to other users: when the tests run as root,
    PostgreSQL runs as another user and could not reach its files.
    """
    with TemporaryDirectory(prefix="loupe-acceptance-", ignore_cleanup_errors=True) as home:
        process = ServerProcess(Path(home), bundle, files, settings)
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
