"""Redelivery: a newer file of a delivered patch is used, every file is kept, and the patch is paid once."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from service.blobs import get
from service.database.engine import Database
from tests.support.databases import rows
from tests.support.ordering import TIFF, code, deliver, let_time_pass, race, status, usage
from tests.support.orders import BOUGHT, make_patch

FIRST, SECOND = make_patch(0, 6), make_patch(0, 6, seed=99)


def newest(client: TestClient, order: str) -> Any:
    return client.get(f"/v1/orders/{order}").json()["patches"]["delivered"][0]


def test_other_file_supersedes_the_first_and_costs_nothing(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    first = deliver(client, order, 0, 6, FIRST).json()
    transfers = rows(database, "ledger.transfer")

    answer = deliver(client, order, 0, 6, SECOND)
    receipt = answer.json()

    assert answer.status_code == 201
    assert (first["version"], receipt["version"]) == (1, 2)
    assert "supersedes" not in first
    assert receipt["supersedes"] == {"version": 1, "sha256": hashlib.sha256(FIRST).hexdigest()}
    assert receipt["settled"] == first["settled"]
    assert rows(database, "ledger.transfer") == transfers
    assert usage(client, budget)["spent"] == "3.33"
    assert (newest(client, order)["version"], newest(client, order)["sha256"]) == (2, receipt["sha256"])


def test_every_version_can_be_downloaded(client: TestClient, order: str, own_blobs: Path) -> None:
    for body in (FIRST, SECOND):
        deliver(client, order, 0, 6, body)
    path = f"/v1/orders/{order}/tiles/0/patches/6"

    assert client.get(path).content == SECOND
    assert client.get(path, params={"version": 1}).content == FIRST
    assert client.get(path, params={"version": 2}).content == SECOND
    assert code(client.get(path, params={"version": 3})) == (404, "not-found")
    assert get(own_blobs, hashlib.sha256(FIRST).hexdigest()) == FIRST


@pytest.mark.parametrize("body", [FIRST, SECOND], ids=["superseded file", "newest file"])
def test_same_bytes_again_change_nothing(
    client: TestClient, order: str, database: Database, body: bytes
) -> None:
    receipts = {one: deliver(client, order, 0, 6, one).json() for one in (FIRST, SECOND)}
    files = rows(database, "delivered_file")

    answer = deliver(client, order, 0, 6, body)

    assert (answer.status_code, answer.json()) == (200, receipts[body])
    assert rows(database, "delivered_file") == files
    assert newest(client, order)["sha256"] == hashlib.sha256(SECOND).hexdigest()


def test_redelivery_at_another_price_is_refused(client: TestClient, order: str, database: Database) -> None:
    deliver(client, order, 0, 6, FIRST)
    path = f"/v1/orders/{order}/tiles/0/patches/6"
    files = rows(database, "delivered_file")

    answer = client.put(path, content=SECOND, headers=TIFF, params={"price": "3.32"})

    assert code(answer) == (409, "patch-already-delivered")
    assert rows(database, "delivered_file") == files
    assert client.put(path, content=SECOND, headers=TIFF, params={"price": "3.33"}).status_code == 201


def test_redelivery_is_checked_like_a_delivery(client: TestClient, order: str, database: Database) -> None:
    deliver(client, order, 0, 6, FIRST)
    files = rows(database, "delivered_file")

    assert code(deliver(client, order, 0, 6, make_patch(0, 7))) == (409, "patch-misplaced")
    assert rows(database, "delivered_file") == files


def test_patch_of_a_complete_order_can_be_delivered_again(client: TestClient, order: str) -> None:
    for tile, patch in BOUGHT:
        deliver(client, order, tile, patch)
    steps = client.get(f"/v1/orders/{order}/statuses").json()

    assert deliver(client, order, 0, 6, SECOND).status_code == 201
    assert client.get(f"/v1/orders/{order}/statuses").json() == steps


def test_refunded_patch_can_be_delivered_again_and_stays_refunded(
    client: TestClient, order: str, budget: str
) -> None:
    deliver(client, order, 0, 6, FIRST)
    refund = {
        "order": order, "kind": "refund", "tile": 0, "patch": 6, "reason": "The file was faulty.",
        "amount": {"amount": "3.33", "currency": "USD"},
    }  # fmt: skip
    posted = client.post("/v1/ledger/adjustments", json=refund, headers={"Idempotency-Key": str(uuid4())})
    assert posted.status_code == 201, posted.text

    receipt = deliver(client, order, 0, 6, SECOND)

    assert (receipt.status_code, receipt.json()["settled"]["amount"]) == (201, "3.33")
    assert usage(client, budget)["spent"] == "0.00"


@pytest.mark.parametrize("ended", ["cancelled", "expired"])
def test_only_delivered_patches_of_an_ended_order_can_be_delivered_again(
    client: TestClient, order: str, database: Database, ended: str
) -> None:
    deliver(client, order, 0, 6, FIRST)
    if ended == "cancelled":
        client.post(f"/v1/orders/{order}/cancel")
    else:
        let_time_pass(database, order)

    assert deliver(client, order, 0, 6, SECOND).status_code == 201
    assert code(deliver(client, order, 0, 0)) == (409, f"order-{ended}")


def test_racing_redeliveries_are_all_kept_and_paid_once(client: TestClient, order: str, budget: str) -> None:
    bodies = [make_patch(0, 0, seed=seed) for seed in range(4)]

    answers = race(4, lambda: status(deliver(client, order, 0, 0, bodies.pop())))

    assert answers == [201] * 4
    assert newest(client, order)["version"] == 4
    assert usage(client, budget)["spent"] == "3.33"
