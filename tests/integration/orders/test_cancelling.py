"""Cancellation: the released and the settled money, and a second order of the plan."""

from fastapi.testclient import TestClient

from tests.support.ordering import code, deliver, place, usage
from tests.support.orders import BOUGHT, Planned


def test_cancelling_releases_the_money_of_undelivered_patches(
    client: TestClient, plan: Planned, budget: str
) -> None:
    order = place(client, plan).json()["id"]
    settled = deliver(client, order, *BOUGHT[0]).json()["settled"]["amount"]

    cancelled = client.post(f"/v1/orders/{order}/cancel").json()

    assert cancelled["status"] == "user_cancelled"
    assert {name: money["amount"] for name, money in cancelled["amounts"].items()} == {
        "total": "10.00", "held": "0.00", "settled": settled, "released": "6.67", "refunded": "0.00",
        "charged": "0.00", "net": settled,
    }  # fmt: skip
    assert settled == "3.33"
    assert cancelled["patches"]["awaited"] == []
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "96.67"}


def test_cancelling_again_changes_nothing(client: TestClient, plan: Planned, budget: str) -> None:
    order = place(client, plan).json()["id"]
    first = client.post(f"/v1/orders/{order}/cancel")
    second = client.post(f"/v1/orders/{order}/cancel")

    assert (second.status_code, second.json()) == (200, first.json())
    assert usage(client, budget) == {"held": "0.00", "spent": "0.00", "available": "100.00"}


def test_cancelling_a_complete_order_is_refused(client: TestClient, plan: Planned, budget: str) -> None:
    order = place(client, plan).json()["id"]
    for tile, patch in BOUGHT:
        deliver(client, order, tile, patch)

    assert code(client.post(f"/v1/orders/{order}/cancel")) == (409, "order-completed")
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "90.00"}


def test_second_order_of_a_complete_one_is_refused_without_a_word_of_cancelling(
    client: TestClient, plan: Planned, budget: str
) -> None:
    first = place(client, plan).json()["id"]
    for tile, patch in BOUGHT:
        deliver(client, first, tile, patch)

    refused = place(client, plan)
    assert code(refused) == (409, "plan-already-ordered")
    assert refused.json()["detail"] == (
        f"Order {first} has bought this plan. Plan the scene again to buy more of it."
    )
    assert usage(client, budget)["held"] == "0.00"


def test_cancelling_lets_the_plan_be_ordered_again(client: TestClient, plan: Planned, budget: str) -> None:
    first = place(client, plan).json()

    refused = place(client, plan)
    assert code(refused) == (409, "plan-already-ordered")
    assert refused.json()["order"] == first["id"]

    client.post(f"/v1/orders/{first['id']}/cancel")
    assert place(client, plan).status_code == 201
    assert usage(client, budget)["held"] == "10.00"
