"""Orders on the dashboard: the list, one order, and the actions on it."""

import html
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key
from service.access.roles import Role
from service.access.tables import Workspace
from service.dashboard import orders
from service.database.engine import Database
from tests.support.dashboard import follow, form_fields, send, sign_in, status_of, words_of
from tests.support.ordering import (
    buy,
    change_budget,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    usage,
)

LIST = "/dashboard/orders"


@pytest.fixture
def priced(client: TestClient) -> None:
    publish_prices(client)


def key_of(database: Database, workspace_id: Any, role: Role) -> str:
    """Make a key of another holder."""
    with database.sessions.begin() as session:
        return create_key(session, session.get_one(Workspace, workspace_id), f"the {role}", role)


def held_order(client: TestClient) -> tuple[str, str]:
    """Place an order that waits for another holder; return its budget and the order."""
    above = {"amount": "1.00", "currency": "USD"}
    budget = open_budget(client, name="careful", approval_above=above)
    return budget, str(place(client, plan_scene(client), budget=budget).json()["id"])


@pytest.mark.usefixtures("priced")
class TestPage:
    def test_labels_are_the_next_step_once_every_patch_came(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        sign_in(browser)
        steps = []
        for patches in (1, None):
            order = buy(client, plan_scene(client, reuse="none"), patches=patches)
            page = words_of(browser.get(f"{LIST}/{order}").text)
            steps.append(page.index("Classify Label every tile") < page.index("GeoTIFFs or zip archives"))
        assert steps == [False, True]

    def test_one_button_is_primary(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        sign_in(browser)
        primary = []
        for patches in (1, None):
            order = buy(client, plan_scene(client, reuse="none"), patches=patches)
            page = browser.get(f"{LIST}/{order}").text
            primary.append(re.findall(r'<button class="primary"[^>]*>(.*?)<', page))
        assert primary == [["Hand in"], ["Classify"]]

    def test_saving_stands_before_the_patches(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        order = buy(client, plan_scene(client))
        sign_in(browser)
        page = browser.get(f"{LIST}/{order}").text
        ids = re.findall(r'<h2 id="(\w+)"', page)
        assert ids.index("saving") < ids.index("patches")


@pytest.mark.usefixtures("priced")
class TestList:
    def test_shows_status_owner_amount_and_patches(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client, name="Harvest")
        order = buy(client, plan_scene(client), patches=1, tags={"team": "north"}, cost_center="4711")
        sign_in(browser)
        page = words_of(browser.get(LIST).text)
        amount = client.get(f"/v1/orders/{order}").json()["amounts"]["total"]["amount"]
        for words in (
            order[:8],
            "processing",
            "operator",
            "Harvest",
            "4711, team = north",
            f"{amount} USD",
            "1 of 3",
        ):
            assert words in page, words

    def test_filters_live_in_the_address(self, client: TestClient, browser: TestClient) -> None:
        first, second = open_budget(client, name="one"), open_budget(client, name="two")
        done = buy(client, plan_scene(client), budget=first, tags={"team": "north"})
        waiting = str(place(client, plan_scene(client, reuse="none"), budget=second).json()["id"])
        sign_in(browser)
        for query, shown, hidden in (
            ("status=completed", done, waiting), ("status=accepted&budget=&text=", waiting, done),
            (f"budget={second}", waiting, done), ("text=NORTH", done, waiting),
            (f"text={waiting[:8]}", waiting, done),
        ):  # fmt: skip
            page = browser.get(f"{LIST}?{query}").text
            assert (shown in page, hidden in page) == (True, False), query
        assert "No order matches these filters" in browser.get(f"{LIST}?to=2020-01-01").text
        assert "No order matches these filters" in browser.get(f"{LIST}?text=%25").text
        page = browser.get(f"{LIST}?from=0001-01-01&to=9999-12-31").text
        assert (done in page, waiting in page) == (True, True)

    @pytest.mark.parametrize(
        "query", ["status=nonsense", "budget=7", "from=yesterday", "colour=red", "cursor=x"]
    )
    def test_refuses_a_filter_that_it_does_not_know(self, browser: TestClient, query: str) -> None:
        sign_in(browser)
        answer = browser.get(f"{LIST}?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")

    def test_first_shows_what_the_role_of_the_visitor_can_do(
        self, client: TestClient, browser: TestClient, database: Database, workspace_id: Any
    ) -> None:
        budget = open_budget(client, name="plain")
        _, held = held_order(client)
        late = buy(client, plan_scene(client, reuse="none"), patches=1, budget=budget)
        let_time_pass(database, late)
        expected = {
            Role.APPROVER: ("1 order to approve or reject", "overdue in"),
            Role.BUYER: ("1 order overdue in the last 30 days", "to approve"),
            Role.VIEWER: ("Nothing waits for you", "overdue in"),
        }
        for role, (shown, hidden) in expected.items():
            sign_in(browser, key_of(database, workspace_id, role))
            page = words_of(browser.get(LIST).text)
            assert (shown in page, hidden in page) == (True, False), role
        sign_in(browser)  # who placed the order does not decide on it
        assert "to approve" not in words_of(browser.get(LIST).text)
        assert held[:8] in words_of(browser.get(LIST).text)

    def test_leads_from_page_to_page(self, client: TestClient, browser: TestClient, monkeypatch: Any) -> None:
        monkeypatch.setattr("service.dashboard.orders.ROWS", 1)
        open_budget(client)
        older, newer = (str(place(client, plan_scene(client, reuse="none")).json()["id"]) for _ in range(2))
        sign_in(browser)
        found = re.search(r'href="([^"]+)">Older orders', browser.get(f"{LIST}?status=accepted").text)
        assert found is not None
        page = browser.get(html.unescape(found[1])).text
        assert (older in page, newer in page) == (True, False)


@pytest.mark.usefixtures("priced")
class TestDecisions:
    @pytest.mark.parametrize(("decision", "status"), [("approve", "accepted"), ("reject", "rejected")])
    def test_another_holder_decides_once(
        self,
        client: TestClient,
        browser: TestClient,
        database: Database,
        workspace_id: Any,
        decision: str,
        status: str,
    ) -> None:
        _, order = held_order(client)
        sign_in(browser, key_of(database, workspace_id, Role.APPROVER))
        path = f"{LIST}/{order}"
        fields = form_fields(browser, path) | {"decision": decision, "note": "as agreed"}
        answers = [browser.post(f"{path}/approval", data=fields) for _ in range(2)]  # a double click
        assert [one.status_code for one in answers] == [303, 303]
        page = follow(browser, answers[0])
        assert status_of(client, order) == status
        steps = client.get(f"/v1/orders/{order}/statuses").json()["items"]
        assert [step["status"] for step in steps] == ["held", status]
        assert f"The order is {status.replace('accepted', 'approved')}" in page
        assert "as agreed" in page
        assert "the approver" in page

    def test_refuses_the_own_order_and_says_so_on_the_page(
        self, client: TestClient, browser: TestClient
    ) -> None:
        _, order = held_order(client)
        sign_in(browser)
        path = f"{LIST}/{order}"
        assert "You placed this order" in words_of(browser.get(path).text)
        answer = send(browser, f"{path}/approval", path, decision="approve")
        assert answer.status_code == 403
        assert "Ask the holder of another key" in words_of(answer.text)
        assert "Patches delivered" in words_of(answer.text)
        assert status_of(client, order) == "held"

    def test_names_the_holder_if_another_of_its_keys_placed_the_order(
        self, client: TestClient, browser: TestClient
    ) -> None:
        _, order = held_order(client)
        key = client.post("/v1/keys", json={"name": "my second key", "role": "approver"}).json()["key"]
        sign_in(browser, key)
        page = words_of(browser.get(f"{LIST}/{order}").text)
        assert "The key that placed this order has the same holder as yours" in page
        assert "You placed this order" not in page

    def test_refuses_a_role_in_words_and_notes_it(
        self, client: TestClient, browser: TestClient, database: Database, workspace_id: Any
    ) -> None:
        _, order = held_order(client)
        sign_in(browser, key_of(database, workspace_id, Role.VIEWER))
        path = f"{LIST}/{order}"
        assert "Deciding needs the role approver or admin" in words_of(browser.get(path).text)
        for action, fields in (
            ("approval", {"decision": "approve"}), ("cancel", {}), ("deadline", {"last_day": "2030-01-01"}),
            ("classification", {}), ("next-round", {}), ("truth", {"true-0": "farm"}),
        ):  # fmt: skip
            answer = send(browser, f"{path}/{action}", path, **fields)
            assert answer.status_code == 403, action
            assert "Your key is for the role viewer" in words_of(answer.text)
        files = {"files": ("a.tif", b"II", "image/tiff")}
        assert browser.post(f"{path}/files", data=form_fields(browser, path), files=files).status_code == 403
        browser.app_state["notes"].write(database)
        with database.sessions() as session:
            kinds = session.execute(
                text("SELECT subject FROM audit_event WHERE kind = 'refused-role'")
            ).scalars()
            assert set(kinds) == {
                "decide_order", "cancel_order", "put_off_order", "classify_order", "plan_next_round",
                "put_truth", "deliver_file",
            }  # fmt: skip
        assert status_of(client, order) == "held"

    def test_decides_on_proposals(
        self, client: TestClient, browser: TestClient, database: Database, workspace_id: Any
    ) -> None:
        budget, _ = held_order(client)
        change_budget(client, budget, approval_above=None)
        sign_in(browser, key_of(database, workspace_id, Role.APPROVER))
        page = browser.get(LIST).text
        assert "Change approval above to none" in page
        found = re.search(r'action="(/dashboard/orders/proposals/[^"]+)"', page)
        assert found is not None
        page = follow(browser, send(browser, found[1], LIST, decision="approve"))
        assert "The proposal is approved, and it is in force." in page
        assert "approval_above" not in client.get(f"/v1/budgets/{budget}").json()
        refused = send(browser, found[1], LIST, decision="reject")
        assert refused.status_code == 409
        assert "All orders" in words_of(refused.text)

    def test_refused_decision_leads_to_older_orders(
        self, client: TestClient, browser: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(orders, "ROWS", 1)
        budget, first = held_order(client)
        place(client, plan_scene(client, reuse="none"), budget=budget)
        sign_in(browser)
        refused = send(browser, f"{LIST}/proposals/{first}", LIST, decision="reject")
        assert refused.status_code == 404
        (older,) = re.findall(r'href="([^"]*cursor=[^"]*)"', refused.text)
        page = browser.get(html.unescape(older))
        assert (page.status_code, f"{LIST}/{first}" in page.text) == (200, True)


@pytest.mark.usefixtures("priced")
class TestEnding:
    def test_cancelling_shows_the_amounts_first(self, client: TestClient, browser: TestClient) -> None:
        budget = open_budget(client)
        order = buy(client, plan_scene(client), patches=1)
        preview = client.get(f"/v1/orders/{order}/cancel").json()
        sign_in(browser)
        path = f"{LIST}/{order}"
        assert preview["detail"] in words_of(browser.get(f"{path}/cancel").text)
        fields = form_fields(browser, f"{path}/cancel")
        assert status_of(client, order) == "processing"
        answers = [browser.post(f"{path}/cancel", data=fields) for _ in range(2)]
        assert preview["released"]["amount"] in follow(browser, answers[1])
        assert status_of(client, order) == "user_cancelled"
        assert usage(client, budget)["held"] == "0.00"

    def test_refuses_to_cancel_what_is_complete(self, client: TestClient, browser: TestClient) -> None:
        open_budget(client)
        order = buy(client, plan_scene(client))
        sign_in(browser)
        answer = send(browser, f"{LIST}/{order}/cancel", f"{LIST}/{order}")
        assert answer.status_code == 409
        assert "nothing is left to cancel" in words_of(answer.text)

    def test_deadline_can_be_put_off_and_not_brought_forward(
        self, client: TestClient, browser: TestClient
    ) -> None:
        open_budget(client)
        order = str(place(client, plan_scene(client)).json()["id"])
        sign_in(browser)
        path = f"{LIST}/{order}"
        for day, status in (("2020-01-01", 409), ("soon", 422), ("", 422)):
            assert send(browser, f"{path}/deadline", path, last_day=day).status_code == status
        due = client.get(f"/v1/orders/{order}").json()["expires_at"]
        with_more = f"{int(due[:4]) + (due[5:7] == '12')}-{int(due[5:7]) % 12 + 1:02}-15"
        assert "awaits its patches until" in follow(
            browser, send(browser, f"{path}/deadline", path, last_day=with_more)
        )
