"""Actions on orders on the dashboard: decisions, cancelling, and deadlines."""

import html
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.roles import Role
from service.dashboard import orders
from service.database.engine import Database
from tests.support.dashboard import follow, form_fields, send, sign_in, status_of, words_of
from tests.support.ordering import buy, change_budget, held_order, open_budget, place, plan_scene, usage
from tests.support.people import key_of

LIST = "/dashboard/orders"


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
