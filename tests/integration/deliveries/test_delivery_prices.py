"""Deliveries at another price than planned: within the hold, above it, and the release at completion."""

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key
from service.access.tables import Workspace
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import rows
from tests.support.ordering import TIFF, Json, code, open_budget, place, race, status, usage
from tests.support.orders import BOUGHT, Planned, make_patch, make_plan

# The plan costs 10.00; its three patches' shares are 3.33, 3.33 and 3.34.


@pytest.fixture
def budget(client: TestClient) -> str:
    return open_budget(client, "20.00")


def deliver(client: TestClient, order: str, index: int, headers: Json | None = None, **query: Any) -> Any:
    """Deliver the order's patch `index` with query parameters, such as its price."""
    tile, patch = BOUGHT[index]
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    return client.put(path, content=make_patch(tile, patch), headers=TIFF | (headers or {}), params=query)


def amounts(client: TestClient, order: str) -> dict[str, str]:
    shown = client.get(f"/v1/orders/{order}").json()["amounts"]
    return {name: shown[name]["amount"] for name in ("total", "held", "settled", "released")}


def test_lower_price_is_settled_and_the_difference_stays_held(
    client: TestClient, order: str, budget: str
) -> None:
    receipt = deliver(client, order, 0, price="1.33")

    assert (receipt.status_code, receipt.json()["settled"]["amount"]) == (201, "1.33")
    assert amounts(client, order) == {
        "total": "10.00", "held": "8.67", "settled": "1.33", "released": "0.00",
    }  # fmt: skip
    assert usage(client, budget) == {"held": "8.67", "spent": "1.33", "available": "10.00"}


@pytest.mark.parametrize("prices", [("1.00", None, None), (None, None, "0.00"), ("0.01", "0.02", "0.03")])
def test_complete_order_releases_the_difference_to_its_planned_cost(
    client: TestClient, order: str, budget: str, prices: tuple[str | None, ...]
) -> None:
    shares = ("3.33", "3.33", "3.34")
    for index, price in enumerate(prices):
        query: Json = {} if price is None else {"price": price}
        assert deliver(client, order, index, **query).status_code == 201

    paid = sum(round(100 * float(price or share)) for price, share in zip(prices, shares, strict=True))
    shown = client.get(f"/v1/orders/{order}").json()
    assert shown["status"] == "completed"
    assert amounts(client, order) == {
        "total": "10.00", "held": "0.00",
        "settled": f"{paid / 100:.2f}", "released": f"{(1000 - paid) / 100:.2f}",
    }  # fmt: skip
    assert shown["amounts"]["net"]["amount"] == f"{paid / 100:.2f}"
    assert usage(client, budget)["held"] == "0.00"


def test_higher_price_uses_the_hold_beyond_the_other_shares(
    client: TestClient, order: str, budget: str
) -> None:
    deliver(client, order, 0, price="1.33")  # leaves 2.00 more than the two others' shares

    assert deliver(client, order, 1, price="5.33").status_code == 201
    assert deliver(client, order, 2).status_code == 201

    assert amounts(client, order) == {
        "total": "10.00", "held": "0.00", "settled": "10.00", "released": "0.00",
    }  # fmt: skip
    assert usage(client, budget) == {"held": "0.00", "spent": "10.00", "available": "10.00"}


def test_price_above_the_hold_is_refused_with_the_missing_amount(
    client: TestClient, order: str, database: Database
) -> None:
    deliver(client, order, 0, price="1.33")
    before = rows(database, "ledger.transfer")

    answer = deliver(client, order, 1, price="5.34")

    assert code(answer) == (409, "price-exceeds-hold")
    assert {name: answer.json()[name] for name in ("share", "price", "missing", "currency")} == {
        "share": "3.33", "price": "5.34", "missing": "0.01", "currency": "USD",
    }  # fmt: skip
    assert rows(database, "ledger.transfer") == before
    assert client.get(f"/v1/orders/{order}").json()["counts"]["delivered"] == 1


