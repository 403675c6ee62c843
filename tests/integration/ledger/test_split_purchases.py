"""What a holder orders and charges alone within 24 hours counts together against `approval_above`."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import usd
from tests.support.ordering import Json, charge, code, deliver, open_budget, place, race, usage
from tests.support.orders import BOUGHT, Planned, make_plan

Plans = Callable[[int], Planned]


@pytest.fixture
def budget(client: TestClient) -> str:
    """Open a budget of 100.00 USD of which a holder spends 12.00 alone."""
    return open_budget(client, approval_above=usd("12.00"))


@pytest.fixture
def plans(database: Database, workspace_id: UUID, settings: Settings) -> Plans:
    """Return a function that stores plans at a cost in cents, each of another scene."""
    seeds = iter(range(100, 200))

    def make(cost_minor: int) -> Planned:
        with database.sessions.begin() as session:
            return make_plan(session, workspace_id, settings.blobs, cost_minor=cost_minor, seed=next(seeds))

    return make


def test_second_order_is_held_when_both_are_above_the_amount(
    client: TestClient, budget: str, plans: Plans, colleague: Json
) -> None:
    first, second, third = plans(7_00), plans(5_01), plans(5_00)

    assert place(client, first).json()["status"] == "accepted"
    held = place(client, second).json()
    assert held["status"] == "held"
    assert place(client, third).json()["status"] == "accepted"  # 12.00 in all: the held one waits
    approved = client.post(
        f"/v1/orders/{held['id']}/approval", json={"decision": "approve"}, headers=colleague
    )
    assert approved.json()["status"] == "accepted"
    assert place(client, plans(1)).json()["status"] == "held"
    assert usage(client, budget)["held"] == "17.02"


def test_cancelled_orders_do_not_count(client: TestClient, budget: str, plans: Plans) -> None:
    for _ in range(3):
        order = place(client, plans(12_00)).json()
        assert order["status"] == "accepted"
        assert client.post(f"/v1/orders/{order['id']}/cancel").status_code == 200
    assert usage(client, budget)["held"] == "0.00"


@pytest.mark.usefixtures("budget")
def test_another_holder_has_an_amount_of_their_own(client: TestClient, plans: Plans, colleague: Json) -> None:
    def order(plan: Planned, headers: Json) -> Json:
        sent = {"Idempotency-Key": str(uuid4())} | headers
        answer = client.post("/v1/orders", json={"plan": str(plan.id)}, headers=sent)
        return dict(answer.json())

    assert order(plans(12_00), {})["status"] == "accepted"
    theirs = order(plans(12_00), colleague)
    assert theirs["status"] == "accepted"
    assert charge(client, theirs["id"], "0.01", colleague).status_code == 202


@pytest.mark.usefixtures("budget")
def test_orders_of_yesterday_do_not_count(client: TestClient, plans: Plans, database: Database) -> None:
    place(client, plans(12_00))
    shift = text("UPDATE ledger.transfer SET at = at - :shift WHERE kind = 'reserve' RETURNING id")

    def held_after(shifted: timedelta) -> bool:
        with database.sessions.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(shift, {"shift": shifted})
        with database.sessions() as session:
            return bool(session.execute(text("SELECT count(*) FROM ledger.unapproved")).scalar_one())

    assert held_after(timedelta(hours=23, minutes=59))
    assert not held_after(timedelta(minutes=1))
    with database.sessions.begin() as session:  # as it was: the chain is checked after the test
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(shift, {"shift": -timedelta(hours=24)})


@pytest.mark.usefixtures("budget")
def test_dear_deliveries_count(client: TestClient, plans: Plans) -> None:
    first, second = plans(6_00), plans(5_00)
    order = str(place(client, first).json()["id"])
    place(client, second)

    dearer = deliver(client, order, *BOUGHT[0], price="3.01", accept_price=True)
    assert code(dearer) == (403, "self-approval")
    assert client.get(f"/v1/orders/{order}").json()["counts"]["delivered"] == 0
    assert deliver(client, order, *BOUGHT[0], price="3.00", accept_price=True).status_code == 201


def test_racing_orders_are_accepted_up_to_the_amount(client: TestClient, budget: str, plans: Plans) -> None:
    ready = [plans(4_00) for _ in range(5)]
    outcomes = list[str]()

    def run() -> int:
        answer = place(client, ready.pop())
        outcomes.append(answer.json()["status"])
        return int(answer.status_code)

    assert race(5, run) == [201] * 5
    assert sorted(outcomes) == ["accepted"] * 3 + ["held"] * 2
    assert usage(client, budget)["held"] == "20.00"


def test_racing_charges_are_posted_up_to_the_amount(client: TestClient, budget: str, plans: Plans) -> None:
    order = str(place(client, plans(1)).json()["id"])

    answers = race(8, lambda: int(charge(client, order, "5.00").status_code))

    assert sorted(answers) == [201] * 2 + [202] * 6
    assert usage(client, budget)["spent"] == "10.00"
    assert len(client.get("/v1/proposals?waiting=true").json()["items"]) == 6


def test_charge_of_exactly_the_amount_is_posted(client: TestClient, budget: str, plans: Plans) -> None:
    order = place(client, plans(1)).json()["id"]

    assert charge(client, order, "11.99").status_code == 201
    assert charge(client, order, "0.01").status_code == 202
    assert usage(client, budget)["spent"] == "11.99"
