"""Proposals that their own holder takes back, and budgets with more of them than are shown."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import Workspace
from service.database.engine import Database
from service.ledger.repository import violations
from tests.support.bundles import usd
from tests.support.ordering import Json, change_budget, code, open_budget, race


@pytest.fixture
def budget(client: TestClient) -> str:
    """Open a budget of 100.00 USD of which a holder spends 12.00 alone."""
    return open_budget(client, approval_above=usd("12.00"))


@pytest.fixture
def finance(database: Database, workspace_id: UUID) -> Json:
    """Return headers with the key of another holder, who may propose and not approve."""
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "finance", Role.FINANCE)
    return {"Authorization": f"Bearer {key}"}


def propose(client: TestClient, budget: str, amount: str = "900.00") -> str:
    return str(change_budget(client, budget, limit=usd(amount)).json()["waiting"][0]["id"])


def test_holder_who_may_not_approve_withdraws_the_own_proposal(
    client: TestClient, budget: str, finance: Json, database: Database
) -> None:
    own = client.headers["Authorization"]
    client.headers.update(finance)
    proposal = propose(client, budget)
    reject = client.post(f"/v1/proposals/{proposal}/approval", json={"decision": "reject"})
    assert code(reject) == (403, "role-needed")

    taken_back = client.post(f"/v1/proposals/{proposal}/withdrawal")

    assert (taken_back.status_code, taken_back.json()["status"]) == (200, "withdrawn")
    assert "withdrawal" not in [link["rel"] for link in taken_back.json()["links"]]
    assert client.get(f"/v1/budgets/{budget}").json()["waiting"] == []
    assert code(client.post(f"/v1/proposals/{proposal}/withdrawal")) == (409, "proposal-decided")
    late = client.post(
        f"/v1/proposals/{proposal}/approval", json={"decision": "approve"}, headers={"Authorization": own}
    )
    assert code(late) == (409, "proposal-decided")
    with database.sessions() as session:
        assert violations(session) == []


def test_another_holder_withdraws_nothing(client: TestClient, budget: str, finance: Json) -> None:
    proposal = propose(client, budget)

    refused = client.post(f"/v1/proposals/{proposal}/withdrawal", headers=finance)

    assert code(refused) == (403, "not-your-proposal")
    assert client.get(f"/v1/proposals/{proposal}").json()["status"] == "waiting"


def test_withdrawal_and_approval_race(client: TestClient, budget: str, colleague: Json) -> None:
    proposal = propose(client, budget)
    turns = iter(range(8))

    def decide() -> int:
        if next(turns) % 2:
            return client.post(f"/v1/proposals/{proposal}/withdrawal").status_code
        path, body = f"/v1/proposals/{proposal}/approval", {"decision": "approve"}
        return client.post(path, json=body, headers=colleague).status_code

    assert sorted(race(8, decide)) == [200] + [409] * 7
    shown = client.get(f"/v1/budgets/{budget}").json()["limit"]["amount"]
    status = client.get(f"/v1/proposals/{proposal}").json()["status"]
    assert (status, shown) in {("approved", "900.00"), ("withdrawn", "100.00")}


def test_budget_shows_its_newest_proposals_and_leads_to_all(client: TestClient, budget: str) -> None:
    other = open_budget(client, name="other", approval_above=usd("0.00"))
    theirs = propose(client, other)
    made = [propose(client, budget, f"{900 + number}.00") for number in range(12)]

    shown = client.get(f"/v1/budgets/{budget}").json()
    onward = next(link["href"] for link in shown["links"] if link["rel"] == "waiting")

    assert [one["id"] for one in shown["waiting"]] == made[:1:-1]
    assert shown["waiting_number"] == 12
    listed = client.get(onward + "&limit=100").json()["items"]
    assert [one["id"] for one in listed] == made[::-1]
    both = {one["id"]: one for one in client.get("/v1/budgets").json()["items"]}
    assert [one["id"] for one in both[other]["waiting"]] == [theirs]
    assert (both[other]["waiting_number"], both[budget]["waiting_number"]) == (1, 12)
