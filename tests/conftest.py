"""What every test may rely on."""

import os
from pathlib import Path

# Before torch is imported: tests run in as many processes as there are cores, and a thread pool each would
# make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

import service.geotiff  # noqa: F401  (first, for it locks GDAL and factories import rasterio)
from tests.support.bundles import write_bundle


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own LOUPE_ variables must not change what a test sees."""
    for name in [name for name in os.environ if name.startswith("LOUPE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny bundle: real networks, random weights, the same at every run."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))
