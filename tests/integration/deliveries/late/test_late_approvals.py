"""What a budget must allow before a patch of an expired order is paid."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key
from service.access.tables import Workspace
from service.database.engine import Database
from service.ledger.repository import violations
from tests.support.bundles import usd
from tests.support.late import adjust, expire, late, show
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    Json,
    change_budget,
    code,
    deliver,
    movements,
    open_budget,
    place,
    plan_scene,
    send_file,
    status,
    usage,
)
from tests.support.orders import Planned


def test_late_patch_needs_available_money(
    client: TestClient, expired: str, budget: str, database: Database, plan: Planned
) -> None:
    assert change_budget(client, budget, limit={"amount": "5.00", "currency": "USD"}).status_code == 200
    before = show(client, expired), movements(database)

    answer = late(client, expired, plan.bought[1])

    assert code(answer) == (402, "budget-exceeded")
    assert 0 < Decimal(answer.json()["available"]) < Decimal(answer.json()["required"]) < 5
    assert (show(client, expired), movements(database)) == before


def test_late_patch_needs_a_valid_budget(
    client: TestClient, expired: str, budget: str, plan: Planned
) -> None:
    assert change_budget(client, budget, ends_on="2026-01-01").status_code == 200

    assert code(late(client, expired, plan.bought[1])) == (409, "budget-not-valid")


@pytest.fixture
def other(database: Database, workspace_id: UUID) -> Json:
    """Return the headers of another holder's key."""
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "other")
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def approved(client: TestClient, plan: Planned, other: Json) -> str:
    """Return an order of about 12 USD that another holder approved, when its holder has used 30 of 30 USD."""
    open_budget(client, approval_above=usd("30.00"))
    own = place(client, plan_scene(client, reuse="none")).json()
    left = Decimal(30) - Decimal(own["amounts"]["total"]["amount"])
    assert adjust(client, own["id"], "charge", str(left)).status_code == 201
    order = place(client, plan).json()
    assert order["status"] == "held"
    return approve(client, str(order["id"]), other)


def approve(client: TestClient, order: str, headers: Json) -> str:
    path = f"/v1/orders/{order}/approval"
    client.post(path, json={"decision": "approve"}, headers=headers).raise_for_status()
    return order


@pytest.mark.parametrize("in_time", [True, False])
def test_price_above_what_was_approved_counts(
    client: TestClient, plan: Planned, database: Database, other: Json, approved: str, in_time: bool
) -> None:
    options: Json = {"accept_price": True} if in_time else {"accept_late": True}
    if not in_time:
        expire(database, approved)
    before = show(client, approved), movements(database)

    dear = deliver(client, approved, *plan.bought[0], price="20.00", **options)

    assert code(dear) == (403, "self-approval")
    assert (show(client, approved), movements(database)) == before
    assert deliver(client, approved, *plan.bought[0], **options).status_code == 201  # its share was approved
    assert code(deliver(client, approved, *plan.bought[1], price="20.00", **options)) == (
        403,
        "self-approval",
    )
    client.headers.update(other)
    assert deliver(client, approved, *plan.bought[1], price="20.00", **options).status_code == 201


def test_late_patches_at_the_approved_cost_need_no_second_key(
    client: TestClient, database: Database, approved: str
) -> None:
    expire(database, approved)

    assert status(send_file(client, approved, mosaic(), accept_late=True)) == 201
    assert show(client, approved)["status"] == "completed"


def test_late_price_that_brings_an_order_above_the_amount_needs_another_holder(
    client: TestClient, plan: Planned, database: Database, other: Json
) -> None:
    """The order was accepted without approval, and released everything but one patch when it expired."""
    open_budget(client, approval_above=usd("13.00"))
    order = str(place(client, plan).json()["id"])
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    expire(database, order)

    assert code(late(client, order, plan.bought[1], price="10.00")) == (403, "self-approval")
    client.headers.update(other)
    alone = late(client, order, plan.bought[1], price="13.01")
    assert (code(alone), "nobody else has seen" in alone.json()["detail"]) == ((403, "self-approval"), True)
    assert late(client, order, plan.bought[1], price="10.00").status_code == 201


