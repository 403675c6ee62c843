"""`make seed`: the state that it fills is that of a server, and every rule of the ledger holds in it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.support.server import ROOT

LONGEST_S = 120.0


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command on a state."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
    return inherited | {"LOUPE_HOME": str(home), "PYTHONPATH": str(ROOT)}


def run(home: Path, *arguments: str) -> str:
    """Run a command of the repository on a state, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_seed_adds_plans_and_orders_in_which_every_rule_holds() -> None:
    # Not under tmp_path: run as root, PostgreSQL could not reach its files there.
    with TemporaryDirectory(prefix="loupe-seed-", ignore_cleanup_errors=True) as folder:
        printed = run(Path(folder), "examples.seed", "100", "--home", folder)
        assert "100 plans and 1 order were added" in printed
        verified = run(Path(folder), "service", "ledger", "verify")
    pattern = r"Verified 2 transfers and ([0-9,]+) rows.*every rule holds"
    found = re.search(pattern, " ".join(verified.split()))
    assert found is not None, verified
    assert int(found[1].replace(",", "")) > 2 * 100  # each plan with its scene


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < until, f"{what} never came"
        time.sleep(0.05)


def users(home: Path) -> list[int]:
    """Return the ids of the processes that use the embedded database of a state."""
    listed = home / "postgres" / ".handle_pids.json"
    text = listed.read_text().strip() if listed.exists() else ""
    return [int(pid) for pid in json.loads(text)] if text else []


def test_server_and_database_end_with_a_seed_that_was_killed() -> None:
    with TemporaryDirectory(prefix="loupe-seed-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        command = [sys.executable, "-m", "examples.seed", "1000000", "--home", folder]
        with subprocess.Popen(command, env=environment(home), cwd=home, stdout=subprocess.DEVNULL) as seed:
            try:
                wait_until(lambda: seed.pid in users(home) and len(users(home)) > 1, "the seed's connection")
                started = psutil.Process(seed.pid).children(recursive=True)
                database = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
            finally:
                seed.kill()
        _, alive = psutil.wait_procs([*started, database], timeout=LONGEST_S)
    assert alive == []
