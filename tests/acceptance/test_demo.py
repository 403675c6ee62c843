"""`python -m examples.demo`, as `make demo` runs it, with the starter bundle."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.client import Client, NoServerError
from tests.support.imagery import make_uc_merced
from tests.support.server import ROOT


def test_the_demo_goes_the_whole_way_and_leaves_nothing_behind(tmp_path: Path) -> None:
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
    assert "LR alone says" in shown
    assert "of 12 with the bought patches" in shown
    assert "1 order, 1 completed" in shown
    assert "sentinel2_demmin_10m.tif is not there" in shown
    assert "The server ends now" in shown
    address = next(word for word in shown.split() if word.endswith("/dashboard"))
    with Client(address.removesuffix("/dashboard"), "any-key") as client, pytest.raises(NoServerError):
        client.get("/healthz")
