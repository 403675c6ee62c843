"""Refunds and later charges: new entries with a reason, never more back than was paid."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.ordering import Json, code, deliver, open_budget, place, race, status, usage
from tests.support.orders import BOUGHT, Planned

# The plan costs 10.00 and its baseline is 32.00; its three patches' shares are 3.33, 3.33 and 3.34.


@pytest.fixture
def budget(client: TestClient) -> str:
    return open_budget(client, "20.00")


@pytest.fixture
def order(client: TestClient, plan: Planned, budget: str) -> str:  # noqa: ARG001  (it pays)
    """Complete an order that was paid 10.00 USD."""
    order = str(place(client, plan).json()["id"])
    for where in BOUGHT:
        deliver(client, order, *where)
    return order


def adjust(
    client: TestClient, order: str, kind: str, amount: str, *, key: str | None = None, **more: Any
) -> Any:
    money = {"amount": amount, "currency": "USD"}
    return send(client, {"kind": kind, "order": order, "amount": money, "reason": "a letter"} | more, key)


def send(client: TestClient, body: Json, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post("/v1/ledger/adjustments", json=body, headers=headers)


def transfers(database: Database) -> list[tuple[str, int, str]]:
    with database.sessions() as session:
        rows = session.execute(text("SELECT kind, amount, reference FROM ledger.transfer ORDER BY seq"))
        return [tuple(row) for row in rows]


def amounts(client: TestClient, order: str) -> dict[str, str]:
    shown = client.get(f"/v1/orders/{order}").json()["amounts"]
    return {name: shown[name]["amount"] for name in ("settled", "refunded", "charged", "net")}


def test_refund_of_an_order_becomes_available(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    answer = adjust(client, order, "refund", "4.00", reason="credit note 4711: cloud")

    assert answer.status_code == 201, answer.text
    assert {name: answer.json()[name] for name in ("number", "kind", "reason", "reference")} == {
        "number": 1, "kind": "refund", "reason": "credit note 4711: cloud", "reference": f"refund:{order}#1",
    }  # fmt: skip
    assert transfers(database)[-1] == ("refund", 4_00, f"refund:{order}#1")
    assert amounts(client, order) == {
        "settled": "10.00", "refunded": "4.00", "charged": "0.00", "net": "6.00",
    }  # fmt: skip
    assert usage(client, budget) == {"held": "0.00", "spent": "6.00", "available": "14.00"}


def test_refund_of_a_patch_names_tile_and_patch(client: TestClient, order: str, database: Database) -> None:
    tile, patch = BOUGHT[1]

    adjust(client, order, "refund", "3.33", tile=tile, patch=patch)

    assert transfers(database)[-1] == ("refund", 3_33, f"refund:{order}/{tile}/{patch}#1")


def test_later_charge_is_spent(client: TestClient, order: str, budget: str, database: Database) -> None:
    answer = adjust(client, order, "charge", "2.50", reason="invoice 17: licence for two users")

    assert answer.status_code == 201, answer.text
    assert transfers(database)[-1] == ("charge", 2_50, f"charge:{order}#1")
    assert amounts(client, order)["net"] == "12.50"
    assert usage(client, budget) == {"held": "0.00", "spent": "12.50", "available": "7.50"}


def test_refunds_never_exceed_what_an_order_paid(client: TestClient, order: str, database: Database) -> None:
    adjust(client, order, "refund", "4.00")
    before = transfers(database)

    answer = adjust(client, order, "refund", "6.01")

    assert code(answer) == (409, "refund-exceeds-payment")
    assert {name: answer.json()[name] for name in ("refundable", "refund", "currency")} == {
        "refundable": "6.00", "refund": "6.01", "currency": "USD",
    }  # fmt: skip
    assert transfers(database) == before
    assert len(client.get("/v1/ledger/adjustments").json()["items"]) == 1
    assert adjust(client, order, "refund", "6.00").status_code == 201


def test_refund_of_a_patch_never_exceeds_its_payment(client: TestClient, order: str) -> None:
    tile, patch = BOUGHT[0]
    adjust(client, order, "refund", "3.00", tile=tile, patch=patch)

    answer = adjust(client, order, "refund", "0.34", tile=tile, patch=patch)

    assert (code(answer), answer.json()["refundable"]) == ((409, "refund-exceeds-payment"), "0.33")


def test_refund_of_a_patch_never_exceeds_the_rest_of_its_order(client: TestClient, order: str) -> None:
    tile, patch = BOUGHT[0]
    adjust(client, order, "refund", "9.00")

    answer = adjust(client, order, "refund", "1.01", tile=tile, patch=patch)

    assert (code(answer), answer.json()["refundable"]) == ((409, "refund-exceeds-payment"), "1.00")


def test_refund_may_include_later_charges(client: TestClient, order: str) -> None:
    adjust(client, order, "charge", "5.00")

    assert adjust(client, order, "refund", "15.00").status_code == 201
    assert amounts(client, order)["net"] == "0.00"


def test_charge_without_available_money_changes_nothing(
    client: TestClient, order: str, database: Database
) -> None:
    before = transfers(database)

    answer = adjust(client, order, "charge", "10.01")

    assert code(answer) == (402, "budget-exceeded")
    assert (answer.json()["available"], answer.json()["required"]) == ("10.00", "10.01")
    assert transfers(database) == before


def test_charge_extends_a_limit_that_does_not_block_and_its_refund_retracts(
    client: TestClient, plan: Planned, database: Database
) -> None:
    budget = open_budget(client, "10.00", enforcement="warn")
    order = str(place(client, plan).json()["id"])
    for where in BOUGHT:
        deliver(client, order, *where)

    adjust(client, order, "charge", "2.00")
    adjust(client, order, "refund", "5.00")

    assert [(kind, amount) for kind, amount, _ in transfers(database)[-4:]] == [
        ("extend", 2_00), ("charge", 2_00), ("refund", 5_00), ("retract", 2_00),
    ]  # fmt: skip
    assert usage(client, budget) == {"held": "0.00", "spent": "7.00", "available": "3.00"}


def test_ledger_of_an_order_holds_its_adjustments(client: TestClient, order: str, budget: str) -> None:
    every = client.get("/v1/ledger?limit=100").json()["items"]
    adjust(client, order, "refund", "1.00")
    adjust(client, order, "charge", "0.50")

    kinds = [one["kind"] for one in client.get(f"/v1/ledger?order={order}&limit=100").json()["items"]]
    assert kinds[:2] == ["charge", "refund"]
    assert len(kinds) == len(every) - 1 + 2  # all but the grant of the budget
    nobody = client.get(f"/v1/ledger?order={budget}").json()["items"]
    assert nobody == []


def test_adjustment_is_replayed_for_a_repeated_key(client: TestClient, order: str, budget: str) -> None:
    first = adjust(client, order, "refund", "1.00", key="the same key")
    again = adjust(client, order, "refund", "1.00", key="the same key")
    other = adjust(client, order, "refund", "2.00", key="the same key")

    assert (again.status_code, again.json()) == (201, first.json())
    assert code(other) == (422, "idempotency-key-reused")
    assert usage(client, budget)["spent"] == "9.00"


def test_adjustment_needs_an_idempotency_key(client: TestClient, order: str) -> None:
    body = {"kind": "refund", "order": order, "amount": {"amount": "1.00", "currency": "USD"}, "reason": "x"}

    assert code(client.post("/v1/ledger/adjustments", json=body)) == (400, "idempotency-key-missing")


def test_racing_refunds_return_a_payment_once(client: TestClient, order: str, budget: str) -> None:
    answers = race(6, lambda: status(adjust(client, order, "refund", "4.00")))

    assert sorted(answers) == [201, 201] + [409] * 4
    assert usage(client, budget)["spent"] == "2.00"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "gift"},
        {"reason": ""},
        {"amount": {"amount": "0.00", "currency": "USD"}},
        {"amount": {"amount": "-1.00", "currency": "USD"}},
        {"amount": {"amount": "1.00", "currency": "EUR"}},
        {"tile": 0},
        {"patch": 0},
        {"tile": 0, "patch": 16},
        {"kind": "charge", "tile": 0, "patch": 0},
    ],
)
def test_adjustment_refuses_contradictory_members(
    client: TestClient, order: str, database: Database, fault: Json
) -> None:
    whole = {"kind": "refund", "order": order, "amount": {"amount": "1.00", "currency": "USD"}, "reason": "x"}
    before = transfers(database)

    assert send(client, whole | fault).status_code == 422
    assert transfers(database) == before


def test_refund_needs_a_delivery(client: TestClient, plan: Planned, budget: str) -> None:
    order = str(place(client, plan).json()["id"])
    tile, patch = BOUGHT[0]

    assert code(adjust(client, order, "refund", "1.00")) == (409, "refund-exceeds-payment")
    assert code(adjust(client, order, "refund", "1.00", tile=tile, patch=patch)) == (404, "not-found")
    assert usage(client, budget)["held"] == "10.00"


def test_adjustment_refuses_another_workspaces_order(
    client: TestClient, database: Database, order: str
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    client.headers["Authorization"] = f"Bearer {stranger}"

    assert code(adjust(client, order, "refund", "1.00")) == (404, "not-found")
    assert client.get("/v1/ledger/adjustments").json()["items"] == []


def test_list_adjustments_pages_newest_first(client: TestClient, order: str) -> None:
    for amount in ("1.00", "2.00", "3.00"):
        adjust(client, order, "refund", amount)

    page = client.get(f"/v1/ledger/adjustments?limit=2&order={order}").json()
    onward = next(link["href"] for link in page["links"] if link["rel"] == "next")
    rest = client.get(onward).json()

    assert [one["number"] for one in page["items"] + rest["items"]] == [3, 2, 1]
    assert [link["rel"] for link in rest["links"]] == ["self"]


def test_realised_saving_counts_refunds(client: TestClient, order: str) -> None:
    adjust(client, order, "refund", "4.00")
    adjust(client, order, "charge", "1.00")

    (entry,) = client.get("/v1/reports/savings").json()["currencies"]

    assert entry["settled"]["amount"] == "7.00"
    assert entry["savings"]["realised"]["amount"] == "25.00"


def test_refunds_and_deliveries_of_one_order_do_not_deadlock(
    client: TestClient, plan: Planned, budget: str
) -> None:
    """Both lock the order before the workspace's chain."""
    order = str(place(client, plan).json()["id"])
    deliver(client, order, *BOUGHT[0])
    waiting = list(BOUGHT[1:])

    def run() -> int:
        if waiting:
            return status(deliver(client, order, *waiting.pop()))
        return status(adjust(client, order, "refund", "0.10"))

    assert race(8, run) == [201] * 8
    assert usage(client, budget)["spent"] == "9.40"
