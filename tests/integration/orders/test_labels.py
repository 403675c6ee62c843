"""Tags and cost centres of orders: kept as evidence, filtered by, and refused when hostile."""

import csv
import io
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from tests.support.ordering import buy, code, open_budget, place, plan_scene, publish_prices

LABELS: dict[str, Any] = {"tags": {"team": "north", "run": "7"}, "cost_center": "4711"}


@pytest.fixture
def labelled(client: TestClient) -> tuple[str, str]:
    """Return an order with labels and one without, both paid by a budget with tags."""
    publish_prices(client)
    open_budget(client, tags={"team": "south", "year": "2026"})
    plan = plan_scene(client, max_patches=1, reuse="none")
    first = buy(client, plan, **LABELS)
    return first, buy(client, plan_scene(client, max_patches=1, reuse="none"))


def listed(client: TestClient, query: str) -> set[str]:
    answer = client.get(f"/v1/orders?{query}")
    assert answer.status_code == 200, answer.text
    return {one["id"] for one in answer.json()["items"]}


def test_order_shows_its_labels(client: TestClient, labelled: tuple[str, str]) -> None:
    first, second = (client.get(f"/v1/orders/{order}").json() for order in labelled)

    assert {"tags": first["tags"], "cost_center": first["cost_center"]} == LABELS
    assert (second["tags"], "cost_center" in second) == ({}, False)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag=team%3Dnorth", {0}), ("tag=team%3Dsouth", {1}), ("tag=run%3D7", {0}),
        ("tag=year%3D2026", {0, 1}), ("tag=year%3D2025", set()), ("cost_center=4711", {0}),
        ("cost_center=4712", set()), ("tag=year%3D2026&cost_center=4711", {0}), ("tag=team%3Dnor", set()),
    ],
)  # fmt: skip
def test_lists_and_reports_choose_by_labels(
    client: TestClient, labelled: tuple[str, str], query: str, found: set[int]
) -> None:
    expected = {labelled[number] for number in found}
    savings = client.get(f"/v1/reports/savings/orders?{query}").json()["items"]
    charges = client.get(f"/v1/reports/spend?{query}").json()["items"]

    assert listed(client, query) == expected
    assert {one["order"] for one in savings} == expected
    assert {one["Tags"]["order"] for one in charges} == expected


def test_exports_merge_tags_and_the_orders_win(client: TestClient, labelled: tuple[str, str]) -> None:
    first, second = labelled
    merged = {"team": "north", "run": "7", "year": "2026"}
    savings = {one["order"]: one for one in client.get("/v1/reports/savings/orders").json()["items"]}
    charges = {one["Tags"]["order"]: one for one in client.get("/v1/reports/spend").json()["items"]}
    rows = csv.DictReader(io.StringIO(client.get("/v1/reports/spend?format=csv").text))
    saved = csv.DictReader(io.StringIO(client.get("/v1/reports/savings?format=csv").text))

    assert (savings[first]["tags"], savings[first]["cost_center"]) == (merged, "4711")
    assert (savings[second]["tags"], savings[second]["cost_center"]) == (
        {"team": "south", "year": "2026"}, None,
    )  # fmt: skip
    assert charges[first]["Tags"].items() >= merged.items()
    assert charges[second]["Tags"].items() >= {"team": "south", "year": "2026"}.items()
    assert [row["x_CostCenter"] for row in rows] == ["", "4711"]
    assert [row["cost_center"] for row in saved] == ["4711", ""]


def test_a_tag_never_hides_the_order_of_a_charge(client: TestClient) -> None:
    publish_prices(client)
    open_budget(client, tags={"plan": "of the budget"})
    order = buy(client, plan_scene(client, max_patches=1), tags={"order": "of the client"})
    (charge,) = client.get("/v1/reports/spend").json()["items"]

    assert charge["Tags"]["order"] == order
    assert charge["Tags"]["plan"] == client.get(f"/v1/orders/{order}").json()["plan"]


