"""`make seed`: the state that it fills is that of a server, and every rule of the ledger holds in it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.server import ROOT


def run(home: Path, *arguments: str) -> str:
    """Run a command of the repository on a state, and return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env=inherited | {"LOUPE_HOME": str(home), "PYTHONPATH": str(ROOT)},
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
