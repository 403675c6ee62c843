"""An order's saving beside other ways to spend what was paid for it."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from tests.support.bundles import usd
from tests.support.ordering import Json, buy, open_budget, plan_scene, publish_prices

pytestmark = pytest.mark.usefixtures("spread_utilities")


def counterfactuals(client: TestClient, order: str) -> Json:
    answer = client.get(f"/v1/reports/savings/orders/{order}/alternatives")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def saving_of(client: TestClient, order: str) -> Json:
    found: Json = client.get(f"/v1/reports/savings/orders/{order}").json()
    return found


def patches(found: Json) -> dict[str, float]:
    return {one["way"]: one["patches"] for one in found["spending"]}


@pytest.fixture(autouse=True)
def money(client: TestClient) -> None:
    publish_prices(client)
    open_budget(client, "5000.00")


def test_a_complete_order_is_compared_by_what_was_paid(client: TestClient) -> None:
    """Six patches of 4.00 each; a charge of 8.00 pays for two central patches more."""
    order = buy(client, plan_scene(client, max_patches=6))
    found, saving = counterfactuals(client, order), saving_of(client, order)
    assert (found["order"], found["money"], found["money_is"]) == (order, saving["net"], "paid")
    assert found["realised"]["amount"] == saving["savings"]["realised"]["amount"]
    assert patches(found) == {"nothing": 0, "plan": 6, "central": 6, "random": 6, "everything": 96}
    body: Any = {"kind": "charge", "order": order, "reason": "handling", "amount": usd("8.05")}
    headers = {"Idempotency-Key": str(uuid4())}
    assert client.post("/v1/ledger/adjustments", json=body, headers=headers).status_code == 201
    dearer = counterfactuals(client, order)
    assert dearer["money"] == saving_of(client, order)["net"]
    assert patches(dearer) == {"nothing": 0, "plan": 6, "central": 8, "random": 8, "everything": 96}


def test_an_open_order_is_compared_by_its_plan(client: TestClient) -> None:
    plan = plan_scene(client, max_patches=6)
    order = buy(client, plan, patches=2)
    found = counterfactuals(client, order)
    assert (found["money_is"], found["realised"]) == ("planned", None)
    assert found["money"] == client.get(f"/v1/plans/{plan.id}").json()["cost"]
    assert found["spending"] == client.get(f"/v1/plans/{plan.id}/alternatives").json()["spending"]


def test_an_order_that_ended_early_is_compared_by_what_came(client: TestClient) -> None:
    order = buy(client, plan_scene(client, max_patches=6), patches=2)
    headers = {"Idempotency-Key": str(uuid4())}
    assert client.post(f"/v1/orders/{order}/cancel", headers=headers).status_code == 200
    publish_prices(client, "half", price_per_km2="5000")
    found = counterfactuals(client, order)
    assert (found["money"], found["money_is"]) == (saving_of(client, order)["net"], "paid")
    assert patches(found) == {"nothing": 0, "plan": 2, "central": 2, "random": 2, "everything": 96}
    (half,) = (one for one in found["price_lists"] if one["name"] == "half")
    assert float(half["bought"]["amount"]) == pytest.approx(float(found["money"]["amount"]) / 2, abs=0.01)
    assert found["cheapest"] == half["price_list"]


def test_price_lists_of_the_order_are_those_of_its_day(client: TestClient, database: Database) -> None:
    """A list that was published or became valid later was no alternative then."""
    publish_prices(client, "half", price_per_km2="5000")
    today = buy(client, plan_scene(client, max_patches=2))
    assert "half" in {one["name"] for one in counterfactuals(client, today)["price_lists"]}
    order = buy(client, plan_scene(client, max_patches=1))  # its figures are not kept yet
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE \"order\" SET created_at = created_at - interval '2 days' WHERE id = :id"),
            {"id": order},
        )
    names = {one["name"] for one in counterfactuals(client, order)["price_lists"]}
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE \"order\" SET created_at = created_at + interval '2 days' WHERE id = :id"),
            {"id": order},
        )
    assert "half" not in names


def test_the_saving_of_an_order_links_to_its_alternatives(client: TestClient) -> None:
    order = buy(client, plan_scene(client, max_patches=1))
    links = {one["rel"]: one["href"] for one in saving_of(client, order)["links"]}
    assert client.get(links["alternatives"]).json()["order"] == order


def test_alternatives_of_an_unknown_order_are_not_found(client: TestClient) -> None:
    assert client.get(f"/v1/reports/savings/orders/{uuid4()}/alternatives").status_code == 404
