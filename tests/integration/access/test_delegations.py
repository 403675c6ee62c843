"""Lent approval: who may approve for whom, until when, and what the audit log keeps of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.keys import id_of
from service.access.repository import create_key, create_workspace
from service.access.roles import Role
from service.access.tables import Workspace
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import usd
from tests.support.databases import KEY
from tests.support.ordering import TIFF, charge, code, open_budget, place
from tests.support.orders import BOUGHT, Planned, make_patch, make_plan

Headers = dict[str, str]
Holder = Callable[[Role], Headers]


@pytest.fixture
def holder(database: Database, workspace_id: UUID) -> Holder:
    """Return a maker of headers with the key of a new holder."""

    def make(role: Role) -> Headers:
        with database.sessions.begin() as session:
            key = create_key(session, session.get_one(Workspace, workspace_id), role, role)
        return {"Authorization": f"Bearer {key}"}

    return make


@pytest.fixture
def order(client: TestClient, plan: Planned) -> str:
    """Place an order that waits for another holder than the one of KEY."""
    open_budget(client, approval_above=usd("5.00"))
    return str(place(client, plan).json()["id"])


def id_in(headers: Headers) -> str:
    return id_of(headers["Authorization"].removeprefix("Bearer "))


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def lend(client: TestClient, lender: Headers, borrower: str, days: float = 7, **more: Any) -> Any:
    wanted = {"holder": borrower, "ends_at": in_days(days)} | more
    return client.post("/v1/delegations", json=wanted, headers=lender)


def deliver(client: TestClient, order: str, headers: Headers, **query: Any) -> Any:
    """Deliver the first patch of an order at an accepted price."""
    tile, patch = BOUGHT[0]
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    return client.put(path, content=make_patch(tile, patch), headers=TIFF | headers, params=query)


def approve(client: TestClient, order: str, headers: Headers) -> tuple[int, str]:
    answer = client.post(f"/v1/orders/{order}/approval", json={"decision": "approve"}, headers=headers)
    return (200, "") if answer.status_code == 200 else code(answer)


def test_holder_approves_while_approval_is_lent(client: TestClient, order: str, holder: Holder) -> None:
    approver, buyer = holder(Role.APPROVER), holder(Role.BUYER)
    assert approve(client, order, buyer) == (403, "role-needed")

    lent = lend(client, approver, id_in(buyer), note="holidays").json()
    assert (lent["lender"], lent["borrower"], lent["note"]) == (id_in(approver), id_in(buyer), "holidays")
    assert approve(client, order, buyer) == (200, "")

    (event,) = client.get("/v1/audit", params={"kind": "decided-for-another"}).json()["items"]
    assert (event["key"], event["subject"]) == (id_in(buyer), order)
    assert event["detail"] == {"lender": id_in(approver), "delegation": lent["id"]}


def test_decision_with_an_own_right_needs_no_delegation(
    client: TestClient, order: str, holder: Holder
) -> None:
    assert approve(client, order, holder(Role.APPROVER)) == (200, "")
    assert client.get("/v1/audit", params={"kind": "decided-for-another"}).json()["items"] == []


def test_borrower_does_not_approve_what_it_ordered(client: TestClient, plan: Planned, holder: Holder) -> None:
    approver, buyer = holder(Role.APPROVER), holder(Role.BUYER)
    open_budget(client, approval_above=usd("5.00"))
    lend(client, approver, id_in(buyer))
    body = {"plan": str(plan.id), "budget": client.get("/v1/budgets").json()["items"][0]["id"]}
    headers = buyer | {"Idempotency-Key": str(uuid4())}
    order = client.post("/v1/orders", json=body, headers=headers).json()["id"]

    assert approve(client, order, buyer) == (403, "self-approval")


def test_borrower_does_not_approve_what_the_lender_ordered(
    client: TestClient, order: str, holder: Holder
) -> None:
    buyer, approver = holder(Role.BUYER), holder(Role.APPROVER)
    lend(client, {}, id_in(buyer))  # the lender ordered

    assert approve(client, order, buyer) == (403, "role-needed")
    lend(client, approver, id_in(buyer))
    assert approve(client, order, buyer) == (200, "")


def test_borrower_decides_on_proposals(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, holder: Holder
) -> None:
    approver, finance = holder(Role.APPROVER), holder(Role.FINANCE)
    open_budget(client, approval_above=usd("20.00"))
    with database.sessions.begin() as session:
        plan = make_plan(session, workspace_id, settings.blobs)
    order = place(client, plan).json()["id"]
    proposal = charge(client, order, "50.00").json()["id"]
    path, approval = f"/v1/proposals/{proposal}/approval", {"decision": "approve"}

    assert code(client.post(path, json=approval, headers=finance)) == (403, "role-needed")
    lend(client, approver, id_in(finance))
    assert client.post(path, json=approval, headers=finance).status_code == 200
    (event,) = client.get("/v1/audit", params={"kind": "decided-for-another"}).json()["items"]
    assert event["subject"] == proposal


class TestEnd:
    """A delegation ends at its time, when it is taken back, and with the lender's last approving key."""

    @pytest.fixture
    def lent(self, client: TestClient, order: str, holder: Holder) -> tuple[Headers, Headers, str]:
        assert order
        approver, buyer = holder(Role.APPROVER), holder(Role.BUYER)
        return approver, buyer, lend(client, approver, id_in(buyer)).json()["id"]

    def test_time_ends_it(
        self, client: TestClient, order: str, lent: tuple[Headers, Headers, str], database: Database
    ) -> None:
        with database.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("UPDATE delegation SET ends_at = now() - interval '1 s'"))

        assert approve(client, order, lent[1]) == (403, "role-needed")

    @pytest.mark.parametrize("by", ["the lender", "an admin"])
    def test_lender_and_admin_take_it_back(
        self, client: TestClient, order: str, lent: tuple[Headers, Headers, str], by: str
    ) -> None:
        approver, buyer, delegation = lent
        headers = approver if by == "the lender" else {}
        path = f"/v1/delegations/{delegation}/end"
        assert client.post(path, headers=headers).status_code == 200
        assert client.post(path, headers=headers).status_code == 200

        assert approve(client, order, buyer) == (403, "role-needed")
        assert len(client.get("/v1/delegations").json()["items"]) == 2
        assert len(client.get("/v1/audit", params={"kind": "approval-taken-back"}).json()["items"]) == 1

    def test_others_do_not_take_it_back(
        self, client: TestClient, lent: tuple[Headers, Headers, str], database: Database
    ) -> None:
        path = f"/v1/delegations/{lent[2]}/end"
        with database.sessions.begin() as session:
            stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

        assert code(client.post(path, headers=lent[1])) == (403, "role-needed")
        theirs = {"Authorization": f"Bearer {stranger}"}
        assert code(client.post(path, headers=theirs)) == (404, "not-found")

    def test_revoking_the_lenders_key_ends_it(
        self, client: TestClient, order: str, lent: tuple[Headers, Headers, str]
    ) -> None:
        client.post(f"/v1/keys/{id_in(lent[0])}/revoke")

        assert approve(client, order, lent[1]) == (403, "role-needed")

    def test_borrowed_right_is_not_lent_again(
        self, client: TestClient, lent: tuple[Headers, Headers, str], holder: Holder
    ) -> None:
        assert code(lend(client, lent[1], id_in(holder(Role.VIEWER)))) == (403, "role-needed")


