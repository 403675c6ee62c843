"""Real worker processes beside a server, started, killed and stopped by their process ids."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.server import START_SECONDS, STOP_SECONDS, ServerProcess


class WorkerProcess:
    """A process of `loupe worker` with the settings of a server."""

    def __init__(self, server: ServerProcess, name: str) -> None:
        self._log = server.home / f"{name}.log"
        with self._log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "worker"],
                env=server.environment,
                cwd=server.home,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Wait until the worker takes jobs."""
        deadline = time.monotonic() + START_SECONDS
        while "works on jobs" not in self.log:
            assert self.process.poll() is None, f"the worker ended:\n{self.log}"
            assert time.monotonic() < deadline, f"the worker did not start:\n{self.log}"
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """Return what the worker has printed."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill the worker with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Stop the worker with SIGTERM and return its exit status."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


class Workers:
    """The workers of one server."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._started: list[WorkerProcess] = []

    def start(self) -> WorkerProcess:
        """Start a worker, without waiting for it."""
        worker = WorkerProcess(self._server, f"worker-{len(self._started)}")
        self._started.append(worker)
        return worker

    def kill_all(self) -> None:
        """Kill every worker that still runs."""
        for worker in self._started:
            if worker.process.poll() is None:
                worker.kill()


@contextmanager
def workers_of(server: ServerProcess) -> Iterator[Workers]:
    """Start workers beside a server; none is left running."""
    workers = Workers(server)
    try:
        yield workers
    finally:
        workers.kill_all()
