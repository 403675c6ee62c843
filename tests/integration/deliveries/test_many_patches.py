"""One file for many patches: what it covers is stored and paid at once, the rest stays awaited."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.app import create_app
from service.blobs import get
from service.database.engine import Database
from service.deliveries import decoding, many_patches
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from service.ledger.book import allocate
from service.orders.delivered import find_file
from service.settings import Settings
from tests.support.bundles import HR_GSD_M, make_geotiff
from tests.support.databases import KEY, rows
from tests.support.money import cents
from tests.support.mosaics import HEIGHT, WIDTH, archive, mosaic
from tests.support.ordering import (
    TIFF,
    Json,
    code,
    deliver,
    let_time_pass,
    race,
    status,
    usage,
    waiting_connections,
)
from tests.support.orders import BOUGHT, NORTH, WEST, make_detail

ZIP = {"Content-Type": "application/zip"}
# The plan buys patches 0 and 6 of tile 0 and patch 15 of tile 4: columns 0..7, 8..15 and 56..63 in HR pixels.
LEFT_HALF = mosaic(0, 32)


def send(client: TestClient, order: str, body: bytes, headers: Json = TIFF, **query: Any) -> Any:
    return client.put(f"/v1/orders/{order}/deliveries", content=body, headers=headers, params=query)


def outcomes(answer: Any) -> dict[tuple[int, int], str]:
    return {(one["tile"], one["patch"]): one["outcome"] for one in answer.json()["patches"]}


def spooled(settings: Settings) -> list[str]:
    return [path.name for path in (settings.blobs / "incoming").glob("*")]


def test_mosaic_of_the_whole_order_is_delivered_by_one_request(
    client: TestClient, order: str, budget: str, settings: Settings
) -> None:
    answer = send(client, order, mosaic())
    found = client.get(f"/v1/orders/{order}").json()

    assert answer.status_code == 201, answer.text
    assert outcomes(answer) == dict.fromkeys(BOUGHT, "settled")
    assert answer.json()["settled"] == {"amount": "10.00", "currency": "USD"}
    assert (found["status"], found["counts"]["delivered"]) == ("completed", 3)
    assert [step["status"] for step in found["statuses"]] == ["accepted", "completed"]
    shares = [round(100 * float(one["settled"]["amount"])) for one in found["patches"]["delivered"]]
    assert shares == [allocate(cents(10_00), 3, rank).minor for rank in range(3)]
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}
    assert get(settings.blobs, answer.json()["files"][0]["sha256"]) == mosaic()
    assert spooled(settings) == []


def test_mosaic_gives_each_patch_its_own_pixels(client: TestClient, order: str, database: Database) -> None:
    send(client, order, mosaic())

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
    first = send(client, order, LEFT_HALF)
    spent = usage(client, budget)["spent"]
    second = send(client, order, mosaic(32))

    assert outcomes(first) == {(0, 0): "settled", (0, 6): "settled"}
    assert first.json()["counts"]["untouched"] == 1
    assert spent == "6.66"
    assert outcomes(second) == {(4, 15): "settled"}
    assert client.get(f"/v1/orders/{order}").json()["status"] == "completed"


def test_partly_covered_patch_is_named_with_its_remainder(client: TestClient, order: str) -> None:
    answer = send(client, order, mosaic(0, 60))  # half of the columns 56..63 of patch 15 of tile 4
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
    send(client, order, body)
    before = rows(database, "delivered_file"), rows(database, "ledger.transfer")

    again = send(client, order, body)

    assert again.status_code == 200
    assert outcomes(again) == {(0, 0): "already-delivered", (0, 6): "already-delivered"}
    assert again.json()["settled"]["amount"] == "0.00"
    assert (rows(database, "delivered_file"), rows(database, "ledger.transfer")) == before


def test_other_mosaic_supersedes_the_delivered_patches_and_pays_only_the_others(
    client: TestClient, order: str, budget: str
) -> None:
    single = deliver(client, order, 0, 0).json()

    answer = send(client, order, mosaic())

    assert outcomes(answer) == {(0, 0): "superseded", (0, 6): "settled", (4, 15): "settled"}
    (one,) = [one for one in answer.json()["patches"] if one["outcome"] == "superseded"]
    assert one["supersedes"] == {"version": 1, "sha256": single["sha256"]}
    assert usage(client, budget)["spent"] == "10.00"
    assert send(client, order, mosaic(seed=8)).json()["counts"]["superseded"] == 3  # of a complete order
    assert usage(client, budget)["spent"] == "10.00"


@pytest.mark.parametrize("value", [1, 128, 255])
def test_file_of_one_colour_delivers_no_patch_whatever_the_scene_looks_like(
    client: TestClient, order: str, database: Database, value: int
) -> None:
    pixels = np.full((3, HEIGHT, WIDTH), value, np.uint8)
    pixels[:, ::3] += 1 if value < 255 else 0  # as JPEG compression leaves it
    body = make_geotiff(pixels, west=WEST, north=NORTH, gsd_m=HR_GSD_M)

    answer = send(client, order, body)

    assert code(answer) == (409, "one-colour")
    assert answer.json()["patches"] == 3
    assert rows(database, "delivery") == 0
    assert send(client, order, body, accept_unlike="true").status_code == 201


def test_file_far_from_the_order_is_refused_with_the_distance(
    client: TestClient, order: str, database: Database
) -> None:
    answer = send(client, order, make_geotiff(west=510_000.0))

    assert code(answer) == (409, "no-patch-covered")
    assert answer.json()["offset_m"]["dx"] == pytest.approx(-10_000, abs=100)
    assert rows(database, "delivery") == 0


def test_file_of_another_country_is_refused(client: TestClient, order: str) -> None:
    assert code(send(client, order, make_geotiff(crs="EPSG:32718"))) == (409, "no-patch-covered")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", (422, "damaged-tiff"), id="empty"),
        pytest.param(b"plain words", (415, "not-a-geotiff"), id="not a TIFF"),
        pytest.param(mosaic()[:-300], (422, "damaged-tiff"), id="cut short"),
        pytest.param(b"PK\x03\x04 and nothing", (422, "archive-unusable"), id="damaged archive"),
        pytest.param(archive({"readme.txt": b"x"}), (409, "nothing-delivered"), id="archive without imagery"),
        pytest.param(archive({"../a.tif": mosaic()}), (422, "archive-unusable"), id="path outside"),
    ],
)
def test_unusable_file_is_refused_without_a_trace(
    client: TestClient,
    order: str,
    database: Database,
    settings: Settings,
    body: bytes,
    expected: tuple[int, str],
) -> None:
    blobs = len(list(settings.blobs.rglob("*")))

    assert code(send(client, order, body)) == expected
    assert (rows(database, "delivery"), spooled(settings)) == (0, [])
    assert len([one for one in settings.blobs.rglob("*") if one.name != "incoming"]) == blobs


def test_archive_of_a_provider_is_unpacked_and_every_file_accounted_for(
    client: TestClient, order: str, settings: Settings
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

    answer = send(client, order, body, ZIP)
    files = {one["name"].rpartition("/")[2]: one for one in answer.json()["files"]}

    assert answer.status_code == 201, answer.text
    assert outcomes(answer) == dict.fromkeys(BOUGHT, "settled")
    assert Counter(one["use"] for one in files.values()) == {"used": 2, "ignored": 6}
    assert "mask" in files["left_3B_udm2_clip.tif"]["detail"]
    assert "1 band" in files["elevation.tif"]["detail"]
    assert get(settings.blobs, files["left_3B_Visual.tif"]["sha256"]) == LEFT_HALF
    assert spooled(settings) == []


def test_damaged_file_of_an_archive_does_not_stop_the_others(client: TestClient, order: str) -> None:
    answer = send(client, order, archive({"a.tif": b"II*\0broken", "b.tif": LEFT_HALF}), ZIP)

    assert answer.status_code == 201
    assert [(one["name"], one["use"]) for one in answer.json()["files"]] == [
        ("b.tif", "used"), ("a.tif", "refused"),
    ]  # fmt: skip


def test_second_file_of_the_same_ground_says_that_nothing_was_left(client: TestClient, order: str) -> None:
    body = archive({"visual.tif": mosaic(), "analytic.tif": mosaic(seed=9)})

    files = send(client, order, body, ZIP).json()["files"]

    assert sorted(one["use"] for one in files) == ["refused", "used"]
    refused = next(one for one in files if one["use"] == "refused")
    assert "Other files of the upload show all 3 patches" in str(refused)


def test_unlike_patches_are_refused_one_by_one_and_taken_with_the_override(
    client: TestClient, order: str
) -> None:
    with_hole = blackened(slice(0, 8), slice(0, 8))

    answer = send(client, order, with_hole)
    accepted = send(client, order, with_hole, accept_unlike=True)

    assert outcomes(answer)[0, 6] == "settled"
    assert outcomes(answer).get((0, 0)) in {"refused", "not-covered"}
    assert outcomes(accepted)[0, 0] == "settled"
    (one,) = [one for one in accepted.json()["patches"] if one["outcome"] == "settled"]
    assert "patch-unlike-scene" in {warning["code"] for warning in one["warnings"]}


def blackened(rows_: slice, columns: slice) -> bytes:
    """Write the whole mosaic with a black rectangle."""
    pixels = make_detail(np.arange(HEIGHT), np.arange(WIDTH))
    pixels[:, rows_, columns] = 0
    return make_geotiff(pixels, gsd_m=2.5)


def test_price_of_a_file_is_refused(client: TestClient, order: str) -> None:
    assert code(send(client, order, mosaic(), price="3.33")) == (422, "price-not-accepted")


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "multipart/form-data; boundary=x"])
def test_file_of_another_media_type_is_refused(client: TestClient, order: str, media_type: str) -> None:
    answer = send(client, order, mosaic(), {"Content-Type": media_type})

    assert code(answer) == (415, "unsupported-media-type")


def test_ended_order_takes_only_new_files_of_delivered_patches(
    client: TestClient, order: str, database: Database
) -> None:
    deliver(client, order, 0, 0)
    let_time_pass(database, order)

    answer = send(client, order, mosaic())

    assert (answer.status_code, outcomes(answer)) == (201, {(0, 0): "superseded"})


def test_file_for_an_order_that_ended_without_a_delivery_is_refused(client: TestClient, order: str) -> None:
    client.post(f"/v1/orders/{order}/cancel")

    assert code(send(client, order, mosaic())) == (409, "order-cancelled")


def test_file_for_another_workspaces_order_is_not_found(client: TestClient, order: str) -> None:
    assert code(send(client, "00000000-0000-0000-0000-000000000000", mosaic())) == (404, "not-found")
    assert order


def test_racing_files_of_one_order_are_paid_once(client: TestClient, order: str, budget: str) -> None:
    bodies = [mosaic(), mosaic(), LEFT_HALF, mosaic(seed=9)]

    answers = race(4, lambda: status(send(client, order, bodies.pop())))

    assert set(answers) <= {200, 201}
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}


def test_failure_while_storing_settles_nothing(
    client: TestClient, order: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("The server was killed.")

    monkeypatch.setattr(many_patches, "advance", fail)
    assert send(client, order, mosaic()).status_code == 500
    assert (rows(database, "delivery"), rows(database, "delivered_file")) == (0, 0)

    monkeypatch.undo()
    assert outcomes(send(client, order, mosaic())) == dict.fromkeys(BOUGHT, "settled")


def test_file_holds_no_connection_while_it_is_decoded(
    client: TestClient, order: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watch(body: bytes, limits: Limits) -> Raster:
        seen.append(waiting_connections(database))
        return read_geotiff(body, limits)

    monkeypatch.setattr(decoding, "read_geotiff", watch)

    assert send(client, order, mosaic()).status_code == 201
    assert seen == [0]


def test_file_above_the_limit_is_refused_while_it_arrives(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"delivery_limit": 1_000}))

    def chunks() -> Iterator[bytes]:
        yield from (b"II*\0" + bytes(600), bytes(600))

    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        path = f"/v1/orders/{uuid4()}/deliveries"
        streamed = client.put(path, content=chunks(), headers=TIFF)
        declared = client.put(path, content=bytes(1_001), headers=TIFF)

    assert code(streamed) == code(declared) == (413, "body-too-large")
    assert spooled(settings) == []
