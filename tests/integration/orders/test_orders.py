"""Orders over HTTP: their hold, their awaited patches, their lists and their visibility."""

from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.settings import Settings
from tests.support.ordering import code, deliver, place, usage
from tests.support.orders import BOUGHT, Planned, make_patch, make_plan


def test_order_holds_its_cost_and_lists_awaited_patches(
    client: TestClient, plan: Planned, budget: str
) -> None:
    answer = place(client, plan)
    order = answer.json()

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    assert order["status"] == "accepted"
    assert order["budget"] == budget
    assert {name: money["amount"] for name, money in order["amounts"].items()} == {
        "total": "10.00", "held": "10.00", "settled": "0.00", "released": "0.00", "refunded": "0.00",
        "charged": "0.00", "net": "0.00",
    }  # fmt: skip
    assert order["counts"] == {"bought": 3, "delivered": 0, "awaited": 3}
    assert [(one["tile"], one["patch"], one["row"], one["col"]) for one in order["patches"]["awaited"]] == [
        (0, 0, 0, 0),
        (0, 6, 2, 1),
        (4, 15, 3, 3),
    ]
    assert usage(client, budget) == {"held": "10.00", "spent": "0.00", "available": "90.00"}


@pytest.mark.usefixtures("budget")
def test_footprint_is_the_outline_of_the_patch(client: TestClient, plan: Planned) -> None:
    awaited = place(client, plan).json()["patches"]["awaited"]

    for one in awaited:
        ring = one["footprint"]["coordinates"][0]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
        # UTM zone 32 north, easting 500,000 m is 9 degrees east; 5,300,000 m north is near 47.85.
        assert all(8.99 < lon < 9.02 and 47.8 < lat < 47.9 for lon, lat in ring)
    first = min(lon for lon, _ in awaited[0]["footprint"]["coordinates"][0])
    assert first == pytest.approx(9.0, abs=1e-9)


@pytest.mark.usefixtures("budget")
def test_awaited_patches_can_be_delivered_to_their_upload_links(client: TestClient, plan: Planned) -> None:
    order = place(client, plan).json()
    for one in order["patches"]["awaited"]:
        body = make_patch(one["tile"], one["patch"])
        answer = client.put(one["upload"], content=body, headers={"Content-Type": "image/tiff"})
        assert answer.status_code == 201, answer.text

    order = client.get(f"/v1/orders/{order['id']}").json()
    assert (order["status"], order["patches"]["awaited"]) == ("completed", [])


def test_repeated_key_repeats_the_answer_and_holds_once(
    client: TestClient, plan: Planned, budget: str
) -> None:
    first = place(client, plan, key="the same key")
    second = place(client, plan, key="the same key")

    assert (second.status_code, second.json()) == (201, first.json())
    assert second.headers["idempotency-replayed"] == "true"
    assert usage(client, budget)["held"] == "10.00"


@pytest.mark.usefixtures("budget")
def test_order_without_an_idempotency_key_is_refused(client: TestClient, plan: Planned) -> None:
    answer = client.post("/v1/orders", json={"plan": str(plan.id)})

    assert code(answer) == (400, "idempotency-key-missing")


@pytest.mark.usefixtures("budget")
def test_order_with_another_requests_key_is_refused(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, plan: Planned
) -> None:
    place(client, plan, key="the same key")
    with database.sessions.begin() as session:
        other = make_plan(session, workspace_id, settings.blobs, seed=1)

    assert code(place(client, other, key="the same key")) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("field", ["plan", "budget"])
def test_order_of_an_unknown_plan_or_budget_is_not_found(
    client: TestClient, plan: Planned, budget: str, field: str
) -> None:
    body = {"plan": str(plan.id), "budget": budget} | {field: str(uuid4())}
    answer = client.post("/v1/orders", json=body, headers={"Idempotency-Key": str(uuid4())})

    assert code(answer) == (404, "not-found")


@pytest.mark.usefixtures("budget")
def test_order_of_a_plan_that_buys_nothing_is_refused(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    with database.sessions.begin() as session:
        nothing = make_plan(session, workspace_id, settings.blobs, bought=(), cost_minor=0)

    assert code(place(client, nothing)) == (409, "nothing-to-buy")


@pytest.mark.usefixtures("budget")
def test_statuses_list_every_step(client: TestClient, plan: Planned) -> None:
    order = place(client, plan).json()["id"]
    for tile, patch in BOUGHT:
        deliver(client, order, tile, patch)

    steps = client.get(f"/v1/orders/{order}").json()["statuses"]

    assert [(step["status"], step["reason_code"]) for step in steps] == [
        ("accepted", "hold_taken"),
        ("processing", "partial_delivery"),
        ("completed", "all_delivered"),
    ]


@pytest.mark.usefixtures("budget")
def test_list_of_orders_has_pages_newest_first(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings
) -> None:
    orders = []
    for seed in range(3):
        with database.sessions.begin() as session:
            plan = make_plan(session, workspace_id, settings.blobs, seed=seed)
        orders.append(place(client, plan).json()["id"])

    page = client.get("/v1/orders?limit=2").json()
    onward = next(link["href"] for link in page["links"] if link["rel"] == "next")
    rest = client.get(onward).json()

    listed = [one["id"] for one in page["items"] + rest["items"]]
    assert listed == orders[::-1]
    assert page["items"][0]["counts"] == {"bought": 3, "delivered": 0, "awaited": 3}
    assert "patches" not in page["items"][0]


@pytest.mark.usefixtures("budget")
def test_order_of_another_workspace_is_not_found(
    client: TestClient, database: Database, plan: Planned
) -> None:
    order = place(client, plan).json()["id"]
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    theirs = {"Authorization": f"Bearer {stranger}", "Content-Type": "image/tiff"}
    patch = f"/v1/orders/{order}/tiles/0/patches/0"

    answers = [
        client.get(f"/v1/orders/{order}", headers=theirs),
        client.post(f"/v1/orders/{order}/cancel", headers=theirs),
        client.put(patch, content=make_patch(0, 0), headers=theirs),
        client.post("/v1/orders", json={"plan": str(plan.id)}, headers=theirs | {
            "Idempotency-Key": "a stranger's", "Content-Type": "application/json"}),
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [404] * 4
    assert client.get("/v1/orders", headers=theirs).json()["items"] == []
    assert client.get(f"/v1/orders/{order}").json()["status"] == "accepted"


def test_hold_entry_names_its_order(
    client: TestClient, database: Database, plan: Planned, budget: str
) -> None:
    order = place(client, plan).json()["id"]

    with database.sessions() as session:
        rows = session.execute(text("SELECT kind, amount, reference FROM ledger.transfer ORDER BY seq")).all()
    assert [tuple(row) for row in rows] == [
        ("fund", 100_00, f"budget:{budget}"),
        ("reserve", 10_00, f"order:{order}"),
    ]
