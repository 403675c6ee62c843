"""The demo's job on a drawn tank scene, through a real server."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from examples.demo import tank_job
from examples.demo.tanks import BUNDLE, TankScene
from models.grid import GRID
from tests.support.server import ROOT, running_server
from tests.support.tanks import draw_tanks

COLUMNS, ROWS = 4, 3
ROW = re.compile(r"^ +(\d+) +\d+ of 16 .* (\d+) +(?:0|1 to 9|10 or more) +(?:right|wrong)", re.MULTILINE)
"""Tile and true number of a row of the table of counts."""


def drawn_scene(folder: Path) -> TankScene:
    """Write a drawn scene as the demo cuts one from the archive."""
    drawn = draw_tanks(COLUMNS, ROWS)
    for name, content in (("lr", drawn.low_resolution()), ("hr", drawn.high_resolution())):
        (folder / f"{name}.tif").write_bytes(content)
    # (tile row, tile column, column, row) -> (tile row, row, tile column, column)
    tiles = drawn.counts.reshape(ROWS, COLUMNS, GRID, GRID).transpose(0, 3, 1, 2)
    counts = np.ascontiguousarray(tiles).reshape(GRID * ROWS, GRID * COLUMNS)
    return TankScene(name="drawn", lr=folder / "lr.tif", hr=folder / "hr.tif", counts=counts)


def test_demo_buys_two_rounds_of_a_tank_scene_beside_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tank_job, "WORTH_EACH", "1000000.00")  # so that the second round is ordered
    scene, file = drawn_scene(tmp_path), io.StringIO()
    out = Console(file=file, width=120, highlight=False, markup=False)

    with running_server(ROOT / "models" / "bundles" / BUNDLE) as server, server.client() as client:
        tank_job.run_tanks(client, scene, out)
        (report,) = client.get("/v1/reports/savings")["currencies"]
        assert server.query("SELECT * FROM ledger.violations") == []
        assert server.stop() == 0

    shown = file.getvalue()
    assert shown.count("The order held") == report["completed"] == 2
    rows = re.findall(
        r"^ +(\d+) +\d+ of 16 .* (\d+) +(?:0|1 to 9|10 or more) +(?:right|wrong)", shown, re.MULTILINE
    )
    truth = [9, 0, 0, 4, 0, 0, 14, 0, 0, 1, 0, 0]
    assert [(int(tile), int(true)) for tile, true in rows] == list(enumerate(truth))
    total = scene.counts.sum()
    assert f"True: {total:,}." in shown
    assert f"{total:,} of {total:,}" in shown  # everything finds every tank
    assert f"{report['settled']['amount']} USD" in shown
    assert "CC BY-NC-SA 4.0, not for sale" in shown
