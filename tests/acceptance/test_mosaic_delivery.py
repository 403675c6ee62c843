"""A mosaic of a whole order as providers deliver it: a JPEG GeoTIFF in another CRS with a black border."""

import dataclasses
import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from rasterio.io import MemoryFile
from rasterio.windows import Window

from examples.demo.mosaic import TILE_PX, geotiff, lay_out
from loupe import Client, ClientError, Money
from loupe.answers.base import Json
from service.geotiff.ground import transform_points
from tests.support.bundles import UTM_32N
from tests.support.known_scene import KnownScene
from tests.support.mosaics import warped
from tests.support.server import ROOT, ServerProcess, make_mosaic, running_server

# Read at import, because a fixture of the tests hides the variables of this machine.
UC_MERCED = Path(os.environ.get("LOUPE_DATA", ROOT.parent / "shared" / "data")) / "uc-merced.tar"
STARTER = ROOT / "models" / "bundles" / "starter"
COLUMNS, ROWS, PATCHES = 5, 4, 96
TILE_M = 78.0  # 8 LR pixels of 9.75 m
SURE = 0.6
"""Confidence from which a label must survive JPEG and resampling to another CRS and back."""


def imagery() -> KnownScene:
    """Return 20 real tiles if they are available, else 20 tiles of random patches."""
    if not UC_MERCED.is_file():
        return dataclasses.replace(make_mosaic(COLUMNS, ROWS), tile_m=TILE_M)
    with tarfile.open(UC_MERCED) as tar:
        names = sorted(one.name for one in tar.getmembers() if one.name.endswith((".tif", ".png", ".jpg")))
        chosen = names[:: len(names) // (COLUMNS * ROWS)][: COLUMNS * ROWS]
        tiles = []
        for name in chosen:
            file = tar.extractfile(name)
            assert file is not None
            with Image.open(file) as image:
                tiles.append(np.asarray(image.convert("RGB").resize((TILE_PX, TILE_PX))))
    return KnownScene(lay_out(tiles, COLUMNS), TILE_M, UTM_32N, 500_000, 5_300_000)


def as_delivered(mosaic: KnownScene, first: int = 0, last: int | None = None) -> bytes:
    """Write the mosaic, or its columns from one pixel to another, in UTM zone 31 as JPEG."""
    edge = mosaic.tile_m / TILE_PX
    pixels = np.moveaxis(mosaic.pixels[:, first:last], 2, 0)
    place = Affine(edge, 0, mosaic.left + first * edge, 0, -edge, mosaic.top)
    return warped(
        pixels, place, "EPSG:32631", compress="jpeg", jpeg_quality=90, photometric="ycbcr", tiled=True
    )


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with running_server(STARTER) as process:
        with process.client() as client:
            client.create_budget("mosaics", Money.of("1000.00", "USD"))
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with server.client() as client:
        yield client


def order_at(client: Client, mosaic: KnownScene, east_m: float) -> tuple[KnownScene, Json]:
    """Order 96 patches of the mosaic at a place of its own, so that nobody owns the ground yet."""
    moved = dataclasses.replace(mosaic, left=mosaic.left + east_m)
    plan = client.plan(moved.scene(8), max_patches=PATCHES).document
    assert plan["patches"]["bought"] == PATCHES
    return moved, client.order(plan["id"], None).document


def deliver(client: Client, order: Json, folder: Path, body: bytes) -> Json:
    (folder / "mosaic.tif").write_bytes(body)
    return client.deliver(order["id"], folder / "mosaic.tif").document


def labels(client: Client, order: Json) -> list[Json]:
    tiles: list[Json] = client.classify(order["id"]).document["tiles"]
    return tiles


def test_jpeg_mosaic_in_another_crs_delivers_a_whole_order(client: Client, tmp_path: Path) -> None:
    mosaic, order = order_at(client, imagery(), 0)
    body = as_delivered(mosaic)

    answer = deliver(client, order, tmp_path, body)
    again = deliver(client, order, tmp_path, body)
    found = client.get(f"/v1/orders/{order['id']}")

    assert answer["counts"]["settled"] == PATCHES, answer["counts"]
    assert answer["settled"] == order["amounts"]["total"] == found["amounts"]["settled"]
    assert (found["status"], found["amounts"]["held"]["amount"]) == ("completed", "0.00")
    assert again["counts"]["already_delivered"] == PATCHES
    assert client.get(f"/v1/orders/{order['id']}") == found

    # The same picture in single patches, and the original in single patches.
    cut, again_cut = order_at(client, mosaic, 20_000)
    picture = as_delivered(cut)
    deliver_singly(client, again_cut, lambda tile, patch: cut_out(picture, cut, tile, patch))
    original, lossless = order_at(client, mosaic, 30_000)
    deliver_singly(client, lossless, original.patch)
    by_mosaic, by_patches, by_original = (labels(client, one) for one in (order, again_cut, lossless))
    assert [one["label"] for one in by_mosaic] == [one["label"] for one in by_patches]
    for one, two in zip(by_mosaic, by_original, strict=True):
        assert one["label"] == two["label"] or min(one["confidence"], two["confidence"]) < SURE


def deliver_singly(client: Client, order: Json, body_of: Callable[[int, int], bytes]) -> None:
    for one in order["patches"]["awaited"]:
        client.deliver_patch(order["id"], one["tile"], one["patch"], body_of(one["tile"], one["patch"]))


def cut_out(picture: bytes, mosaic: KnownScene, tile: int, patch: int) -> bytes:
    """Cut the surroundings of one patch from a delivered picture, without another loss."""
    side, margin = mosaic.tile_m / 4, 6
    west = mosaic.left + (tile % COLUMNS * 4 + patch // 4) * side
    north = mosaic.top - (tile // COLUMNS * 4 + patch % 4) * side
    corners = np.array([(west + x * side, north - y * side) for x in (0, 1) for y in (0, 1)])
    x, y = transform_points(UTM_32N, "EPSG:32631", corners).T
    with MemoryFile(picture) as memory, memory.open() as file:
        columns, rows = ~file.transform @ (x, y)
        left, top = int(columns.min()) - margin, int(rows.min()) - margin
        window = Window(left, top, int(np.ptp(columns)) + 2 * margin, int(np.ptp(rows)) + 2 * margin)
        window = window.intersection(Window(0, 0, file.width, file.height))
        place = file.transform @ Affine.translation(window.col_off, window.row_off)
        return geotiff(np.moveaxis(file.read(window=window), 0, 2), "EPSG:32631", place)


def test_half_a_mosaic_delivers_half(client: Client, tmp_path: Path) -> None:
    mosaic, order = order_at(client, imagery(), 40_000)
    half = mosaic.pixels.shape[1] // 2

    answer = deliver(client, order, tmp_path, as_delivered(mosaic, 0, half))
    rest = deliver(client, order, tmp_path, as_delivered(mosaic, half - 64))  # overlaps by a patch

    first = answer["counts"]["settled"]
    assert 0 < first < PATCHES
    assert first + rest["counts"]["settled"] == PATCHES
    assert client.get(f"/v1/orders/{order['id']}")["amounts"]["settled"] == order["amounts"]["total"]


def test_kill_during_a_mosaic_settles_all_of_it_or_nothing(bundle_folder: Path, tmp_path: Path) -> None:
    mosaic = make_mosaic(COLUMNS, ROWS)
    body = as_delivered(mosaic)
    with running_server(bundle_folder) as server:
        with server.client() as client:
            client.create_budget("survivor", Money.of("1000.00", "USD"))
            _, order = order_at(client, mosaic, 0)
        path = f"/v1/orders/{order['id']}"
        sender = threading.Thread(
            target=deliver_until_it_fails, args=(server.client(), order, tmp_path, body)
        )
        sender.start()
        wait_for_writing(server, sender)
        server.kill()
        sender.join(60)
        server.start()
        with server.client() as client:
            assert client.get(path)["counts"]["delivered"] in {0, PATCHES}

        with server.client() as client:
            answer = deliver(client, order, tmp_path, body)
            found = client.get(path)
        assert answer["counts"]["settled"] + answer["counts"]["already_delivered"] == PATCHES
        assert found["amounts"]["settled"] == order["amounts"]["total"]
        assert server.query("SELECT * FROM ledger.violations") == []


def wait_for_writing(server: ServerProcess, sender: threading.Thread) -> None:
    """Wait until a transaction of the server has begun to write, or until the delivery has ended."""
    writing = "SELECT FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND query LIKE '%settle%'"
    with server.connect() as database:
        database.autocommit = True
        while sender.is_alive() and not database.execute(writing.encode()).fetchall():
            time.sleep(0.005)


def deliver_until_it_fails(client: Client, order: Json, folder: Path, body: bytes) -> None:
    with client:
        try:
            deliver(client, order, folder, body)
        except ClientError:
            return  # the kill loses the answer, as intended
