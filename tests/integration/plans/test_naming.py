"""Names, tags and external ids of plans and orders: given, kept, found, changed, and no part of a proof."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.ledger.repository import violations
from tests.support.ordering import Json, code, open_budget, place, plan_scene, publish_prices
from tests.support.orders import Planned
from tests.support.planning import plan, send

NAMES: Json = {"name": "Harbours, May", "external_id": "GIS-2041", "tag": ["team=north", "site=a=b"]}


@pytest.fixture
def named(client: TestClient) -> Planned:
    publish_prices(client)
    open_budget(client)
    return plan_scene(client, **NAMES)


def shown(client: TestClient, path: str) -> tuple[Any, Any, Any]:
    found = client.get(path).json()
    return found.get("name"), found.get("external_id"), found["tags"]


def ids(client: TestClient, path: str, **query: str) -> list[UUID]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [UUID(one["id"]) for one in answer.json()["items"]]


def test_plan_keeps_its_names_and_gives_them_to_replans_and_orders(
    client: TestClient, named: Planned
) -> None:
    expected = ("Harbours, May", "GIS-2041", {"team": "north", "site": "a=b"})
    assert shown(client, f"/v1/plans/{named.id}") == expected
    again = client.post(f"/v1/plans/{named.id}/replan", json={"max_patches": 2}).json()
    assert shown(client, f"/v1/plans/{again['id']}") == expected

    newer = Planned(id=UUID(again["id"]), bought=())
    order = place(client, newer, tags={"team": "south"}, name="First order").json()["id"]
    assert shown(client, f"/v1/orders/{order}") == (
        "First order", "GIS-2041", {"team": "south", "site": "a=b"},
    )  # fmt: skip


def test_lists_find_plans_and_orders_by_their_names(client: TestClient, named: Planned) -> None:
    other = plan_scene(client, max_patches=1, reuse="none")
    order = UUID(place(client, named).json()["id"])
    place(client, other)

    assert len(ids(client, "/v1/plans")) == len(ids(client, "/v1/orders")) == 2
    for query in (
        {"name": "Harbours, May"}, {"external_id": "GIS-2041"}, {"tag": "team=north"}, {"q": "harbours"},
        {"q": "gis-20"}, {"q": "north"},
    ):  # fmt: skip
        assert ids(client, "/v1/plans", **query) == [named.id]
        assert ids(client, "/v1/orders", **query) == [order]
    assert ids(client, "/v1/plans", q=str(other.id)[:13]) == [other.id]
    for query in ({"name": "Harbours"}, {"tag": "team=south"}, {"external_id": "gis-2041"}, {"q": "100%"}):
        assert ids(client, "/v1/plans", **query) == ids(client, "/v1/orders", **query) == []


def test_names_change_beside_the_proofs(client: TestClient, named: Planned, database: Database) -> None:
    order = place(client, named).json()["id"]
    tags = {"team": None, "site": "c", "year": "2026"}
    changed = client.patch(f"/v1/plans/{named.id}", json={"external_id": None, "tags": tags})
    assert changed.status_code == 200, changed.text
    assert shown(client, f"/v1/plans/{named.id}") == ("Harbours, May", None, {"site": "c", "year": "2026"})
    renamed = client.patch(f"/v1/orders/{order}", json={"name": "Renamed"})
    assert renamed.status_code == 200, renamed.text
    assert shown(client, f"/v1/orders/{order}") == (
        "Renamed", "GIS-2041", {"team": "north", "site": "a=b"},
    )  # fmt: skip
    assert client.patch(f"/v1/plans/{named.id}", json={"tags": None}).json()["tags"] == {}
    with database.sessions() as session:
        assert violations(session) == []


def test_plan_without_names_can_get_some(client: TestClient) -> None:
    made = plan(client)
    assert (made["name"], made["external_id"], made["tags"]) == (None, None, {})
    path = f"/v1/plans/{made['id']}"
    first = client.get(path)
    assert client.patch(path, json={"name": "Later"}).json()["name"] == "Later"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.json()["name"]) == (200, "Later")


@pytest.mark.parametrize(
    "names",
    [
        {"name": ""}, {"name": " x"}, {"name": "a\nb"}, {"name": "x" * 201}, {"external_id": "\u200bx"},
        {"tag": "team"}, {"tag": "=x"}, {"tag": "a="}, {"tag": ["a=1", "b"]}, {"tag": "a= b"},
    ],
)  # fmt: skip
def test_names_that_nobody_could_read_are_refused(client: TestClient, names: dict[str, Any]) -> None:
    assert code(send(client, **names)) == (422, "invalid-request")


@pytest.mark.parametrize("body", [{"name": 3}, {"tags": {"a=b": "c"}}, {"tags": {"a": ""}}, {"cost": "1.00"}])
def test_change_that_is_no_name_is_refused(client: TestClient, body: Json) -> None:
    path = f"/v1/plans/{plan(client)['id']}"
    assert client.patch(path, json=body).status_code == 422
    many = {f"tag {number}": "x" for number in range(50)}
    assert client.patch(path, json={"tags": many}).status_code == 200
    assert client.patch(path, json={"tags": {"one more": "x"}}).status_code == 422
