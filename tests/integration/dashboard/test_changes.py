"""Marks by which open pages learn that they have to be read again."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.dashboard import form_fields, send, sign_in
from tests.support.jobs import app_of
from tests.support.operations import NOBODY
from tests.support.ordering import deliver, let_time_pass, open_budget, place, plan_scene, publish_prices
from tests.support.orders import Planned

WATCHED = re.compile(r'<main id="content" tabindex="-1" data-changes="([^"]+)" data-mark="([0-9a-f]+)">')
Act = Callable[[], object]


@pytest.fixture
def planned(client: TestClient) -> Planned:
    publish_prices(client)
    open_budget(client)
    return plan_scene(client)


@pytest.fixture
def bought(client: TestClient, planned: Planned) -> str:
    return str(place(client, planned).json()["id"])


def watch_of(browser: TestClient, page: str) -> tuple[str, str]:
    """Return the address that a page asks for changes, and its mark."""
    found = WATCHED.search(browser.get(page).text)
    assert found is not None, page
    return found[1], found[2]


def ask(browser: TestClient, watch: tuple[str, str]) -> Any:
    return browser.get(watch[0], headers={"If-None-Match": f'"{watch[1]}"', "Accept": "application/json"})


def test_page_stays_at_its_mark_until_something_happens(browser: TestClient, bought: str) -> None:
    sign_in(browser)
    for page in ("/dashboard", "/dashboard/orders", f"/dashboard/orders/{bought}"):
        watch = watch_of(browser, page)
        for _ in range(2):
            answer = ask(browser, watch)
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["cache-control"] == "no-store"
        assert watch_of(browser, page) == watch


@pytest.mark.parametrize("page", ["/dashboard", "/dashboard/orders", "/dashboard/orders/{}"])
def test_each_step_of_an_order_gives_its_pages_a_new_mark(
    client: TestClient, browser: TestClient, planned: Planned, bought: str, page: str
) -> None:
    sign_in(browser)
    page, own = page.format(bought), f"/dashboard/orders/{bought}"
    later = str((datetime.now(UTC) + timedelta(days=60)).date())
    first, *others = planned.bought
    steps: list[Act] = [
        lambda: deliver(client, bought, *first),
        lambda: [deliver(client, bought, *one) for one in others],
        lambda: client.post(
            "/v1/ledger/adjustments",
            json={
                "kind": "refund",
                "order": bought,
                "amount": {"amount": "0.01", "currency": "USD"},
                "reason": "late",
            },
            headers={"Idempotency-Key": "a-refund-of-the-order"},
        ).raise_for_status(),
    ]
    if page == own:
        steps = [
            lambda: send(browser, f"{own}/deadline", own, last_day=later),
            *steps,
            lambda: send(browser, f"{own}/classification", own),
            lambda: send(browser, f"{own}/truth", own, **{"true-0": "farm"}),
        ]
    if page == "/dashboard":
        steps = steps[:2]  # what waits does not depend on payments
    for number, step in enumerate(steps):
        watch = watch_of(browser, page)
        step()
        answer = ask(browser, watch)
        assert answer.status_code == 200, number
        assert answer.json()["mark"] != watch[1]
        assert watch_of(browser, page)[1] == answer.json()["mark"]


def test_order_whose_time_is_up_is_a_change_although_nothing_was_written(
    browser: TestClient, bought: str, database: Database
) -> None:
    sign_in(browser)
    pages = ("/dashboard", f"/dashboard/orders/{bought}")
    watches = [watch_of(browser, page) for page in pages]
    let_time_pass(database, bought)
    assert [ask(browser, watch).status_code for watch in watches] == [200, 200]


def test_waiting_job_has_a_mark_that_its_end_changes(settings: Settings) -> None:
    with app_of(settings, request_tiles=1, worker=False) as client:
        publish_prices(client)
        client.follow_redirects = False
        sign_in(client)
        job = client.post(
            "/v1/plans?price_list=acme", content=make_geotiff(), headers={"Content-Type": "image/tiff"}
        ).json()["id"]
        page = f"/dashboard/jobs/{job}"
        watch = watch_of(client, page)
        assert ask(client, watch).status_code == 304
        client.post(f"{page}/cancel", data=form_fields(client, page))
        assert ask(client, watch).status_code == 200
        assert WATCHED.search(client.get(page).text) is None  # nothing about it changes any more


def test_refused_form_has_an_address_that_is_not_watched(browser: TestClient, bought: str) -> None:
    sign_in(browser)
    page = f"/dashboard/orders/{bought}"
    refused = send(browser, f"{page}/deadline", page, last_day="2001-01-01")
    assert refused.status_code == 409
    assert WATCHED.search(refused.text) is None
    assert "live.js" not in refused.text


@pytest.mark.parametrize("path", ["/orders/{}/changes", "/jobs/{}/changes"])
def test_mark_of_nothing_and_of_another_workspace_is_not_found(browser: TestClient, path: str) -> None:
    sign_in(browser)
    answer = browser.get(f"/dashboard{path.format(NOBODY)}", headers={"Accept": "application/json"})
    assert answer.status_code == 404


def test_mark_is_for_signed_in_visitors_only(browser: TestClient) -> None:
    answer = browser.get("/dashboard/changes", headers={"Accept": "application/json"})
    assert answer.status_code == 401
