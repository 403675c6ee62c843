"""One file for many patches: what it covers is stored and paid at once, the rest stays awaited."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.blobs import get
from service.database.engine import Database
from service.deliveries import decoding, many_patches
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from service.ledger.book import allocate
from service.orders.delivered import find_file
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import rows
from tests.support.money import cents
from tests.support.mosaics import HEIGHT, WIDTH, archive, mosaic
from tests.support.ordering import (
    deliver,
    let_time_pass,
    outcomes,
    race,
    send_file,
    spooled,
    status,
    usage,
    waiting_connections,
)
from tests.support.orders import BOUGHT, make_detail

ZIP = {"Content-Type": "application/zip"}
# The plan buys patches 0 and 6 of tile 0 and patch 15 of tile 4: columns 0..7, 8..15 and 56..63 in HR pixels.
LEFT_HALF = mosaic(0, 32)


def test_mosaic_of_the_whole_order_is_delivered_by_one_request(
    client: TestClient, order: str, budget: str, settings: Settings, own_blobs: Path
) -> None:
    answer = send_file(client, order, mosaic())
    found = client.get(f"/v1/orders/{order}").json()

    assert answer.status_code == 201, answer.text
    assert outcomes(answer) == dict.fromkeys(BOUGHT, "settled")
    assert answer.json()["settled"] == {"amount": "10.00", "currency": "USD"}
    assert (found["status"], found["counts"]["delivered"]) == ("completed", 3)
    assert [step["status"] for step in found["statuses"]] == ["accepted", "completed"]
    shares = [round(100 * float(one["settled"]["amount"])) for one in found["patches"]["delivered"]]
    assert shares == [allocate(cents(10_00), 3, rank).minor for rank in range(3)]
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}
    assert get(own_blobs, answer.json()["files"][0]["sha256"]) == mosaic()
    assert spooled(settings) == []


def test_mosaic_gives_each_patch_its_own_pixels(client: TestClient, order: str, database: Database) -> None:
    send_file(client, order, mosaic())

    shown = make_detail(np.arange(HEIGHT), np.arange(WIDTH))
    with database.sessions() as session:
        stored = {place: delivered_pixels_of(session, order, place) for place in BOUGHT}
    corners = {(0, 0): (0, 0), (0, 6): (16, 8), (4, 15): (56, 56)}  # row and column of the mosaic
    for place, (top, left) in corners.items():
        assert np.array_equal(stored[place], shown[:, top : top + 8, left : left + 8])


def delivered_pixels_of(session: Session, order: str, place: tuple[int, int]) -> NDArray[np.uint8]:
    raw = find_file(session, UUID(order), place, 1).pixels
    return np.frombuffer(raw, np.uint8).reshape(3, 8, 8)


def test_half_a_mosaic_delivers_half_and_the_other_half_the_rest(
    client: TestClient, order: str, budget: str
) -> None:
    first = send_file(client, order, LEFT_HALF)
    spent = usage(client, budget)["spent"]
    second = send_file(client, order, mosaic(32))

    assert outcomes(first) == {(0, 0): "settled", (0, 6): "settled"}
    assert first.json()["counts"]["untouched"] == 1
    assert spent == "6.66"
    assert outcomes(second) == {(4, 15): "settled"}
    assert client.get(f"/v1/orders/{order}").json()["status"] == "completed"


def test_partly_covered_patch_is_named_with_its_remainder(client: TestClient, order: str) -> None:
    answer = send_file(client, order, mosaic(0, 60))  # half of the columns 56..63 of patch 15 of tile 4
    (one,) = [one for one in answer.json()["patches"] if one["outcome"] == "not-covered"]

    assert (one["tile"], one["patch"]) == (4, 15)
    assert one["covered"] == pytest.approx(0.625, abs=0.13)  # one pixel at the side may be repeated
    assert one["remainder"]["type"] == "Polygon"
    assert (
        answer.json()["counts"] | {"not_covered": 1, "settled": 2, "untouched": 0} == answer.json()["counts"]
    )


@pytest.mark.parametrize("body", [LEFT_HALF, archive({"a/b.tif": LEFT_HALF})], ids=["file", "archive"])
def test_same_bytes_again_change_nothing(
    client: TestClient, order: str, database: Database, body: bytes
) -> None:
    send_file(client, order, body)
    before = rows(database, "delivered_file"), rows(database, "ledger.transfer")

    again = send_file(client, order, body)

    assert again.status_code == 200
    assert outcomes(again) == {(0, 0): "already-delivered", (0, 6): "already-delivered"}
    assert again.json()["settled"]["amount"] == "0.00"
    assert (rows(database, "delivered_file"), rows(database, "ledger.transfer")) == before


def test_other_mosaic_supersedes_the_delivered_patches_and_pays_only_the_others(
    client: TestClient, order: str, budget: str
) -> None:
    single = deliver(client, order, 0, 0).json()

    answer = send_file(client, order, mosaic())

    assert outcomes(answer) == {(0, 0): "superseded", (0, 6): "settled", (4, 15): "settled"}
    (one,) = [one for one in answer.json()["patches"] if one["outcome"] == "superseded"]
    assert one["supersedes"] == {"version": 1, "sha256": single["sha256"]}
    assert usage(client, budget)["spent"] == "10.00"
    assert send_file(client, order, mosaic(seed=8)).json()["counts"]["superseded"] == 3  # of a complete order
    assert usage(client, budget)["spent"] == "10.00"


def test_name_of_an_archived_file_moves_no_cursor_and_turns_no_text(client: TestClient, order: str) -> None:
    answer = send_file(client, order, archive({"a\x1b[2J\u202eb.tif": LEFT_HALF}), ZIP)

    assert [one["name"] for one in answer.json()["files"]] == ["a\ufffd[2J\ufffdb.tif"]


def test_archive_of_a_provider_is_unpacked_and_every_file_accounted_for(
    client: TestClient, order: str, settings: Settings, own_blobs: Path
) -> None:
    mask = make_geotiff(np.full((1, HEIGHT, 96), 1, np.uint8), gsd_m=2.5)
    body = archive(
        {
            "order/PSScene/left_3B_Visual.tif": LEFT_HALF,
            "order/PSScene/right_3B_Visual.tif": mosaic(32),
            "order/PSScene/left_3B_udm2_clip.tif": mask,
            "order/PSScene/elevation.tif": mask,
            "order/PSScene/left_metadata.json": b"{}",
            "order/manifest.xml": b"<x/>",
            "order/preview.jpg": b"jpeg",
            "order/more.zip": archive({"a.tif": LEFT_HALF}),
        }
    )

    answer = send_file(client, order, body, ZIP)
    files = {one["name"].rpartition("/")[2]: one for one in answer.json()["files"]}

    assert answer.status_code == 201, answer.text
    assert outcomes(answer) == dict.fromkeys(BOUGHT, "settled")
    assert Counter(one["use"] for one in files.values()) == {"used": 2, "ignored": 6}
    assert "mask" in files["left_3B_udm2_clip.tif"]["detail"]
    assert "1 band" in files["elevation.tif"]["detail"]
    assert get(own_blobs, files["left_3B_Visual.tif"]["sha256"]) == LEFT_HALF
    assert spooled(settings) == []


def test_damaged_file_of_an_archive_does_not_stop_the_others(client: TestClient, order: str) -> None:
    answer = send_file(client, order, archive({"a.tif": b"II*\0broken", "b.tif": LEFT_HALF}), ZIP)

    assert answer.status_code == 201
    assert [(one["name"], one["use"]) for one in answer.json()["files"]] == [
        ("b.tif", "used"), ("a.tif", "refused"),
    ]  # fmt: skip


def test_second_file_of_the_same_ground_says_that_nothing_was_left(client: TestClient, order: str) -> None:
    body = archive({"visual.tif": mosaic(), "analytic.tif": mosaic(seed=9)})

    files = send_file(client, order, body, ZIP).json()["files"]

    assert sorted(one["use"] for one in files) == ["refused", "used"]
    refused = next(one for one in files if one["use"] == "refused")
    assert "Other files of the upload show all 3 patches" in str(refused)


def test_ended_order_takes_only_new_files_of_delivered_patches(
    client: TestClient, order: str, database: Database
) -> None:
    deliver(client, order, 0, 0)
    let_time_pass(database, order)

    answer = send_file(client, order, mosaic())

    assert (answer.status_code, outcomes(answer)) == (201, {(0, 0): "superseded"})


def test_racing_files_of_one_order_are_paid_once(client: TestClient, order: str, budget: str) -> None:
    bodies = [mosaic(), mosaic(), LEFT_HALF, mosaic(seed=9)]

    answers = race(4, lambda: status(send_file(client, order, bodies.pop())))

    assert set(answers) <= {200, 201}
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}


def test_failure_while_storing_settles_nothing(
    client: TestClient, order: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("The server was killed.")

    monkeypatch.setattr(many_patches, "advance", fail)
    assert send_file(client, order, mosaic()).status_code == 500
    assert (rows(database, "delivery"), rows(database, "delivered_file")) == (0, 0)

    monkeypatch.undo()
    assert outcomes(send_file(client, order, mosaic())) == dict.fromkeys(BOUGHT, "settled")


def test_file_holds_no_connection_while_it_is_decoded(
    client: TestClient, order: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watch(body: bytes, limits: Limits) -> Raster:
        seen.append(waiting_connections(database))
        return read_geotiff(body, limits)

    monkeypatch.setattr(decoding, "read_geotiff", watch)

    assert send_file(client, order, mosaic()).status_code == 201
    assert seen == [0]
