"""`python -m examples.demo`, as `make demo` runs it, with the starter bundle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.run import WITH_MINIMUM
from service.client import Client, NoServerError
from tests.support.imagery import make_uc_merced
from tests.support.server import ROOT


def test_demo_runs_every_step_and_stops_its_server(tmp_path: Path) -> None:
    make_uc_merced(tmp_path)
    environment = os.environ | {
        "LOUPE_DATA": str(tmp_path),
        "LOUPE_DEVICE": "cpu",
        "LOUPE_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "examples.demo"]

    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    assert "192 decisions, 16 for each tile" in shown
    assert "tile 11" in shown
    assert "LR-only label" in shown
    assert "of 12 with the bought patches" in shown
    assert "1 order (1 completed, 0 open, 0 held, 0 cancelled)" in shown
    assert f"under the price list {WITH_MINIMUM} would cost" in shown
    assert "owned or on order already" not in shown
    assert "there is no rasters/sentinel2_demmin_10m.tif" in shown
    assert "The server stops now" in shown
    address = next(word for word in shown.split() if word.endswith("/dashboard"))
    with Client(address.removesuffix("/dashboard"), "any-key") as client, pytest.raises(NoServerError):
        client.get("/healthz")