def test_accepted_price_is_held_by_an_entry_of_its_own(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    answer = deliver(client, order, 1, price="9.33", accept_price=True)

    assert answer.status_code == 201, answer.text
    with database.sessions() as session:
        query = text("SELECT kind, amount, reference FROM ledger.transfer ORDER BY seq DESC LIMIT 2")
        newest = [tuple(row) for row in session.execute(query)]
    place_of = "/".join(map(str, BOUGHT[1]))
    assert newest == [
        ("settle", 9_33, f"delivery:{order}/{place_of}"),
        ("reserve", 6_00, f"price:{order}/{place_of}"),
    ]
    assert amounts(client, order) == {
        "total": "16.00", "held": "6.67", "settled": "9.33", "released": "0.00",
    }  # fmt: skip
    for index in (0, 2):
        assert deliver(client, order, index).status_code == 201
    assert usage(client, budget) == {"held": "0.00", "spent": "16.00", "available": "4.00"}


def test_accepted_price_above_the_available_amount_is_refused(
    client: TestClient, order: str, database: Database
) -> None:
    before = rows(database, "ledger.transfer")

    answer = deliver(client, order, 0, price="13.34", accept_price=True)  # lacks 10.01 of 10.00

    assert code(answer) == (402, "budget-exceeded")
    assert (answer.json()["available"], answer.json()["required"]) == ("10.00", "10.01")
    assert rows(database, "ledger.transfer") == before


def test_free_order_can_settle_accepted_prices(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, budget: str
) -> None:
    with database.sessions.begin() as session:
        free = make_plan(session, workspace_id, settings.blobs, cost_minor=0)
    order = place(client, free).json()["id"]

    assert deliver(client, order, 0, price="1.00", accept_price=True).status_code == 201
    assert deliver(client, order, 1, price="2.00", accept_price=True).status_code == 201
    assert amounts(client, order)["settled"] == "3.00"
    assert usage(client, budget)["spent"] == "3.00"


def test_accepted_price_above_the_approval_amount_needs_another_key(
    client: TestClient, database: Database, workspace_id: UUID, plan: Planned
) -> None:
    open_budget(client, "50.00", approval_above={"amount": "12.00", "currency": "USD"})
    order = place(client, plan).json()["id"]
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "colleague")

    assert code(deliver(client, order, 0, price="6.00", accept_price=True)) == (403, "self-approval")
    assert amounts(client, order)["total"] == "10.00"
    theirs = {"Authorization": f"Bearer {key}"}
    assert deliver(client, order, 0, theirs, price="6.00", accept_price=True).status_code == 201
    assert amounts(client, order)["total"] == "12.67"


@pytest.mark.parametrize("price", ["-1", "1,50", "1.001", "", "nan", "1e3"])
def test_price_that_is_not_an_amount_of_the_currency_is_refused(
    client: TestClient, order: str, price: str
) -> None:
    assert deliver(client, order, 0, price=price).status_code == 422
    assert amounts(client, order)["settled"] == "0.00"


def test_repeated_delivery_at_another_price_is_refused(client: TestClient, order: str, budget: str) -> None:
    first = deliver(client, order, 0, price="1.33")

    again = deliver(client, order, 0, price="1.33")
    dearer = deliver(client, order, 0, price="1.34")

    assert (again.status_code, again.json()) == (200, first.json())
    assert code(dearer) == (409, "patch-already-delivered")
    assert dearer.json()["settled"] == "1.33"
    assert usage(client, budget)["spent"] == "1.33"


def test_racing_higher_prices_never_use_another_patchs_share(
    client: TestClient, order: str, budget: str
) -> None:
    """The hold has 2.00 to spare, and two deliveries need them."""
    deliver(client, order, 0, price="1.33")
    waiting = [1, 2]

    answers = race(2, lambda: status(deliver(client, order, waiting.pop(), price="5.33")))

    assert sorted(answers) == [201, 409]
    assert usage(client, budget)["available"] == "10.00"
