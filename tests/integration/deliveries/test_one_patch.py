"""Deliveries of patches: checked, stored and paid once, in any order."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.blobs import get
from service.database.engine import Database
from service.deliveries import decoding
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from service.ledger.book import allocate
from service.settings import Settings
from tests.support.money import cents
from tests.support.ordering import TIFF, code, deliver, place, race, status, usage, waiting_connections
from tests.support.orders import BOUGHT, make_patch, make_plan

SNAPSHOT = """
    SELECT (SELECT count(*) FROM delivery), (SELECT count(*) FROM delivered_file),
        (SELECT count(*) FROM ledger.transfer),
        (SELECT count(*) FROM order_status_change), (SELECT string_agg(status, ',') FROM "order")
"""


def written(database: Database) -> tuple[Any, ...]:
    """Return the row counts and statuses of the tables that a delivery writes."""
    with database.sessions() as session:
        return tuple(session.execute(text(SNAPSHOT)).one())


def test_delivery_is_stored_and_paid(client: TestClient, order: str, budget: str, own_blobs: Path) -> None:
    body = make_patch(0, 6)
    answer = deliver(client, order, 0, 6, body)
    receipt = answer.json()

    assert answer.status_code == 201
    assert receipt["sha256"] == hashlib.sha256(body).hexdigest()
    assert receipt["settled"] == {"amount": "3.33", "currency": "USD"}
    assert {name: receipt["checks"][name] for name in ("covers_patch", "crs", "width_px", "patch_px")} == {
        "covers_patch": True, "crs": "EPSG:32632", "width_px": 8, "patch_px": 8,
    }  # fmt: skip
    assert get(own_blobs, receipt["sha256"]) == body
    assert usage(client, budget) == {"held": "6.67", "spent": "3.33", "available": "90.00"}


def test_repeated_delivery_gives_the_same_receipt_and_is_paid_once(
    client: TestClient, order: str, database: Database
) -> None:
    first = deliver(client, order, 0, 6)
    before = written(database)
    second = deliver(client, order, 0, 6)

    assert (second.status_code, second.json()) == (200, first.json())
    assert written(database) == before


@pytest.mark.parametrize(
    ("place_of", "body", "expected"),
    [
        pytest.param((0, 1), make_patch(0, 1), (409, "patch-not-ordered"), id="not bought"),
        pytest.param((6, 0), make_patch(0, 0), (409, "patch-not-ordered"), id="beyond the scene"),
        pytest.param((-1, 15), make_patch(0, 0), (409, "patch-not-ordered"), id="negative tile"),
        pytest.param((0, 16), make_patch(0, 0), (409, "patch-not-ordered"), id="seventeenth patch"),
        pytest.param((0, 0), make_patch(0, 6), (409, "patch-misplaced"), id="another patch of the plan"),
        pytest.param((0, 0), make_patch(0, 0, east_m=10), (409, "patch-misplaced"), id="half a patch east"),
        pytest.param((0, 0), b"not a tiff at all", (415, "not-a-geotiff"), id="not a TIFF"),
        pytest.param((0, 0), b"", (422, "damaged-tiff"), id="empty"),
        pytest.param((0, 0), make_patch(0, 0)[:-200], (422, "damaged-tiff"), id="cut short"),
    ],
)
def test_refused_delivery_leaves_no_trace(
    client: TestClient,
    order: str,
    database: Database,
    place_of: tuple[int, int],
    body: bytes,
    expected: tuple[int, str],
) -> None:
    before = written(database)

    assert code(deliver(client, order, *place_of, body)) == expected
    assert written(database) == before


def test_misplaced_delivery_is_refused_with_its_offset(client: TestClient, order: str) -> None:
    problem = deliver(client, order, 0, 0, make_patch(0, 0, east_m=40)).json()

    # The patch lies 40 m west of where the file is.
    assert problem["offset_m"]["dx"] == pytest.approx(-40, abs=0.2)
    assert problem["offset_m"]["dy"] == pytest.approx(0, abs=0.2)


def test_larger_file_can_be_delivered_for_each_patch_it_covers(
    client: TestClient, order: str, database: Database
) -> None:
    wide = make_patch(0, 0, margin_px=32)
    answers = [deliver(client, order, 0, 0, wide), deliver(client, order, 0, 6, wide)]

    assert [status(answer) for answer in answers] == [201, 201]
    with database.sessions() as session:
        pixels = session.execute(text("SELECT DISTINCT pixels FROM delivered_file")).all()
    assert len(pixels) == 2


def test_delivery_of_another_orders_patch_is_refused(
    client: TestClient, order: str, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    with database.sessions.begin() as session:
        other = make_plan(session, workspace_id, settings.blobs, bought=((1, 3),), seed=5)
    other_order = place(client, other).json()["id"]
    before = written(database)

    assert code(deliver(client, order, 1, 3)) == (409, "patch-not-ordered")
    assert code(deliver(client, other_order, 0, 0)) == (409, "patch-not-ordered")
    assert written(database) == before


def test_delivery_against_a_cancelled_order_is_refused(
    client: TestClient, order: str, database: Database
) -> None:
    client.post(f"/v1/orders/{order}/cancel")
    before = written(database)

    assert code(deliver(client, order, 0, 0)) == (409, "order-cancelled")
    assert written(database) == before


@pytest.mark.parametrize(
    "media_type", ["image/png", "multipart/form-data; boundary=x", "application/json", None]
)
def test_delivery_of_another_media_type_is_refused(
    client: TestClient, order: str, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = client.put(f"/v1/orders/{order}/tiles/0/patches/0", content=make_patch(0, 0), headers=headers)

    assert code(answer) == (415, "unsupported-media-type")


@pytest.mark.parametrize("media_type", ["image/tiff; application=geotiff", "application/octet-stream"])
def test_delivery_accepts_both_media_types(client: TestClient, order: str, media_type: str) -> None:
    path = f"/v1/orders/{order}/tiles/0/patches/0"

    assert client.put(path, content=make_patch(0, 0), headers={"Content-Type": media_type}).status_code == 201


def test_racing_deliveries_of_one_patch_are_paid_once(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    answers = race(8, lambda: status(deliver(client, order, 0, 0)))

    assert sorted(answers) == [200] * 7 + [201]
    assert usage(client, budget)["spent"] == "3.33"
    assert written(database)[0] == 1


def test_racing_deliveries_of_all_patches_complete_the_order_once(
    client: TestClient, order: str, budget: str
) -> None:
    waiting = list(BOUGHT)

    answers = race(3, lambda: status(deliver(client, order, *waiting.pop())))

    found = client.get(f"/v1/orders/{order}").json()
    assert answers == [201] * 3
    assert [step["status"] for step in found["statuses"]] == ["accepted", "processing", "completed"]
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}


def test_cancellation_racing_deliveries_spends_or_releases_every_cent(
    client: TestClient, order: str, budget: str
) -> None:
    waiting = list(BOUGHT)

    def run() -> int:
        if waiting:
            return status(deliver(client, order, *waiting.pop()))
        return status(client.post(f"/v1/orders/{order}/cancel"))

    race(4, run)

    amounts = {name: float(amount) for name, amount in usage(client, budget).items()}
    assert amounts["held"] == 0
    assert amounts["spent"] + amounts["available"] == pytest.approx(100)


@pytest.mark.parametrize("delivery_order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_share_of_a_patch_does_not_depend_on_the_delivery_order(
    client: TestClient, order: str, delivery_order: tuple[int, ...]
) -> None:
    for index in delivery_order:
        deliver(client, order, *BOUGHT[index])

    delivered = client.get(f"/v1/orders/{order}").json()["patches"]["delivered"]
    assert [(one["tile"], one["patch"]) for one in delivered] == list(BOUGHT)
    shares = [round(100 * float(one["settled"]["amount"])) for one in delivered]
    assert shares == [allocate(cents(10_00), 3, rank).minor for rank in range(3)]


def test_payment_entry_names_its_delivery(client: TestClient, order: str, database: Database) -> None:
    for tile, patch in BOUGHT:
        deliver(client, order, tile, patch)

    with database.sessions() as session:
        query = text("SELECT reference FROM ledger.transfer WHERE kind = 'settle' ORDER BY seq")
        references = session.scalars(query).all()
    assert references == [f"delivery:{order}/{tile}/{patch}" for tile, patch in BOUGHT]


def test_delivery_holds_no_connection_while_its_file_is_decoded(
    client: TestClient, order: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watch(body: bytes, limits: Limits) -> Raster:
        seen.append(waiting_connections(database))
        return read_geotiff(body, limits)

    monkeypatch.setattr(decoding, "read_geotiff", watch)

    assert deliver(client, order, 0, 0).status_code == 201
    assert seen == [0]


def test_delivery_with_an_unknown_key_is_refused(client: TestClient, order: str) -> None:
    answer = client.put(
        f"/v1/orders/{order}/tiles/0/patches/0",
        content=make_patch(0, 0),
        headers=TIFF | {"Authorization": "Bearer nobody-knows-this-key"},
    )

    assert code(answer) == (401, "unauthenticated")
