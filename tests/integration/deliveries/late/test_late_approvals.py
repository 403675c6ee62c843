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
from tests.support.late import expire, late, show
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    Json,
    change_budget,
    code,
    movements,
    open_budget,
    place,
    plan_scene,
    send_file,
    status,
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


@pytest.mark.parametrize("approved", [True, False])
def test_late_patches_follow_the_rules_of_approval(
    client: TestClient, plan: Planned, database: Database, other: Json, approved: bool
) -> None:
    budget = open_budget(client, name="strict", approval_above={"amount": "1.00", "currency": "USD"})
    order = place(client, plan, budget=budget).json()["id"]
    if approved:
        decision = {"decision": "approve"}
        client.post(f"/v1/orders/{order}/approval", json=decision, headers=other).raise_for_status()
    expire(database, order)
    before = movements(database)

    if not approved:
        assert code(late(client, order, plan.bought[0])) == (403, "self-approval")
        assert movements(database) == before
        client.headers.update(other)
    assert late(client, order, plan.bought[0]).status_code == 201
    if approved:  # more than planned was not approved
        assert code(late(client, order, plan.bought[1], price="9.00")) == (403, "self-approval")


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