@pytest.mark.parametrize(
    "labels",
    [
        {"tags": {"": "x"}}, {"tags": {"x": ""}}, {"tags": {"a\nb": "x"}}, {"tags": {"x": "a\x00b"}},
        {"tags": {"x": "\x7f"}}, {"tags": {"x": "\x9b2J"}}, {"tags": {"x": "left\u202eright"}},
        {"tags": {"x": "y" * 101}}, {"tags": {str(number): "x" for number in range(51)}},
        {"tags": {"x": None}}, {"tags": {"x": 1}}, {"tags": ["x"]}, {"cost_center": ""},
        {"cost_center": "a\tb"}, {"cost_center": "4" * 101}, {"cost_center": 4711}, {"cost_centre": "4711"},
    ],
)  # fmt: skip
@pytest.mark.usefixtures("budget")
def test_hostile_labels_are_refused(client: TestClient, plan: Any, labels: dict[str, Any]) -> None:
    assert code(place(client, plan, **labels))[0] == 422
    assert client.get("/v1/orders").json()["items"] == []


@pytest.mark.parametrize(
    "query", ["tag=team", "tag=%3Dnorth", "tag=team%3D", "tag=a%3D%00", "cost_center=%00", "provider=%00"]
)
def test_filters_refuse_what_no_label_can_be(client: TestClient, query: str) -> None:
    paths = ("reports/savings", "reports/spend") if "provider" in query else ("orders", "reports/spend")
    for path in paths:
        assert code(client.get(f"/v1/{path}?{query}"))[0] == 422


@pytest.mark.usefixtures("budget")
def test_labels_are_part_of_a_repeated_request(client: TestClient, plan: Any) -> None:
    first = place(client, plan, key="the same key", **LABELS)
    again = place(client, plan, key="the same key", **LABELS)
    other = place(client, plan, key="the same key", tags={"team": "south"})

    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert code(other) == (422, "idempotency-key-reused")


@pytest.mark.usefixtures("budget")
def test_labels_that_are_empty_or_left_out_are_the_same_request(client: TestClient, plan: Any) -> None:
    first = place(client, plan, key="the same key")
    empties: list[dict[str, Any]] = [{"tags": {}}, {"cost_center": None}, {"tags": {}, "cost_center": None}]
    for empty in empties:
        assert place(client, plan, key="the same key", **empty).json() == first.json()


@pytest.mark.parametrize(
    ("forgery", "rule"),
    [
        ("UPDATE \"order\" SET tags = '{}'", "C4"),
        ("UPDATE \"order\" SET cost_center = '1'", "C4"),
        ("UPDATE ledger.evidence SET form = 1 WHERE kind = 'order'", "I28"),
    ],
)
@pytest.mark.usefixtures("budget")
def test_audit_finds_changed_labels(
    client: TestClient, database: Database, plan: Any, forgery: str, rule: str
) -> None:
    assert place(client, plan, **LABELS).status_code == 201
    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert list(audit_ledger(session)) == []
        session.execute(text(forgery))

        assert rule in {one.rule.split()[0] for one in audit_ledger(session)}
        session.rollback()


def test_name_of_a_tag_that_no_query_could_choose_is_refused(client: TestClient) -> None:
    budget = open_budget(client)
    body = {"plan": str(UUID(int=1)), "tags": {"a=b": "c"}}
    ordered = client.post("/v1/orders", json=body, headers={"Idempotency-Key": "tags-with-equals"})
    for answer in (ordered, client.patch(f"/v1/budgets/{budget}", json={"tags": {"a=b": "c"}})):
        (fault,) = answer.json()["errors"]
        assert (answer.status_code, fault["code"]) == (422, "tag-name-invalid")
        assert fault["detail"].startswith('The name of a tag has no "="')


def test_labels_that_look_like_others_are_refused(client: TestClient) -> None:
    body = {"plan": str(UUID(int=1)), "tags": {"team ": "north", "run": " "}, "cost_center": "47\u200b11"}
    answer = client.post("/v1/orders", json=body, headers={"Idempotency-Key": "unseen-characters"})
    assert (answer.status_code, {one["code"] for one in answer.json()["errors"]}) == (422, {"text-invalid"})
    assert len(answer.json()["errors"]) == 3
    assert listed(client, "cost_center=%204711") == set()  # stored ones, if there are any, can be chosen