def test_order_that_nobody_approved_takes_no_late_patch(
    client: TestClient, plan: Planned, database: Database, other: Json
) -> None:
    budget = open_budget(client, approval_above=usd("1.00"))
    order = str(place(client, plan).json()["id"])
    expire(database, order)
    before = show(client, order), usage(client, budget), movements(database)

    for _ in range(2):
        for query in ({}, {"price": "0.05"}, {"price": "0"}):
            answer = late(client, order, plan.bought[0], **query)
            assert code(answer) == (409, "approval-required")
            assert "Order its plan again" in answer.json()["detail"]
        answer = send_file(client, order, mosaic(), accept_late=True)
        assert code(answer) == (409, "approval-required")
        refused = deliver(client, order, *plan.bought[0])
        assert code(refused) == (409, "order-expired")
        assert "accept_late" not in refused.json()["detail"]
        client.headers.update(other)  # neither does the other holder's delivery approve it
    assert (show(client, order), usage(client, budget), movements(database)) == before


FORGED = """UPDATE {table} SET key_id = (SELECT key_id FROM "order" WHERE id = order_id)"""


@pytest.mark.parametrize(
    ("in_time", "above", "price"),
    [
        (True, "13.00", "16.00"),
        (True, "30.00", "31.00"),
        (False, "13.00", "10.00"),
        (False, "30.00", "29.00"),
    ],
)
def test_books_show_a_price_that_its_holder_delivered_alone(
    client: TestClient, plan: Planned, database: Database, other: Json, in_time: bool, above: str, price: str
) -> None:
    open_budget(client, approval_above=usd(above))
    order = str(place(client, plan).json()["id"])
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    if not in_time:
        expire(database, order)
    client.headers.update(other)
    options: Json = {"accept_price": True} if in_time else {"accept_late": True}
    assert deliver(client, order, *plan.bought[1], price=price, **options).status_code == 201

    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert violations(session) == []
        session.execute(text(FORGED.format(table="delivered_file" if in_time else "late_bill")))
        found = {invariant.split()[0] for invariant, _ in violations(session)}
        session.rollback()
    assert found == {"I30"}


def test_books_show_late_prices_that_count_together(
    client: TestClient, plan: Planned, database: Database, other: Json, approved: str
) -> None:
    """The order stays below the amount, but not the sum of what its holder spends alone."""
    expire(database, approved)
    client.headers.update(other)
    assert late(client, approved, plan.bought[0], price="29.99").status_code == 201

    with database.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert violations(session) == []
        session.execute(text(FORGED.format(table="late_bill")))
        found = {invariant.split()[0] for invariant, _ in violations(session)}
        session.rollback()
    assert found == {"I30"}


def test_late_patches_count_among_what_was_ordered(
    client: TestClient, plan: Planned, database: Database, other: Json
) -> None:
    """Two orders of about 12 USD are each below the amount, but not what is held for both within a day."""
    open_budget(client, approval_above={"amount": "20.00", "currency": "USD"})
    order = expire(database, str(place(client, plan).json()["id"]))
    shift = text("UPDATE ledger.transfer SET at = at - :shift WHERE reference = :reference")

    def move(shift_by: timedelta) -> None:
        with database.sessions.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(shift, {"shift": shift_by, "reference": f"order:{order}"})

    move(timedelta(hours=25))
    assert place(client, plan_scene(client, reuse="none")).json()["status"] == "accepted"

    assert code(send_file(client, order, mosaic(), accept_late=True)) == (403, "self-approval")
    client.headers.update(other)
    assert status(send_file(client, order, mosaic(), accept_late=True)) == 201
    move(-timedelta(hours=25))  # as it was: the chain is checked after the test
