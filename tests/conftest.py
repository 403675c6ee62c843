"""Fixtures for every test."""

import os
from pathlib import Path

# Before torch is imported: tests run in as many processes as there are cores, and a thread pool each would
# make them wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A parallel run hands its terminal's width to its processes; the command line's default width is tested.
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)

import pytest
from hypothesis import settings

import service.geotiff  # noqa: F401  (first, for it locks GDAL and factories import rasterio)
from tests.support.bundles import write_bundle

# The time that an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a developer's own LOUPE_ variables from the tests."""
    for name in [name for name in os.environ if name.startswith("LOUPE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny bundle: real networks with random weights, equal in every run. No other is beside it."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
