"""No request holds a database connection while it computes, waits for a file or waits its turn."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from service.access.repository import create_key, create_workspace
from service.app import create_app
from service.classification.routes import router as classification
from service.dashboard.routes import router as dashboard
from service.database.engine import Database
from service.deliveries.routes import router as deliveries
from service.geotiff.quarantine import Quarantine
from service.orders.routes import router as orders
from service.plans.routes import router as plans
from service.reports.routes import router as reports
from service.rounds.routes import router as rounds
from service.settings import Settings
from service.web import claims
from service.web.turns import COMPUTING_AT_ONCE, take_large_turn, take_turn
from tests.support.bundles import make_geotiff, usd
from tests.support.connections import checked_out
from tests.support.counting import write_count_bundle
from tests.support.databases import KEY
from tests.support.ordering import TIFF, change_budget, open_budget, publish_prices
from tests.support.orders import make_patch
from tests.support.rounds import LOOK, ordered, planned
from tests.support.waiting import eventually
from tests.support.watching import watch_computing

Operation = tuple[str, str]

COMPUTING: dict[Operation, set[str]] = {
    ("POST", "/v1/plans"): {
        "decode", "cut_tiles", "utilities", "plan_purchases", "decider", "put",
    },
    ("POST", "/v1/plans/{plan_id}/replan"): {"plan_purchases", "decider"},
    ("GET", "/v1/plans/{plan_id}/patches"): {"margins"},
    ("GET", "/v1/plans/{plan_id}/shapes"): {"compile_order"},
    ("GET", "/v1/plans/{plan_id}/curve"): {"decider"},
    ("GET", "/v1/plans/{plan_id}/alternatives"): {"compare"},
    ("GET", "/v1/reports/savings/orders/{order_id}/alternatives"): {"compare"},
    ("GET", "/v1/plans/{plan_id}/preview.png"): {"get", "decode", "draw_preview"},
    ("GET", "/dashboard/plans/{plan_id}/preview.png"): {"get", "decode", "draw_preview"},
    ("GET", "/v1/plans/{plan_id}/scene.tif"): {"get"},
    ("PUT", "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"): {
        "get", "decode", "covered_patches", "place_patch", "put",
    },
    ("PUT", "/v1/orders/{order_id}/deliveries"): {
        "get", "decode", "covered_patches", "place_patch", "keep",
    },
    ("GET", "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"): {"verified_path"},
    ("POST", "/v1/orders/{order_id}/classification"): {"get", "decode", "cut_tiles", "classify"},
}  # fmt: skip
"""Computations of each operation. Another operation that is called computes nothing."""

COUNTING: dict[Operation, set[str]] = {
    ("POST", "/v1/orders/{order_id}/next-round"): {
        "resample_patch", "read", "revise_counts", "plan_purchases", "decider",
    },
}  # fmt: skip
"""Computations of operations that need a bundle that counts."""

TURNS = (take_turn, take_large_turn)

NOT_CALLED: set[Operation] = {
    ("POST", "/v1/price-lists"),
    ("POST", "/v1/price-lists/import"),
    ("POST", "/v1/budgets"),
    ("PATCH", "/v1/budgets/{budget_id}"),
    ("POST", "/v1/orders/{order_id}/cancel"),
    ("POST", "/v1/orders/{order_id}/approval"),
    ("POST", "/v1/orders/{order_id}/deadline"),
    ("POST", "/v1/ledger/closes"),
    ("POST", "/v1/proposals/{proposal_id}/approval"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/keys/{key_id}/rotate"),
    ("POST", "/v1/keys/{key_id}/revoke"),
}
"""Operations that only write a few rows. A new operation belongs here or into the journey."""


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Yield a client of an application that does not sweep: only requests take connections."""
    quiet = settings.model_copy(update={"expiry_seconds": 86_400.0})
    with TestClient(create_app(quiet), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


class Journey:
    """Every operation of the API, called once, with what it computed and the connections held meanwhile."""

    def __init__(self, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.computed: dict[Operation, set[str]] = defaultdict(set)
        self.held: list[tuple[Operation, str, int]] = []
        self.called: set[Operation] = set()
        self._now: Operation = ("", "")
        watch_computing(monkeypatch, self._enter)

    def _enter(self, name: str) -> None:
        self.computed[self._now].add(name)
        if connections := checked_out(self.client.app_state["database"]):
            self.held.append((self._now, name, connections))

    def call(self, method: str, path: str, ids: dict[str, Any] | None = None, **request: Any) -> Any:
        self._now = method, path
        self.called.add(self._now)
        answer = self.client.request(method, path.format(**(ids or {})), **request)
        assert answer.status_code < 400, (method, path, answer.text)
        return answer

    def make(self, path: str, ids: dict[str, Any] | None = None, **body: Any) -> Any:
        """POST JSON under a key and return the answer's JSON."""
        return self.call("POST", path, ids, json=body, headers={"Idempotency-Key": str(uuid4())}).json()


def travel(journey: Journey, client: TestClient) -> dict[str, Any]:
    """Buy and label a scene; return ids for the operations that only read."""
    publish_prices(client)
    budget = open_budget(client)
    scene: dict[str, Any] = {"content": make_geotiff(), "params": {"price_list": "acme", "max_patches": 3}}
    headers = TIFF | {"Idempotency-Key": "the-plan-of-the-journey"}
    first = journey.call("POST", "/v1/plans", headers=headers, **scene).json()
    plan = journey.make("/v1/plans/{plan_id}/replan", {"plan_id": first["id"]}, max_patches=1)
    order = journey.make("/v1/orders", plan=plan["id"], budget=budget)
    ((tile, patch),) = ((tile["tile"], patch) for tile in plan["tiles"] for patch in tile["buy"])
    ids = {"plan_id": plan["id"], "order_id": order["id"], "budget_id": budget, "tile": tile, "patch": patch}
    again = make_patch(tile, patch, seed=1)
    place = "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"
    journey.call("PUT", place, ids, content=make_patch(tile, patch), headers=TIFF)
    journey.call("PUT", "/v1/orders/{order_id}/deliveries", ids, content=again, headers=TIFF)
    ids["classification_id"] = journey.make("/v1/orders/{order_id}/classification", ids)["id"]
    known = {"tiles": [{"tile": tile, "true_label": None}]}
    journey.call("PUT", "/v1/orders/{order_id}/truth", ids, json=known)
    refund = {"kind": "refund", "order": order["id"], "amount": usd("0.01"), "reason": "cloud"}
    journey.make("/v1/ledger/adjustments", **refund)
    strict = open_budget(client, name="strict", approval_above=usd("1.00"))
    ids["proposal_id"] = change_budget(client, strict, approval_above=None).json()["waiting"][0]["id"]
    prices = client.get("/v1/price-lists").json()["items"][0]
    line = {"reference": order["id"], "amount": "1.00"}
    about: dict[str, Any] = {"number": "R-1", "provider": "Acme", "date": "2026-11-30", "currency": "USD"}
    ids["invoice_id"] = journey.make("/v1/invoices", **about, lines=[line])["items"][0]["id"]
    others = {"price_list_id": prices["id"], "price_list": prices["id"], "transfer": 1, "bundle": "tiny"}
    return ids | others


def documented(client: TestClient) -> set[Operation]:
    paths = client.get("/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_no_operation_holds_a_connection_while_it_computes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 3600.0)  # a renewal takes a connection for a moment
    journey = Journey(client, monkeypatch)
    ids = travel(journey, client)
    operations = documented(client)
    for method, path in operations:
        if method == "GET":
            journey.call(method, path, ids)
    assert operations - journey.called == NOT_CALLED | COUNTING.keys()
    client.post("/dashboard/login", data={"key": KEY})
    journey.call("GET", "/dashboard/plans/{plan_id}/preview.png", ids)

    assert dict(journey.computed) == COMPUTING
    assert journey.held == []


def test_no_operation_of_a_bundle_that_counts_holds_a_connection_while_it_computes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 3600.0)
    write_count_bundle(tmp_path / "counting" / "tiny-count", second_look=LOOK)
    own = settings.model_copy(update={"bundles": tmp_path / "counting"})
    with TestClient(create_app(own), headers={"Authorization": f"Bearer {KEY}"}) as client:
        publish_prices(client)
        open_budget(client)
        order = ordered(client, planned(client, max_patches=1))
        journey = Journey(client, monkeypatch)
        for _, path in COUNTING:
            journey.make(path, {"order_id": order})
    assert dict(journey.computed) == COUNTING
    assert journey.held == []


def test_requests_that_hang_in_decoding_leave_connections_and_threads_for_others(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen files of 10 KB once held the whole pool, and no workspace was served any more.

    Three times as many as may compute at once would also take every thread, if they waited on one.
    """
    publish_prices(client)
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    decode, release, hanging = Quarantine.decode, threading.Event(), list[int]()

    def hang(*args: Any) -> Any:
        hanging.append(1)
        assert release.wait(120)
        return decode(*args)

    monkeypatch.setattr(Quarantine, "decode", hang)

    def plan(number: int) -> int:
        headers = TIFF | {"Idempotency-Key": f"hanging-{number}"}
        params = {"price_list": "acme"}
        return int(
            client.post("/v1/plans", content=make_geotiff(), headers=headers, params=params).status_code
        )

    many = 3 * COMPUTING_AT_ONCE
    with ThreadPoolExecutor(many) as pool:
        plans = [pool.submit(plan, number) for number in range(many)]
        try:
            eventually(lambda: len(hanging) == COMPUTING_AT_ONCE)
            answer = client.get("/v1/budgets", headers={"Authorization": f"Bearer {stranger}"})
            assert len(hanging) == COMPUTING_AT_ONCE
        finally:
            release.set()

    assert answer.status_code == 200
    assert {one.result() for one in plans} == {201}


def test_every_operation_that_computes_waits_its_turn() -> None:
    reading_files = {operation for operation, does in COMPUTING.items() if does <= {"get", "verified_path"}}

    waiting = {
        (method, route.path)
        for router in (plans, orders, deliveries, classification, rounds, reports, dashboard)
        for route in router.routes
        if isinstance(route, APIRoute) and any(one.call in TURNS for one in route.dependant.dependencies)
        for method in route.methods or ()
    }

    assert waiting == (COMPUTING.keys() | COUNTING.keys()) - reading_files
