"""Reading never writes: every GET is answered by a database that refuses to write."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from service.app import create_app
from service.dashboard.routes import router as dashboard
from service.database.engine import Database
from service.settings import Settings
from tests.support.dashboard import form_fields
from tests.support.databases import KEY, administer
from tests.support.jobs import plan_later
from tests.support.ordering import buy, change_budget, let_time_pass, open_budget, plan_scene, publish_prices
from tests.support.orders import make_patch

Json = dict[str, Any]
SIGNING_IN = {"/dashboard/login/issuer", "/dashboard/login/return"}
"""Pages that need an issuer. The second begins a session, and the issuer sends browsers to it by GET."""


@pytest.fixture
def existing(client: TestClient, database: Database) -> Json:
    """Store one of everything that can be read, with an overdue order; return it by path parameter."""
    publish_prices(client)
    budget = open_budget(client)
    plan = plan_scene(client, max_patches=4)
    order = buy(client, plan, patches=1)
    amount = {"amount": "1.00", "currency": "USD"}
    charge = {"kind": "charge", "order": order, "reason": "late fee", "amount": amount}
    key = {"Idempotency-Key": str(uuid4())}
    client.post("/v1/ledger/adjustments", json=charge, headers=key).raise_for_status()
    strict = open_budget(client, name="strict", approval_above=amount)
    proposal = change_budget(client, strict, approval_above=None).json()["waiting"][0]
    labels = client.post(f"/v1/orders/{order}/classification", json={"allow_partial": True})
    bill = {
        "number": "R-1", "provider": "Acme", "date": "2026-11-30", "currency": "USD",
        "lines": [{"reference": order, "amount": "1.00"}],
    }  # fmt: skip
    invoice = client.post("/v1/invoices", json=bill).json()["items"][0]
    tile, patch = plan.bought[0]
    handed_in = hand_in(client, order, make_patch(tile, patch, seed=1))
    let_time_pass(database, order)
    return {
        "order_id": order, "plan_id": plan.id, "budget_id": budget, "tile": tile, "patch": patch,
        "classification_id": labels.json()["id"], "transfer": 1, "kind": "csv", "name": "dashboard.css",
        "code": "not-found", "form": "csv", "month": f"{datetime.now(UTC):%Y-%m}",
        "price_list_id": client.get("/v1/price-lists").json()["items"][0]["id"], "bundle": "tiny",
        "invoice_id": invoice["id"], "proposal_id": proposal["id"],
        "key": handed_in, "job_id": plan_later(client).json()["id"], "chart": "curves", "table": "requests",
    }  # fmt: skip


def hand_in(client: TestClient, order: str, file: bytes) -> str:
    """Hand in a file on the page of an order and return the key of the page of its results."""
    client.post("/dashboard/login", data={"key": KEY})
    fields = form_fields(client)
    files = {"files": ("patch.tif", file, "image/tiff")}
    shown = client.post(f"/dashboard/orders/{order}/files", data=fields, files=files).raise_for_status()
    return str(shown.url.path.rpartition("/")[2])


@pytest.fixture
def reader(client: TestClient, existing: Json, database_url: str, settings: Settings) -> Iterator[TestClient]:
    """Yield a client of a server whose database refuses to write, signed in to the dashboard."""
    assert existing  # stored before the database refuses to write
    client.post("/dashboard/login", data={"key": KEY})
    name = make_url(database_url).database
    administer(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    app, headers = create_app(settings), dict(client.headers)
    with TestClient(app, headers=headers, cookies=client.cookies, raise_server_exceptions=False) as reader:
        yield reader


def pages() -> list[str]:
    """Return the path of every page and file of the dashboard that a session can read."""
    return [
        route.path
        for route in dashboard.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and route.path not in SIGNING_IN
    ]


def test_times_on_every_page_are_marked_up_and_say_utc(client: TestClient, existing: Json) -> None:
    client.post("/dashboard/login", data={"key": KEY})
    shown = {path: client.get(path.format(**existing)) for path in pages()}
    marked: list[str] = []
    for path, answer in shown.items():
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        found = re.findall(r'<time [^>]*datetime="([^"]+)">(.*?)</time>', answer.text, re.DOTALL)
        for moment, words in found:
            assert datetime.fromisoformat(moment).tzinfo == UTC, path
            assert re.sub(r"<[^>]+>", "", words).endswith(" UTC"), path
        beside = re.sub(r"<time\b.*?</time>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
        assert re.findall(r"\b[0-9]{1,2}:[0-9]{2}\b", beside) == [], path
        marked += [path] * bool(found)
    assert len(marked) > 8, marked


def test_no_get_writes(reader: TestClient, existing: Json) -> None:
    described = reader.get("/openapi.json").json()["paths"]
    paths = [path for path, operations in described.items() if "get" in operations]
    answers = {path: reader.get(path.format(**existing)) for path in paths + pages()}

    assert len(paths) > 25
    assert len(pages()) > 5
    assert {path: answer.text for path, answer in answers.items() if answer.status_code != 200} == {}
    assert answers["/v1/orders/{order_id}"].json()["status"] == "expired"
    assert reader.post(
        "/v1/budgets", json={"name": "x", "limit": {"amount": "1", "currency": "USD"}}
    ).is_error
