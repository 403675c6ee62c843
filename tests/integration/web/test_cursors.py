"""Cursors of lists: each is good for the list, the filters and the sorting that it was made for."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.app import create_app
from service.dashboard import ledger, ledger_invoices, operations, orders, plan_list
from service.database.engine import Database
from service.settings import Settings
from service.web.parameters import query_names
from tests.proofs.forgeries import RECHAIN
from tests.support.bundles import usd, write_bundle
from tests.support.dashboard import sign_in
from tests.support.databases import KEY
from tests.support.jobs import plan_later
from tests.support.ordering import buy, charge, code, open_budget, plan_scene, publish_prices

PAGES = (ledger, ledger_invoices, operations, orders, plan_list)
SAID = "This cursor was made for another list, other filters, another sorting, or by an earlier version"


@pytest.fixture
def app(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a server with two bundles, signed in to, whose pages show one row of each list."""
    for page in PAGES:
        monkeypatch.setattr(page, "ROWS", 1)
    for version in ("1", "2"):
        write_bundle(tmp_path / "bundles" / version, version=version)
    own = settings.model_copy(update={"bundles": tmp_path / "bundles"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as app:
        assert sign_in(app).status_code == 200
        yield app


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def close_two_months(app: TestClient, database: Database) -> None:
    """Date every movement so far two months back, a superuser's trick, and close both."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("transfer", "budget_terms"):
            session.execute(text(f"UPDATE ledger.{table} SET at = at - interval '2 months'"))
        session.execute(text(RECHAIN))
    last = month_before(datetime.now(UTC).date().replace(day=1))
    for month in (month_before(last), last):
        answer = app.post("/v1/ledger/closes", json={"month": f"{month:%Y-%m}"})
        assert answer.status_code == 201, answer.text


def send_invoice(app: TestClient, number: str, order: str) -> None:
    document = {
        "number": number, "provider": "Acme", "date": "2026-11-30", "currency": "USD", "tax": "1.90",
        "lines": [{"reference": order, "amount": "1.00"}],
    }  # fmt: skip
    assert app.post("/v1/invoices", json=document).status_code == 201


@pytest.fixture
def plan(app: TestClient, database: Database) -> str:
    """Store at least two rows of every list; return the id of a plan."""
    budget = open_budget(app, approval_above=usd("20.00"))
    open_budget(app, name="Pilot", approval_above=usd("0.00"))
    close_two_months(app, database)
    for name in ("acme", "other"):
        publish_prices(app, name)
        plan_later(app, price_list="acme")
        app.post("/v1/keys", json={"name": name, "role": "viewer"})
    plans = [plan_scene(app, max_patches=number, reuse="none") for number in (1, 2)]
    bought = [buy(app, one, budget=budget) for one in plans]
    for number, amount in enumerate(("1.00", "2.00", "30.00", "31.00")):
        assert charge(app, bought[number % 2], amount).status_code in {201, 202}
        send_invoice(app, f"R-{number}", bought[number % 2])
    return str(plans[0].id)


def lists(app: TestClient, plan: str) -> list[str]:
    """Return the address of every list whose pages are connected by cursors."""
    assert isinstance(app.app, FastAPI)
    found = list[str]()
    for route in iter_route_contexts(app.app.routes):
        assert isinstance(route.original_route, APIRoute)
        if "cursor" in query_names(route.original_route):
            assert route.methods == {"GET"}
            assert route.path is not None
            found.append(route.path.format(plan_id=plan))
    return found


def next_of(app: TestClient, address: str) -> str:
    """Return the address of the second page of a list."""
    if address.startswith("/dashboard"):
        links = re.findall(r'href="([^"]*cursor=[^"]*)"', app.get(address).text)
        assert len(links) == 1, f"{address} has not two pages"
        return html.unescape(links[0])
    parts = urlsplit(address)
    answer = app.get(parts.path, params={"limit": "1", **parse_qs(parts.query)})
    onward = {link["rel"]: link["href"] for link in answer.json()["links"]}
    assert "next" in onward, f"{address} has not two pages"
    return str(onward["next"])


def cursor_of(address: str) -> str:
    (cursor,) = parse_qs(urlsplit(address).query)["cursor"]
    return cursor


def assert_foreign(answer: Any) -> None:
    assert code(answer) == (422, "invalid-input"), answer.url
    assert answer.json()["detail"].startswith(SAID), answer.json()["detail"]


def test_every_list_takes_its_own_cursor_and_no_cursor_of_another_list(app: TestClient, plan: str) -> None:
    found = {address: next_of(app, address) for address in lists(app, plan)}
    assert len(found) > 15

    for onward in found.values():
        assert app.get(onward).status_code == 200, onward
    for own, other in permutations(found, 2):
        assert_foreign(app.get(own, params={"cursor": cursor_of(found[other])}))


@pytest.mark.usefixtures("plan")
def test_cursor_is_refused_with_other_filters_and_sortings(app: TestClient) -> None:
    for made_for, asked in (
        ("/v1/orders", "/v1/orders?sort=created_at"),
        ("/v1/plans?sort=created_at", "/v1/plans?"),
        ("/v1/ledger", "/v1/ledger?kind=settle"),
        ("/v1/orders?status=completed", "/v1/orders?status=completed&status=expired"),
        ("/dashboard/ledger?by=orders", "/dashboard/ledger?by=movements"),
        ("/dashboard/orders?status=completed", "/dashboard/orders?"),
    ):
        cursor = cursor_of(next_of(app, made_for))
        assert app.get(asked).status_code == 200
        assert_foreign(app.get(f"{asked}&cursor={cursor}"))


@pytest.mark.usefixtures("plan")
def test_cursor_is_good_for_pages_of_another_size_and_form(app: TestClient) -> None:
    cursor = cursor_of(next_of(app, "/v1/ledger"))
    newest, *others = app.get("/v1/ledger?limit=100").json()["items"]

    page = app.get("/v1/ledger", params={"cursor": cursor, "limit": "100"}).json()["items"]
    file = app.get("/v1/ledger", params={"cursor": cursor, "format": "csv"})

    assert page == others
    assert newest["id"] not in file.text
    assert file.text.count("\r\n") == 1 + len(others)


@pytest.mark.usefixtures("plan")
def test_what_no_list_made_is_no_cursor(app: TestClient) -> None:
    own = cursor_of(next_of(app, "/v1/orders"))

    for place in ("", ".", "x", "!!", "bm90LW91cnM", "2026.x", "é"):
        assert_foreign(app.get("/v1/orders", params={"cursor": place}))
        # With the right end, but with another place.
        assert_foreign(app.get("/v1/orders", params={"cursor": f"{place}.{own.rpartition('.')[2]}"}))
