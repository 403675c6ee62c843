"""Every command of docs/inputs.md, on a file made in the form that it is for, against a real server."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from loupe import Money
from tests.support.input_commands import documented_commands, make_forms, run_commands
from tests.support.landscape import COVERS, TOP, UTM, WEST, digital, quadrants, reflectance, shown
from tests.support.rasters import write_geotiff
from tests.support.server import ROOT, ServerProcess, running_server
from tests.support.shell import UUID

COMMANDS = documented_commands()
SCENES = {
    ("Sentinel-2 SAFE folder", 0): "sentinel2/S2B_MSIL2A_*.SAFE",
    ("Sentinel-2 SAFE folder", 1): "sentinel2/S2B_MSIL1C_*.SAFE",
    **{("Copernicus Browser download", block): "copernicus" for block in range(4)},
    **{("Earth Engine export", block): "earth-engine" for block in range(6)},
    ("NAIP", 0): "naip",
    **{("Planet order", block): "planet" for block in range(3)},
}
DELIVERIES = {
    ("Planet order", 3): "skysat",
    ("Maxar order", 0): "maxar/ard",
    ("Maxar order", 1): "maxar/ortho",
    ("Maxar order", 2): "maxar/raw",
    ("UP42 asset", 0): "up42",
}
LANDSAT = ("Landsat Collection 2, Level 2", 0)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of each form."""
    folder = tmp_path_factory.mktemp("forms")
    make_forms(folder)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Run a server with the shipped bundle, which reads 10 m and buys 0.5 m."""
    with running_server(ROOT / "models" / "bundles" / "starter") as process:
        with process.client() as client:
            client.create_budget("forms", Money.of("1000", "USD"))
        yield process


def block_of(place: tuple[str, int]) -> str:
    return COMMANDS[place[0]][place[1]]


def test_every_documented_command_is_run() -> None:
    written = {(heading, block) for heading, blocks in COMMANDS.items() for block in range(len(blocks))}

    assert written == {*SCENES, *DELIVERIES, LANDSAT}


@pytest.mark.parametrize("place", SCENES, ids=lambda place: f"{place[0]} {place[1]}")
def test_command_plans_the_scene_in_true_colours(
    server: ServerProcess, forms: Path, tmp_path: Path, place: tuple[str, int]
) -> None:
    (form,) = forms.glob(SCENES[place])
    done = run_commands(block_of(place), form, tmp_path / "form", server)

    assert done.returncode == 0, done.stderr
    made = re.search(rf"loupe order ({UUID.pattern})", done.stdout)
    assert made, done.stdout
    with server.client() as client:
        picture = Image.open(io.BytesIO(client.download(f"/v1/plans/{made[1]}/preview.png"))).convert("RGB")
    np.testing.assert_allclose(quadrants(np.asarray(picture)), shown(COVERS[:, :3]), atol=6)
    assert "arning" not in done.stdout, done.stdout


def test_landsat_becomes_reflectance_and_is_too_coarse_for_the_shipped_bundle(
    server: ServerProcess, forms: Path, tmp_path: Path
) -> None:
    done = run_commands(block_of(LANDSAT), forms / "landsat", tmp_path / "form", server)

    assert "30 x 30 m on the ground" in done.stderr
    with rasterio.open(tmp_path / "form" / "scene.tif") as scene:
        values = scene.read(masked=True)
    assert values.mask[:, :2].all()
    np.testing.assert_allclose(values[:, 2:].data, reflectance(24)[:3, 2:], atol=2e-5)


@pytest.mark.parametrize("place", DELIVERIES, ids=lambda place: f"{place[0]} {place[1]}")
def test_command_delivers_every_patch(
    server: ServerProcess, forms: Path, tmp_path: Path, place: tuple[str, int]
) -> None:
    scene = write_geotiff(
        digital(reflectance(24)[[2, 1, 0]]), crs=UTM, transform=Affine(10, 0, WEST, 0, -10, TOP)
    )
    with server.client() as client:
        plan = client.plan(scene, max_patches=3, bands="3,2,1").document
        order = client.order(plan["id"], None).document["id"]
        done = run_commands(block_of(place), forms / DELIVERIES[place], tmp_path / "form", server, order)

        assert done.returncode == 0, done.stderr
        assert client.get(f"/v1/orders/{order}")["counts"]["awaited"] == 0, done.stdout
    # The noise of the scene makes the place doubtful; the bands and the numbers must be beyond doubt.
    assert "The colours fit the scene" not in done.stdout, done.stdout
    assert "State what the numbers are" not in done.stdout, done.stdout
