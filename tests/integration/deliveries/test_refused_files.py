"""Files for many patches that are refused: whole, or patch by patch; nothing of them is stored."""

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import HR_GSD_M, make_geotiff
from tests.support.databases import KEY, rows
from tests.support.mosaics import HEIGHT, WIDTH, archive, mosaic
from tests.support.ordering import TIFF, code, deliver, outcomes, send_file, spooled
from tests.support.orders import NORTH, WEST, make_detail


@pytest.mark.parametrize("value", [1, 128, 255])
def test_file_of_one_colour_delivers_no_patch_whatever_the_scene_looks_like(
    client: TestClient, order: str, database: Database, value: int
) -> None:
    pixels = np.full((3, HEIGHT, WIDTH), value, np.uint8)
    pixels[:, ::3] += 1 if value < 255 else 0  # as JPEG compression leaves it
    body = make_geotiff(pixels, west=WEST, north=NORTH, gsd_m=HR_GSD_M)

    answer = send_file(client, order, body)

    assert code(answer) == (409, "one-colour")
    assert answer.json()["patches"] == 3
    assert rows(database, "delivery") == 0
    assert send_file(client, order, body, accept_unlike="true").status_code == 201
    assert send_file(client, order, body).status_code == 200  # accepted once, it stays accepted


def test_file_far_from_the_order_is_refused_with_the_distance(
    client: TestClient, order: str, database: Database
) -> None:
    answer = send_file(client, order, make_geotiff(west=510_000.0))

    assert code(answer) == (409, "no-patch-covered")
    assert answer.json()["offset_m"]["dx"] == pytest.approx(-10_000, abs=100)
    assert rows(database, "delivery") == 0


def test_file_of_another_country_is_refused(client: TestClient, order: str) -> None:
    assert code(send_file(client, order, make_geotiff(crs="EPSG:32718"))) == (409, "no-patch-covered")


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

    assert code(send_file(client, order, body)) == expected
    assert (rows(database, "delivery"), spooled(settings)) == (0, [])
    assert len([one for one in settings.blobs.rglob("*") if one.name != "incoming"]) == blobs


def test_unlike_patches_are_refused_one_by_one_and_taken_with_the_override(
    client: TestClient, order: str
) -> None:
    with_hole = blackened(slice(0, 8), slice(0, 8))

    answer = send_file(client, order, with_hole)
    accepted = send_file(client, order, with_hole, accept_unlike=True)

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
    assert code(send_file(client, order, mosaic(), price="3.33")) == (422, "price-not-accepted")


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "multipart/form-data; boundary=x"])
def test_file_of_another_media_type_is_refused(client: TestClient, order: str, media_type: str) -> None:
    answer = send_file(client, order, mosaic(), {"Content-Type": media_type})

    assert code(answer) == (415, "unsupported-media-type")


def test_file_for_an_order_that_ended_without_a_delivery_is_refused(client: TestClient, order: str) -> None:
    client.post(f"/v1/orders/{order}/cancel")

    assert code(send_file(client, order, mosaic())) == (409, "order-cancelled")


def test_file_for_another_workspaces_order_is_not_found(
    client: TestClient, order: str, database: Database
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    before = rows(database, "delivered_file"), rows(database, "ledger.transfer")
    client.headers["Authorization"] = f"Bearer {stranger}"

    assert code(send_file(client, order, mosaic())) == (404, "not-found")
    assert code(deliver(client, order, 0, 0)) == (404, "not-found")
    assert (rows(database, "delivered_file"), rows(database, "ledger.transfer")) == before


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
