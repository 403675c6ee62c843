"""Files that no row names are removed, and never one that is being stored."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.blobs import path_of, put
from service.cli import app
from service.database.engine import Database
from service.retention.sweeping import stocks, sweep
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import TIFF, code, plan_scene, publish_prices

HOUR = 3600.0
pytestmark = pytest.mark.usefixtures("spread_utilities")


def scene(number: int) -> bytes:
    """Make one of many different scenes."""
    pixels = make_pixels().copy()
    pixels[:, 0, 0] = number
    return make_geotiff(np.asarray(pixels))


def age(path: Path) -> Path:
    os.utime(path, (0, 0))
    return path


@contextmanager
def sweeping(database: Database, blobs: Path, grace_s: float) -> Iterator[None]:
    """Sweep again and again beside the block."""
    ended = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            while not ended.is_set():
                sweep(database, blobs, grace_s)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert failed == []


def test_only_old_files_without_a_row_are_removed(
    client: TestClient, database: Database, settings: Settings, own_blobs: Path
) -> None:
    publish_prices(client)
    plan = plan_scene(client)
    for path in own_blobs.rglob("*/*"):
        age(path)
    old = age(path_of(own_blobs, put(own_blobs, b"old orphan")))
    new = path_of(own_blobs, put(own_blobs, b"new orphan"))
    half = old.parent / ".new-abcd"
    half.write_bytes(b"half")
    age(half)
    found = {one.name: one for one in stocks(database, settings.blobs)}
    freed = sweep(database, settings.blobs, HOUR)

    (mine,) = (one for one in found.values() if one.files)
    assert (mine.files, mine.orphans) == (5, 3)
    assert freed == len(b"old orphan") + len(b"half")
    assert (old.exists(), half.exists(), new.exists()) == (False, False, True)
    assert client.get(f"/v1/plans/{plan.id}/scene.tif").status_code == 200


def test_files_of_workspaces_that_the_database_does_not_know_stay(
    client: TestClient, database: Database, settings: Settings
) -> None:
    assert client
    folder = settings.blobs / "workspaces" / str(UUID(int=7))
    stranger = age(path_of(folder, put(folder, b"of another database")))
    shared = age(path_of(settings.blobs, put(settings.blobs, b"of an earlier version")))
    assert sweep(database, settings.blobs, HOUR) == 0
    assert stranger.exists()
    assert shared.exists()


def test_upload_of_an_old_orphan_survives_every_sweep(
    client: TestClient, database: Database, settings: Settings, own_blobs: Path
) -> None:
    publish_prices(client)
    with sweeping(database, settings.blobs, HOUR):
        for number in range(5):
            age(path_of(own_blobs, put(own_blobs, scene(number))))
            plan = plan_scene(client, scene(number))
            assert client.get(f"/v1/plans/{plan.id}/scene.tif").content == scene(number)


def test_no_plan_is_stored_whose_files_were_removed_meanwhile(
    client: TestClient, database: Database, settings: Settings
) -> None:
    """Without a time of grace, an upload may be refused, but what is acknowledged is there."""
    publish_prices(client)
    outcomes = set[tuple[int, str]]()
    with sweeping(database, settings.blobs, 0.0):
        for number in range(12):
            answer = client.post("/v1/plans?price_list=acme", content=scene(number), headers=TIFF)
            outcomes.add((201, "") if answer.status_code == 201 else code(answer))
            if answer.status_code == 201:
                read = client.get(f"{answer.headers['Location']}/scene.tif")
                assert read.content == scene(number)
    assert outcomes <= {(201, ""), (503, "file-removed"), (503, "storage-failed")}


def test_command_shows_and_removes_orphans(
    client: TestClient,
    settings: Settings,
    own_blobs: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client
    age(path_of(own_blobs, put(own_blobs, b"old orphan")))
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
    monkeypatch.setenv("LOUPE_HOME", str(settings.home))

    shown = CliRunner().invoke(app, ["blobs"]).output
    swept = CliRunner().invoke(app, ["blobs", "--sweep"]).output
    assert "1 file without a row" in shown
    assert "10 bytes" in swept
