"""Orders on the dashboard: the list, and the page of one."""

import html
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.access.roles import Role
from service.database.engine import Database
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import buy, held_order, let_time_pass, open_budget, place, plan_scene
from tests.support.people import key_of

LIST = "/dashboard/orders"


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
