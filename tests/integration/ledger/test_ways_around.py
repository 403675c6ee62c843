"""Ways around `approval_above`: another budget of the workspace, and prices that one holder accepts alone."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_workspace
from service.database.engine import Database
from service.ledger import writer
from service.ledger.repository import violations
from service.ledger.terms import BudgetTerms
from service.settings import Settings
from tests.support.bundles import usd
from tests.support.late import expire
from tests.support.money import cents
from tests.support.ordering import (
    Json,
    change_budget,
    charge,
    code,
    deliver,
    movements,
    open_budget,
    place,
    usage,
)
from tests.support.orders import Planned, make_plan


def approve(client: TestClient, proposal: str, headers: Json) -> None:
    path = f"/v1/proposals/{proposal}/approval"
    assert client.post(path, json={"decision": "approve"}, headers=headers).status_code == 200


class TestOtherBudget:
    """A budget without `approval_above` that was opened before one with it."""

    @pytest.fixture
    def other(self, client: TestClient) -> str:
        free = open_budget(client, "10.00", name="other", enforcement="block", ends_on="2030-12-31")
        open_budget(client, approval_above=usd("12.00"))
        return free

    @pytest.mark.parametrize(
        "change",
        [
            {"limit": usd("1000.00")},
            {"period": "month"},
            {"enforcement": "off"},
            {"ends_on": "2031-01-01"},
            {"limit": usd("1000.00"), "approval_above": usd("5000.00")},
        ],
        ids=str,
    )
    def test_more_freedom_waits_for_another_holder(
        self, client: TestClient, database: Database, other: str, change: Json, colleague: Json
    ) -> None:
        before = movements(database)

        answer = change_budget(client, other, **change)

        assert answer.status_code == 202, answer.text
        (proposal,) = answer.json()["waiting"]
        assert movements(database) == before
        approve(client, proposal["id"], colleague)
        assert change.items() <= client.get(f"/v1/budgets/{other}").json().items()
        with database.sessions() as session:
            assert violations(session) == []

    def test_an_amount_of_its_own_and_less_freedom_apply_at_once(
        self, client: TestClient, other: str
    ) -> None:
        assert change_budget(client, other, limit=usd("9.00")).status_code == 200
        assert change_budget(client, other, approval_above=usd("5000.00")).status_code == 200

    def test_budgets_of_other_workspaces_do_not_count(self, client: TestClient, database: Database) -> None:
        free = open_budget(client, "10.00")
        with database.sessions.begin() as session:
            elsewhere = create_workspace(session, "elsewhere").id
            strict = BudgetTerms(approval_above=cents(0))
            writer.create_budget(session, elsewhere, "strict", cents(100), strict)

        assert change_budget(client, free, limit=usd("1000.00")).status_code == 200

    def test_audit_finds_terms_that_were_loosened_alone(self, database: Database, other: str) -> None:
        with database.sessions() as session:
            as_owner = text("SELECT ledger.put_in_force(:id, '{\"limit_minor\": 100000}', NULL, NULL)")
            session.execute(as_owner, {"id": other})

            ((invariant, subject),) = violations(session)
            assert (invariant[:3], subject) == ("I31", f"{other}/2")
            session.rollback()


class TestAcceptedPrices:
    """Prices that the holder of another key than the ordering one accepts."""

    @pytest.fixture
    def budget(self, client: TestClient) -> str:
        """Open a budget of 100.00 USD of which a holder spends 12.00 alone."""
        return open_budget(client, approval_above=usd("12.00"))

    @pytest.fixture
    def plan(self, database: Database, workspace_id: UUID, settings: Settings) -> Planned:
        """Store a plan of three patches for 10.00 USD."""
        with database.sessions.begin() as session:
            return make_plan(session, workspace_id, settings.blobs)

    @pytest.fixture
    def order(self, client: TestClient, budget: str, plan: Planned) -> str:
        return str(place(client, plan, budget=budget).json()["id"])

    @pytest.mark.parametrize("in_time", [True, False])
    def test_prices_above_the_amount_are_not_accepted_by_one_holder(
        self,
        client: TestClient,
        database: Database,
        plan: Planned,
        order: str,
        colleague: Json,
        in_time: bool,
    ) -> None:
        options: Json = {"accept_price": True} if in_time else {"accept_late": True}
        if not in_time:
            expire(database, order)
        client.headers.update(colleague)
        before = movements(database)

        refused = deliver(client, order, *plan.bought[0], price="25.34", **options)

        assert code(refused) == (403, "self-approval")
        assert "at its share" in refused.json()["detail"]
        assert movements(database) == before

    def test_prices_in_parts_count_together(
        self, client: TestClient, database: Database, plan: Planned, order: str, budget: str, colleague: Json
    ) -> None:
        client.headers.update(colleague)
        first, second, third = plan.bought

        assert (
            deliver(client, order, *first, price="12.33", accept_price=True).status_code == 201
        )  # 9.00 more
        refused = deliver(client, order, *second, price="6.34", accept_price=True)  # 3.01 more
        assert code(refused) == (403, "self-approval")
        assert deliver(client, order, *second, price="6.33", accept_price=True).status_code == 201
        assert charge(client, order, "0.01").status_code == 202
        assert deliver(client, order, *third).status_code == 201
        assert usage(client, budget)["spent"] == "22.00"
        with database.sessions() as session:
            assert violations(session) == []

    def test_dear_patch_is_paid_by_a_charge_that_another_holder_approves(
        self, client: TestClient, plan: Planned, order: str, budget: str, colleague: Json
    ) -> None:
        assert deliver(client, order, *plan.bought[0]).status_code == 201
        waiting = charge(client, order, "22.01")
        assert waiting.status_code == 202
        approve(client, waiting.json()["id"], colleague)
        assert usage(client, budget)["spent"] == "25.34"

    def test_audit_finds_a_price_that_one_holder_accepted(
        self, client: TestClient, database: Database, plan: Planned, order: str, colleague: Json
    ) -> None:
        client.headers.update(colleague)
        place_of = plan.bought[0]
        assert deliver(client, order, *place_of, price="12.33", accept_price=True).status_code == 201
        with database.sessions() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            session.execute(text("UPDATE ledger.budget_terms SET approval_above_minor = 899"))

            found = [(invariant[:3], subject) for invariant, subject in violations(session)]
            reference = f"price:{order}/{place_of[0]}/{place_of[1]}"
            assert ("I30", reference) in found
            session.rollback()
