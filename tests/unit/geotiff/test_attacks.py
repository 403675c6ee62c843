"""Files that attack GDAL: they reach neither network nor secrets, while an unlocked GDAL follows them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.geotiff.gdal_lock import ENVIRONMENT
from service.geotiff.preflight import Limits, check_structure, neutralise
from service.geotiff.quarantine import Quarantine
from service.geotiff.raster import read_geotiff
from tests.support.listening import SECRET, Listener, attacks, listening, secret_files
from tests.support.rasters import SHAPE

LIMITS = Limits()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    return secret_files(tmp_path)


def test_read_geotiff_shows_attacks_only_their_own_pixels(
    listener: Listener, secrets: dict[str, str]
) -> None:
    for name, body in attacks(listener, secrets).items():
        expected = bytes(64 * 64) if name.startswith("overviews") else bytes(range(1, 65))
        assert read_geotiff(body, LIMITS).pixels.tobytes() == expected, name
    assert listener.hits == 0


def test_decoder_withstands_attacks_without_the_preflight(
    listener: Listener, secrets: dict[str, str], own: Quarantine
) -> None:
    """Check the second line of defence: the same files with their metadata still in place."""
    for name, body in attacks(listener, secrets).items():
        shape = (1, 64, 64) if name.startswith("overviews") else SHAPE
        expected = bytes(64 * 64) if name.startswith("overviews") else bytes(range(1, 65))
        assert own.decode(body, shape, "uint8", 20).pixels.tobytes() == expected, name
    assert listener.hits == 0


def test_unlocked_gdal_follows_the_attacks(
    listener: Listener, secrets: dict[str, str], tmp_path: Path
) -> None:
    """Check the control: without lock and `neutralise`, the same files reach the network and the secret."""
    files = attacks(listener, secrets)
    for name in ("overviews-url", "overviews-inline-vrt"):
        (tmp_path / name).write_bytes(files[name])
    script = (
        "import sys, rasterio\n"
        "with rasterio.open(sys.argv[1], driver='GTiff') as file: file.overviews(1)\n"
        "with rasterio.open(sys.argv[2], driver='GTiff') as file:\n"
        "    sys.stdout.buffer.write(file.read(1, out_shape=(1, 16)).tobytes())\n"
    )
    unlocked = {key: value for key, value in os.environ.items() if key not in ENVIRONMENT}
    unlocked |= {"GDAL_HTTP_TIMEOUT": "2", "GDAL_HTTP_CONNECTTIMEOUT": "2"}
    names = [str(tmp_path / name) for name in ("overviews-url", "overviews-inline-vrt")]
    done = subprocess.run(
        [sys.executable, "-c", script, *names], env=unlocked, capture_output=True, check=False, timeout=60
    )
    assert listener.hits > 0
    assert done.stdout == SECRET[:16]


def test_neutralise_removes_the_metadata_of_an_attack(listener: Listener, secrets: dict[str, str]) -> None:
    for body in attacks(listener, secrets).values():
        structure = check_structure(body, LIMITS)
        again = check_structure(bytes(neutralise(body, structure)), LIMITS)
        assert again.image.find(42112) is None
