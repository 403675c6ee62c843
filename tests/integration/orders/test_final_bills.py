"""An order that ends early settles the provider's bill for what came."""

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.expiry import expire_orders
from tests.support.ordering import (
    Json,
    buy,
    deliver,
    let_time_pass,
    movements,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    usage,
)


@pytest.fixture
def budget(client: TestClient) -> str:
    """Open a budget, and publish prices under which four patches cost like one: 1,000.00 USD."""
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    return open_budget(client, "5000.00")


def amounts(document: Json, *names: str) -> list[str]:
    return [document[name]["amount"] for name in names]


@pytest.fixture
def order(client: TestClient, budget: str) -> str:  # noqa: ARG001  (it pays)
    """Return an order of 1,000.00 USD under a minimum, of which one patch came."""
    return buy(client, plan_scene(client), patches=1)


def test_preview_states_bill_and_settled_amount_and_changes_nothing(
    client: TestClient, order: str, budget: str
) -> None:
    before = client.get(f"/v1/orders/{order}").json(), usage(client, budget)

    shown = client.get(f"/v1/orders/{order}/cancel").json()

    assert amounts(shown, "billed", "settled", "difference", "released") == [
        "1000.00", before[0]["amounts"]["settled"]["amount"], before[0]["amounts"]["held"]["amount"], "0.00",
    ]  # fmt: skip
    assert "The provider's bill for them is 1000.00 USD" in shown["detail"]
    assert (client.get(f"/v1/orders/{order}").json(), usage(client, budget)) == before


def test_cancelling_settles_the_bill_under_a_minimum(client: TestClient, order: str, budget: str) -> None:
    settled = client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"]
    preview = client.get(f"/v1/orders/{order}/cancel").json()

    cancelled = client.post(f"/v1/orders/{order}/cancel").json()

    assert cancelled["amounts"]["settled"]["amount"] == "1000.00"
    assert cancelled["final_bill"] == {
        "patches": 1, "billed": preview["billed"], "difference": preview["difference"], "basis": "terms",
    }  # fmt: skip
    assert float(settled) + float(cancelled["final_bill"]["difference"]["amount"]) == 1000
    assert usage(client, budget) == {"held": "0.00", "spent": "1000.00", "available": "4000.00"}


def test_expiry_settles_the_bill_under_a_minimum(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    let_time_pass(database, order)
    assert expire_orders(database) == 1

    assert client.get(f"/v1/orders/{order}").json()["final_bill"]["billed"]["amount"] == "1000.00"
    assert usage(client, budget)["spent"] == "1000.00"
    kind, _, word = movements(database)[-1]
    assert (kind, word) == ("settle", "bill")


def test_ending_settles_nothing_more_where_bills_are_linear(client: TestClient, database: Database) -> None:
    publish_prices(client)
    open_budget(client)
    order = buy(client, plan_scene(client), patches=1)

    cancelled = client.post(f"/v1/orders/{order}/cancel").json()

    assert cancelled["final_bill"]["difference"]["amount"] == "0.00"
    assert "bill" not in {word for _, _, word in movements(database)}


def test_cancelling_before_a_delivery_bills_nothing(client: TestClient, budget: str) -> None:
    order = place(client, plan_scene(client)).json()["id"]
    preview = client.get(f"/v1/orders/{order}/cancel").json()

    cancelled = client.post(f"/v1/orders/{order}/cancel").json()

    assert amounts(preview, "billed", "difference", "released") == ["0.00", "0.00", "1000.00"]
    assert "final_bill" not in cancelled
    assert usage(client, budget)["spent"] == "0.00"


def test_prices_sent_with_files_are_the_bill(client: TestClient, budget: str) -> None:
    plan = plan_scene(client)
    order = place(client, plan).json()["id"]
    tile, patch = plan.bought[0]
    assert deliver(client, order, tile, patch, price="200.00").status_code == 201

    cancelled = client.post(f"/v1/orders/{order}/cancel").json()

    assert cancelled["final_bill"]["basis"] == "prices"
    assert amounts(cancelled["final_bill"], "billed", "difference") == ["200.00", "0.00"]
    assert usage(client, budget)["spent"] == "200.00"


@pytest.mark.parametrize(("patches", "word"), [(1, "cancelled"), (None, "completed")])
def test_preview_of_an_order_that_ended_changes_nothing(
    client: TestClient,
    budget: str,  # noqa: ARG001  (it pays)
    patches: int | None,
    word: str,
) -> None:
    order = buy(client, plan_scene(client), patches=patches)
    if patches:
        client.post(f"/v1/orders/{order}/cancel")

    shown = client.get(f"/v1/orders/{order}/cancel").json()

    assert amounts(shown, "billed", "settled", "difference", "released") == [
        "1000.00", "1000.00", "0.00", "0.00",
    ]  # fmt: skip
    assert (shown["awaited"], shown["detail"]) == (0, f"The order is {word}; nothing is left to cancel.")
