"""Price lists over HTTP: immutable, versioned, a workspace's own."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.pricing import repository
from service.pricing.examples import EXAMPLES as SHIPPED
from service.pricing.schemas import PriceListIn

EXAMPLES = set(SHIPPED)
TIER = [{"above_km2": "100", "price_per_km2": "17"}]


def make_terms(**overrides: Any) -> dict[str, Any]:
    terms = {
        "name": "acme",
        "provider": "Acme",
        "product": "30 cm archive",
        "gsd_m": "0.3",
        "currency": "EUR",
        "price_per_km2": "19.50",
        "minimum_km2": "2",
        "source": "contract 2026-117",
        "captured_at": "2026-11-02",
    }
    return terms | overrides


def publish(client: TestClient, **overrides: Any) -> dict[str, Any]:
    answer = client.post("/v1/price-lists", json=make_terms(**overrides))
    assert answer.status_code == 201, answer.text
    published: dict[str, Any] = answer.json()
    return published


def test_fresh_workspace_has_dated_examples_marked_as_not_offers(client: TestClient) -> None:
    items = client.get("/v1/price-lists").json()["items"]
    assert {item["name"] for item in items} == EXAMPLES
    for item in items:
        assert (item["example"], item["version"], item["captured_at"]) == (True, 1, "2026-11-22")
        assert "not an offer" in item["notice"]
        assert item["source"]


def test_examples_are_added_once(client: TestClient) -> None:
    first = client.get("/v1/price-lists").json()["items"]
    assert client.get("/v1/price-lists").json()["items"] == first


def test_publish_answers_with_the_stored_price_list(client: TestClient) -> None:
    published = publish(client)
    assert published | {"id": "", "created_at": "", "links": []} == make_terms() | {
        "id": "",
        "version": 1,
        "mode": "archive",
        "price_per_km2": "19.5",
        "price_per_scene": None,
        "tiers": [],
        "minimum_applies_to": "order",
        "minimum_charge": "0",
        "areas_summed": True,
        "minimum_width_m": "0",
        "convex": False,
        "max_vertices": None,
        "holes": True,
        "max_parts": None,
        "minimum_part_km2": None,
        "maximum_part_km2": None,
        "cloud_guarantee_percent": None,
        "licence": None,
        "delivery_bands": None,
        "valid_from": None,
        "valid_to": None,
        "example": False,
        "notice": None,
        "created_at": "",
        "links": [],
    }
    assert client.get(f"/v1/price-lists/{published['id']}").json() == published


EVERYTHING: dict[str, Any] = {
    "mode": "tasking",
    "price_per_km2": "19.5",
    "tiers": [
        {"above_km2": "100", "price_per_km2": "17"},
        {"above_km2": "500.5", "price_per_km2": "15.25"},
    ],
    "minimum_km2": "25",
    "minimum_applies_to": "shape",
    "minimum_charge": "75",
    "areas_summed": False,
    "minimum_width_m": "2000",
    "convex": True,
    "max_vertices": 100,
    "holes": False,
    "max_parts": 200,
    "minimum_part_km2": "0.25",
    "maximum_part_km2": "1000",
    "cloud_guarantee_percent": "10",
    "licence": "single user",
    "delivery_bands": "3,2,1",
    "valid_from": "2026-01-01",
    "valid_to": "2026-12-31",
}


def test_publish_stores_every_rule_of_a_provider(client: TestClient) -> None:
    published = publish(client, **EVERYTHING)
    assert {name: published[name] for name in EVERYTHING} == EVERYTHING
    assert client.get(f"/v1/price-lists/{published['id']}").json() == published
    again = client.post("/v1/price-lists", json=make_terms(**EVERYTHING))
    assert (again.status_code, again.json()["version"]) == (200, 1)
    other = EVERYTHING | {"tiers": EVERYTHING["tiers"][:1]}
    assert publish(client, **other)["version"] == 2


def test_publish_accepts_a_price_per_scene_without_one_per_km2(client: TestClient) -> None:
    published = publish(client, price_per_km2=None, price_per_scene="113")
    assert (published["price_per_km2"], published["price_per_scene"]) == (None, "113")


def test_publish_of_other_terms_adds_a_version_and_keeps_the_old_one(
    client: TestClient,
) -> None:
    old = publish(client)
    new = publish(client, price_per_km2="21")
    assert (old["version"], new["version"]) == (1, 2)
    assert client.get(f"/v1/price-lists/{old['id']}").json() == old


def test_publish_of_the_same_terms_adds_no_version(client: TestClient) -> None:
    published = publish(client)
    again = client.post("/v1/price-lists", json=make_terms(price_per_km2="19.5"))
    assert (again.status_code, again.json()) == (200, published)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"price_per_km2": "0"}, "/body/price_per_km2"),
        ({"price_per_km2": "1.0000001"}, "/body/price_per_km2"),
        ({"price_per_km2": "NaN"}, "/body/price_per_km2"),
        ({"minimum_km2": "-1"}, "/body/minimum_km2"),
        ({"currency": "euro"}, "/body/currency"),
        ({"minimum_applies_to": "tile"}, "/body/minimum_applies_to"),
        ({"name": "Acme 30 cm"}, "/body/name"),
        ({"name": "example-mine"}, "/body/name"),
        ({"name": "123e4567-e89b-12d3-a456-426614174000"}, "/body/name"),
        ({"discount": "5"}, "/body/discount"),
        ({"provider": "  "}, "/body/provider"),
        ({"price_per_km2": None}, "/body"),
        ({"price_per_scene": "5"}, "/body"),
        ({"price_per_km2": None, "price_per_scene": "5", "tiers": TIER}, "/body"),
        ({"tiers": TIER * 2}, "/body/tiers"),
        ({"tiers": [TIER[0] | {"above_km2": "0"}]}, "/body/tiers/0/above_km2"),
        ({"max_vertices": 3}, "/body/max_vertices"),
        ({"max_parts": 0}, "/body/max_parts"),
        ({"minimum_part_km2": "2", "maximum_part_km2": "1"}, "/body"),
        ({"valid_from": "2026-02-01", "valid_to": "2026-01-31"}, "/body"),
        ({"mode": "rush"}, "/body/mode"),
    ],
)
def test_publish_rejects_invalid_terms_by_field(
    client: TestClient, wrong: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/v1/price-lists", json=make_terms(**wrong))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert {item["name"] for item in client.get("/v1/price-lists").json()["items"]} == EXAMPLES


def test_database_rejects_changes_of_a_published_price_list(client: TestClient, database: Database) -> None:
    publish(client)
    for statement in ("UPDATE price_list SET price_per_km2 = 1", "DELETE FROM price_list"):
        with pytest.raises(DBAPIError), database.sessions.begin() as session:
            session.execute(text(statement))


def test_price_lists_are_separate_per_workspace(client: TestClient, database: Database) -> None:
    published = publish(client)
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "other"), "test")
        repository.ensure_examples_everywhere(session)
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get(f"/v1/price-lists/{published['id']}", headers=headers).status_code == 404
    items = client.get("/v1/price-lists", headers=headers).json()["items"]
    assert {item["name"] for item in items} == EXAMPLES


def test_get_of_an_unknown_price_list_is_not_found(client: TestClient) -> None:
    answer = client.get(f"/v1/price-lists/{uuid4()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_price_lists_are_paged(client: TestClient) -> None:
    for price in range(1, 4):
        publish(client, price_per_km2=str(price))
    seen, path = [], "/v1/price-lists?limit=2"
    while path:
        page = client.get(path).json()
        assert len(page["items"]) <= 2
        seen += [(item["name"], item["version"]) for item in page["items"]]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen[:3] == [("acme", 3), ("acme", 2), ("acme", 1)]
    assert {name for name, _ in seen[3:]} == EXAMPLES
    assert len(seen) == 3 + len(EXAMPLES)


class TestNameOfAPriceList:
    def test_resolves_to_the_version_that_applies_today(
        self, client: TestClient, database: Database, workspace_id: UUID
    ) -> None:
        publish(client, price_per_km2="10")
        publish(client, price_per_km2="20", valid_from="2999-01-01", valid_to="2999-03-31")
        publish(client, price_per_km2="30", valid_to="2000-01-01")
        with database.sessions() as session:
            assert repository.resolve_price_list(session, workspace_id, "acme").version == 1

    def test_resolves_to_the_newest_of_those_that_apply(
        self, client: TestClient, database: Database, workspace_id: UUID
    ) -> None:
        publish(client, price_per_km2="10")
        publish(client, price_per_km2="20", valid_from="2000-01-01", valid_to="2999-03-31")
        with database.sessions() as session:
            assert repository.resolve_price_list(session, workspace_id, "acme").version == 2

    def test_is_refused_with_the_days_of_the_newest_if_none_applies(
        self, client: TestClient, database: Database, workspace_id: UUID
    ) -> None:
        publish(client, price_per_km2="10", valid_to="2000-01-01")
        publish(client, price_per_km2="20", valid_from="2999-01-01")
        with (
            database.sessions() as session,
            pytest.raises(repository.PriceListNotValidError, match="version 2 is valid from 2999-01-01"),
        ):
            repository.resolve_price_list(session, workspace_id, "acme")


def test_price_per_km2_in_digits_of_another_script_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/price-lists", json=make_terms(price_per_km2="\u0661\u0660"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/price_per_km2")


def test_concurrent_publishers_of_one_name_get_consecutive_versions(
    database: Database, workspace_id: UUID
) -> None:
    def publish_one(price: int) -> int:
        fields = PriceListIn(**make_terms(price_per_km2=str(price))).columns()
        with database.sessions.begin() as session:
            return repository.publish(session, workspace_id, fields)[0].version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish_one, range(1, 9)))
    assert sorted(versions) == list(range(1, 9))