@pytest.mark.parametrize(
    ("borrower", "days", "refusal"),
    [
        ("own", 7, (422, "delegation-invalid")),
        ("other", -1, (422, "delegation-invalid")),
        ("other", 93, (422, "delegation-invalid")),
        ("nobody", 7, (404, "not-found")),
    ],
)
def test_lend_refuses_what_cannot_be_lent(
    client: TestClient, holder: Holder, borrower: str, days: int, refusal: tuple[int, str]
) -> None:
    wanted = {"own": id_of(KEY), "nobody": "abcdefgh"}.get(borrower) or id_in(holder(Role.BUYER))

    assert code(lend(client, {}, wanted, days)) == refusal
    assert client.get("/v1/delegations").json()["items"] == []


class TestAcceptedPrices:
    """A delivery price that brings an order above `approval_above` needs a key that may approve."""

    @pytest.fixture
    def accepted(self, client: TestClient, plan: Planned) -> str:
        open_budget(client, "50.00", approval_above=usd("12.00"))
        return str(place(client, plan).json()["id"])

    def test_another_buyer_alone_does_not_accept_it(
        self, client: TestClient, accepted: str, holder: Holder
    ) -> None:
        buyer = holder(Role.BUYER)
        refused = deliver(client, accepted, buyer, price="6.00", accept_price=True)

        assert code(refused) == (403, "role-needed")
        assert client.get(f"/v1/orders/{accepted}").json()["amounts"]["total"] == usd("10.00")
        lend(client, holder(Role.APPROVER), id_in(buyer))
        assert deliver(client, accepted, buyer, price="6.00", accept_price=True).status_code == 201

    def test_another_buyer_accepts_a_price_within_the_amount(
        self, client: TestClient, accepted: str, holder: Holder
    ) -> None:
        buyer = holder(Role.BUYER)

        assert deliver(client, accepted, buyer, price="4.00", accept_price=True).status_code == 201


def test_new_budget_beside_a_threshold_leaves_everything_to_another_holder(client: TestClient) -> None:
    open_budget(client, approval_above=usd("5.00"))
    for terms in ({}, {"approval_above": usd("0.01")}):
        wanted = {"name": "around", "limit": usd("100.00")} | terms
        assert code(client.post("/v1/budgets", json=wanted)) == (409, "approval-above-needed")

    wanted = {"name": "beside", "limit": usd("100.00"), "approval_above": usd("0.00")}
    opened = client.post("/v1/budgets", json=wanted).json()
    loosened = client.patch(
        f"/v1/budgets/{opened['id']}",
        json={"approval_above": usd("5.00")},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert loosened.status_code == 202
