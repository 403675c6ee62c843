"""Files that lead GDAL to secrets and to the network, and a listener that hears of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.support.rasters import raw_vrt, tiff_with_geolocation, tiff_with_overview_file, write_geotiff

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


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen to a port during the block."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()


def attacks(listener: Listener, secrets: dict[str, str]) -> dict[str, bytes]:
    """Return genuine GeoTIFFs that make an unlocked GDAL open something else."""
    url = f"/vsicurl/{listener.url}"
    return {
        **{f"overviews-{name}": tiff_with_overview_file(path) for name, path in secrets.items()},
        "overviews-url": tiff_with_overview_file(url),
        "geolocation-url": tiff_with_geolocation(url),
    }


def secret_files(folder: Path) -> dict[str, str]:
    """Write files that an upload must not reach, and return their names or what leads to them."""
    text, raster = folder / "secret.txt", folder / "secret.tif"
    text.write_bytes(SECRET * 4)
    raster.write_bytes(write_geotiff(np.full((1, 16, 16), 77, np.uint8)))
    return {
        "inline-vrt": raw_vrt(str(text), 16),
        "local-tif": str(raster),
        "passwd": raw_vrt("/etc/passwd"),
    }
