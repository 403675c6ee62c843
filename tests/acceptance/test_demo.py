"""`python -m examples.demo`, as `make demo` runs it on a fresh clone, with the starter bundle."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.run import WITH_MINIMUM
from examples.demo.scenes import demo_scenes
from examples.demo.tanks import ARCHIVE
from loupe import Client, NoServerError
from tests.support.server import ROOT
from tests.support.transcripts import blocks, matches

VERDICT = r"(?:right|wrong) +"
ROW = re.compile(
    rf"^ +(?P<tile>\d+) +\d+ of 16 +(?P<alone>\w+) +{VERDICT}(?P<label>\w+) +{VERDICT}(?P<truth>\w+) *$",
    re.MULTILINE,
)


def test_demo_shows_the_truth_beside_each_label_and_stops_its_server(tmp_path: Path) -> None:
    environment = os.environ | {
        "LOUPE_DATA": str(tmp_path),  # an empty folder: a fresh clone has only the sample
        "LOUPE_DEVICE": "cpu",
        "LOUPE_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }

    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    rows = list(ROW.finditer(shown))
    assert [(int(row["tile"]), row["truth"]) for row in rows] == list(enumerate(demo_scenes()[0].truth))
    alone, sure = (sum(row[which] == row["truth"] for row in rows) for which in ("alone", "label"))
    assert f"{alone} of 12 labels are right from LR only, {sure} of 12 with the bought patches." in shown
    assert alone < sure
    # Without blanks: a long path is broken over lines.
    missing = f"The tank scene is left out: there is no {tmp_path / ARCHIVE}."
    assert "".join(missing.split()) in "".join(shown.split())
    assert "192 decisions, 16 for each tile" in shown
    assert "One upload of 1,217,320 bytes delivered" in shown
    assert "12 tiles are an illustration, not a measurement." in shown
    assert "1 order (1 completed, 0 open, 0 held, 0 cancelled)" in shown
    assert f"under the price list {WITH_MINIMUM} would cost" in shown
    assert "owned or on order already" not in shown
    assert "The server stops now" in shown
    assert "  make demo ARGS=--keep\n" in shown
    ((_, documented),) = next(blocks((ROOT / "README.md").read_text()))
    assert matches(documented, [line.rstrip() for line in shown.splitlines()])
    address = next(word for word in shown.split() if word.endswith("/dashboard"))
    with Client(address.removesuffix("/dashboard"), "any-key") as client, pytest.raises(NoServerError):
        client.get("/healthz")
