"""Charges and changes of terms that wait for another holder, and purchases in parts."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from tests.support.bundles import usd
from tests.support.ordering import (
    Json,
    change_budget,
    charge,
    code,
    movements,
    open_budget,
    race,
    usage,
)

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def budget(client: TestClient) -> str:
    """Open a budget of 100.00 USD of which a holder spends 12.00 alone."""
    return open_budget(client, approval_above=usd("12.00"))


def decide(
    client: TestClient, proposal: str, headers: Json | None = None, decision: str = "approve", **more: str
) -> Any:
    path = f"/v1/proposals/{proposal}/approval"
    return client.post(path, json={"decision": decision} | more, headers=headers or {})


def waiting(client: TestClient, budget: str) -> list[Json]:
    return list(client.get(f"/v1/budgets/{budget}").json()["waiting"])


class TestCharges:
    """A later charge above `approval_above` waits for another holder."""

    def test_large_charge_moves_nothing_until_another_holder_approves(
        self, client: TestClient, order: str, budget: str, colleague: Json, database: Database
    ) -> None:
        before = movements(database)
        answer = charge(client, order, "50.00")

        assert answer.status_code == 202, answer.text
        proposal = answer.json()
        assert (proposal["kind"], proposal["status"], proposal["amount"]) == (
            "charge",
            "waiting",
            usd("50.00"),
        )
        assert answer.headers["Location"] == f"/v1/proposals/{proposal['id']}"
        assert movements(database) == before
        assert waiting(client, budget) == [proposal]

        decided = decide(client, proposal["id"], colleague, note="as agreed")
        assert (decided.status_code, decided.json()["status"]) == (200, "approved"), decided.text
        assert decided.json()["decided_by"] == colleague["Authorization"].split("_")[1]
        assert movements(database)[-1] == ("charge", 50_00, "charge")
        (adjustment,) = client.get("/v1/ledger/adjustments").json()["items"]
        assert (adjustment["proposal"], adjustment["reason"]) == (proposal["id"], "invoice 17")
        assert waiting(client, budget) == []

    @pytest.mark.parametrize("same", ["the key itself", "another key of its holder"])
    def test_holder_who_charges_cannot_approve_but_withdraw(
        self, client: TestClient, order: str, budget: str, same: str, colleague: Json
    ) -> None:
        proposal = charge(client, order, "50.00").json()["id"]
        made = client.post("/v1/keys", json={"name": "second", "role": "admin"}).json()["key"]
        headers = {} if same == "the key itself" else {"Authorization": f"Bearer {made}"}

        assert code(decide(client, proposal, headers)) == (403, "self-approval")
        assert usage(client, budget)["spent"] == "0.00"
        assert decide(client, proposal, headers, "reject").json()["status"] == "withdrawn"
        assert code(decide(client, proposal, colleague)) == (409, "proposal-decided")
        assert usage(client, budget)["spent"] == "0.00"

    def test_approved_charge_needs_available_money(
        self, client: TestClient, order: str, budget: str, colleague: Json
    ) -> None:
        proposal = charge(client, order, "90.01").json()["id"]

        assert code(decide(client, proposal, colleague)) == (402, "budget-exceeded")
        assert [one["id"] for one in waiting(client, budget)] == [proposal]

    def test_repeated_request_proposes_once(self, client: TestClient, order: str, budget: str) -> None:
        first = charge(client, order, "50.00", key="the same key")
        again = charge(client, order, "50.00", key="the same key")

        assert (again.status_code, again.json()) == (202, first.json())
        assert len(waiting(client, budget)) == 1

    def test_refunds_make_no_room_for_charges(self, client: TestClient, order: str, budget: str) -> None:
        assert charge(client, order, "2.00").status_code == 201
        body = {"kind": "refund", "order": order, "amount": usd("2.00"), "reason": "credit note"}
        refund = client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})

        assert refund.status_code == 201
        assert charge(client, order, "2.00").status_code == 202
        assert usage(client, budget)["spent"] == "0.00"


LOOSER: tuple[Json, ...] = (
    {"approval_above": None},
    {"approval_above": usd("12.01")},
    {"limit": usd("100.01")},
    {"enforcement": "warn"},
    {"enforcement": "off"},
    {"period": "month"},
    {"ends_on": None},
    {"ends_on": "2099-01-02"},
    {"starts_on": None},
    {"starts_on": "2025-12-31"},
    {"limit": usd("50.00"), "approval_above": None},
)


class TestTerms:
    """A change that gives more freedom waits for another holder; a stricter one is in force at once."""

    @pytest.fixture
    def budget(self, client: TestClient) -> str:
        return open_budget(
            client, approval_above=usd("12.00"), starts_on="2026-01-01", ends_on="2099-01-01", tags={"a": "b"}
        )

    @pytest.mark.parametrize("change", LOOSER, ids=str)
    def test_looser_terms_wait_for_another_holder(
        self, client: TestClient, budget: str, colleague: Json, change: Json, database: Database
    ) -> None:
        before, moved = client.get(f"/v1/budgets/{budget}").json(), movements(database)
        answer = change_budget(client, budget, **change)

        assert (answer.status_code, answer.headers["ETag"]) == (202, '"1"'), answer.text
        (proposal,) = answer.json()["waiting"]
        assert proposal["changes"] == change
        assert answer.json()["waiting_number"] == 1
        assert {**answer.json(), "waiting": [], "waiting_number": 0} == before
        assert movements(database) == moved
        assert code(decide(client, proposal["id"])) == (403, "self-approval")

        assert decide(client, proposal["id"], colleague).status_code == 200
        after = client.get(f"/v1/budgets/{budget}").json()
        assert (after["version"], after["waiting"]) == (2, [])
        assert {name: after.get(name) for name in change} == change

    @pytest.mark.parametrize(
        "change",
        [
            {"approval_above": usd("11.99")},
            {"limit": usd("99.99")},
            {"thresholds": [50], "tags": {"team": "north"}},
            {"ends_on": "2098-12-31"},
            {"starts_on": "2026-01-02"},
            {"enforcement": "block", "limit": usd("100.00"), "period": "none", "thresholds": [50]},
        ],
        ids=str,
    )
    def test_stricter_terms_are_in_force_at_once(self, client: TestClient, budget: str, change: Json) -> None:
        answer = change_budget(client, budget, **change)

        assert (answer.status_code, answer.json()["version"], answer.json()["waiting"]) == (200, 2, [])

    def test_budget_without_an_amount_changes_at_once(self, client: TestClient) -> None:
        free = open_budget(client, name="free")

        assert change_budget(client, free, limit=usd("900.00"), enforcement="off").status_code == 200

    def test_rejected_terms_never_apply(self, client: TestClient, budget: str, colleague: Json) -> None:
        (proposal,) = change_budget(client, budget, limit=usd("900.00")).json()["waiting"]

        rejected = decide(client, proposal["id"], colleague, "reject", note="too much").json()
        assert (rejected["status"], rejected["note"]) == ("rejected", "too much")
        assert client.get(f"/v1/budgets/{budget}").json()["limit"] == usd("100.00")
        assert code(decide(client, proposal["id"], colleague)) == (409, "proposal-decided")

    def test_approved_terms_change_only_what_was_proposed(
        self, client: TestClient, budget: str, colleague: Json
    ) -> None:
        (proposal,) = change_budget(client, budget, limit=usd("900.00")).json()["waiting"]
        change_budget(client, budget, thresholds=[80], approval_above=usd("1.00"))
        decide(client, proposal["id"], colleague)

        after = client.get(f"/v1/budgets/{budget}").json()
        assert (after["limit"], after["thresholds"], after["approval_above"]) == (
            usd("900.00"), [80], usd("1.00"),
        )  # fmt: skip

    def test_terms_that_contradict_those_in_force_are_refused(
        self, client: TestClient, budget: str, colleague: Json
    ) -> None:
        later: Json = {"limit": usd("900.00"), "starts_on": "2098-01-01"}
        (proposal,) = change_budget(client, budget, **later).json()["waiting"]
        assert change_budget(client, budget, ends_on="2027-01-01").status_code == 200

        assert code(decide(client, proposal["id"], colleague)) == (409, "proposal-contradicts")
        assert [one["id"] for one in waiting(client, budget)] == [proposal["id"]]

    def test_racing_approvals_apply_once(
        self, client: TestClient, budget: str, colleague: Json, database: Database
    ) -> None:
        (proposal,) = change_budget(client, budget, limit=usd("900.00")).json()["waiting"]

        answers = race(6, lambda: int(decide(client, proposal["id"], colleague).status_code))

        assert sorted(answers) == [200] + [409] * 5
        assert movements(database) == [("fund", 100_00, "budget"), ("fund", 800_00, "limit")]


class TestReading:
    """Proposals are listed for their workspace."""

    def test_list_chooses_what_waits(
        self, client: TestClient, order: str, budget: str, colleague: Json
    ) -> None:
        first = charge(client, order, "50.00").json()["id"]
        second = change_budget(client, budget, limit=usd("900.00")).json()["waiting"][0]["id"]
        decide(client, first, colleague, "reject")

        def ids(query: str) -> list[str]:
            return [one["id"] for one in client.get(f"/v1/proposals{query}").json()["items"]]

        assert (ids(""), ids("?waiting=true"), ids("?waiting=false")) == ([second, first], [second], [first])
        page = client.get("/v1/proposals?limit=1").json()
        onward = next(link["href"] for link in page["links"] if link["rel"] == "next")
        assert [one["id"] for one in client.get(onward).json()["items"]] == [first]
        assert client.get(f"/v1/proposals/{second}").json()["budget"] == budget

    def test_another_workspace_finds_nothing(
        self, client: TestClient, order: str, database: Database, colleague: Json
    ) -> None:
        del colleague
        proposal = charge(client, order, "50.00").json()["id"]
        with database.sessions.begin() as session:
            stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
        theirs = {"Authorization": f"Bearer {stranger}"}

        assert code(client.get(f"/v1/proposals/{proposal}", headers=theirs)) == (404, "not-found")
        assert code(decide(client, proposal, theirs)) == (404, "not-found")
        assert code(decide(client, NOBODY)) == (404, "not-found")
        assert client.get("/v1/proposals", headers=theirs).json()["items"] == []

    @pytest.mark.parametrize(
        "body", [{}, {"decision": "maybe"}, {"decision": "approve", "note": "a\x00b"}, {"decision": True}]
    )
    def test_invalid_decision_is_refused(self, client: TestClient, order: str, body: Json) -> None:
        proposal = charge(client, order, "50.00").json()["id"]

        assert client.post(f"/v1/proposals/{proposal}/approval", json=body).status_code == 422
        assert client.get(f"/v1/proposals/{proposal}").json()["status"] == "waiting"
