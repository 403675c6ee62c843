"""Files that attack GDAL: they reach no network and no secret, and an unguarded GDAL falls for them."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from service.geotiff.gdal_lock import ENVIRONMENT
from service.geotiff.preflight import Limits, check_structure, neutralise
from service.geotiff.quarantine import Quarantine
from service.geotiff.raster import read_geotiff
from tests.support import rasters as make

LIMITS = Limits()
SECRET = bytes(range(33, 97))


class Listener:
    """Counts connections to a port of this machine, answering none."""

    def __init__(self) -> None:
        self.hits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/meta-data/iam.tif"

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.hits += 1
            connection.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """Ways of naming a file that is none of an upload's business."""
    text, raster = tmp_path / "secret.txt", tmp_path / "secret.tif"
    text.write_bytes(SECRET * 4)
    raster.write_bytes(make.geotiff(np.full((1, 16, 16), 77, np.uint8)))
    return {
        "inline-vrt": make.raw_vrt(str(text), 16),
        "local-tif": str(raster),
        "passwd": make.raw_vrt("/etc/passwd"),
    }


def attacks(listener: Listener, secrets: dict[str, str]) -> dict[str, bytes]:
    """Genuine GeoTIFFs that make an unguarded GDAL open something else."""
    url = f"/vsicurl/{listener.url}"
    return {
        **{f"overviews-{name}": make.overview_file(path) for name, path in secrets.items()},
        "overviews-url": make.overview_file(url),
        "geolocation-url": make.geolocation(url),
    }


def test_attacks_through_metadata_see_only_their_own_pixels(
    listener: Listener, secrets: dict[str, str]
) -> None:
    for name, body in attacks(listener, secrets).items():
        expected = bytes(64 * 64) if name.startswith("overviews") else bytes(range(1, 65))
        assert read_geotiff(body, LIMITS).pixels.tobytes() == expected, name
    assert listener.hits == 0


def test_the_decoder_alone_withstands_them_too(
    listener: Listener, secrets: dict[str, str], own: Quarantine
) -> None:
    """Second line: the same files with their metadata still in place."""
    for name, body in attacks(listener, secrets).items():
        shape = (1, 64, 64) if name.startswith("overviews") else make.SHAPE
        expected = bytes(64 * 64) if name.startswith("overviews") else bytes(range(1, 65))
        assert own.decode(body, shape, "uint8", 20).pixels.tobytes() == expected, name
    assert listener.hits == 0


def test_an_unguarded_gdal_falls_for_them(
    listener: Listener, secrets: dict[str, str], tmp_path: Path
) -> None:
    """The control: without lock and neutralising, these very files reach the network and the secret."""
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


def test_the_neutralised_copy_of_an_attack_names_no_other_file(
    listener: Listener, secrets: dict[str, str]
) -> None:
    for body in attacks(listener, secrets).values():
        structure = check_structure(body, LIMITS)
        again = check_structure(neutralise(body, structure), LIMITS)
        assert again.image.find(42112) is None
