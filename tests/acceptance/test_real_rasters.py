"""Real public rasters, if they are available: planned, or refused with the expected code."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from loupe import Client, ProblemError
from tests.support.bundles import write_bundle
from tests.support.server import ROOT, running_server

# Read at import, because a fixture of the tests hides the variables of this machine.
RASTERS = Path(os.environ.get("LOUPE_DATA", ROOT.parent / "shared" / "data")) / "rasters"

PLANNED = "planned"
EXPECTED = {
    "aerial_brazil_01m.tif": "already-high-resolution",
    "aerial_korea_06m_webmercator.tif": "already-high-resolution",  # 0.47 m on the ground, not 0.6
    "aerial_netherlands_025m.tif": "already-high-resolution",
    "aerial_zurich_05m.tif": PLANNED,  # averaged down twentyfold
    "colorado_ortho_015m.tif": "already-high-resolution",
    "landsat8_alabama_15m_B8pan.tif": "bands-missing",
    "landsat8_alabama_30m_B4.tif": "bands-missing",
    "landsat_bahamas_300m_rgb.tif": "gsd-too-coarse",
    "naip_california_060.tif": PLANNED,
    "naip_northdakota_5m_20100629.tif": PLANNED,
    "neon_florida_01m.tif": "already-high-resolution",
    "pair1_rotterdam_ms_1m.tif": PLANNED,  # whole numbers stored as float64
    "pair1_rotterdam_pan_05m.tif": "bands-missing",
    "sentinel2_delfzijl_10m_float64.tif": PLANNED,
    "sentinel2_demmin_10m.tif": PLANNED,  # in degrees
    "worldview_atlanta_pan_05m.tif": "bands-missing",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Connect to a server whose bundle reads 10 m and buys 0.48 m."""
    bundle = write_bundle(
        tmp_path / "bundles" / "tiny",
        hr_size=160,
        input_sizes={"policy": 8, "hr": 160, "lr": 8},
        hr_gsd_m=0.48,
    )
    with running_server(bundle) as server, server.client() as client:
        yield client


def outcome(client: Client, path: Path) -> str:
    try:
        plan = client.plan(path.read_bytes()).document
    except ProblemError as error:
        return error.code
    tiles = plan["scene"]["columns"] * plan["scene"]["rows"]
    assert [tile["tile"] for tile in plan["tiles"]] == list(range(tiles))
    assert plan["patches"]["total"] == 16 * (tiles - plan["scene"]["tiles_without_data"])
    return PLANNED


def test_real_rasters_are_planned_or_refused_with_the_expected_code(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    present = {name: RASTERS / name for name in EXPECTED if (RASTERS / name).is_file()}
    if not present:
        pytest.skip(f"NO RASTERS in {RASTERS}: no real file was tried")
    if absent := EXPECTED.keys() - present.keys():
        with capsys.disabled():
            print(f"\nNot tried, because {RASTERS} lacks them: {', '.join(sorted(absent))}")  # noqa: T201  (absence is reported)

    assert {name: outcome(client, path) for name, path in present.items()} == {
        name: EXPECTED[name] for name in present
    }
