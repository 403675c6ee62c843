"""No request holds a database connection while it computes, waits for a file or waits its turn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.database.engine import Database
from service.geotiff.quarantine import Quarantine
from service.settings import Settings
from service.web import claims
from tests.support.bundles import make_geotiff, usd
from tests.support.counting import write_count_bundle
from tests.support.crowds import Crowd
from tests.support.dashboard import form_fields
from tests.support.databases import KEY
from tests.support.jobs import ASYNC
from tests.support.journeys import Journey, Operation
from tests.support.ordering import TIFF, change_budget, open_budget, publish_prices
from tests.support.orders import make_patch
from tests.support.rounds import LOOK, ordered, planned

COMPUTING: dict[Operation, set[str]] = {
    ("POST", "/v1/plans"): {
        "decode", "cut_tiles", "utilities", "plan_purchases", "decider", "put",
    },
    ("POST", "/v1/plans/{plan_id}/replan"): {"plan_purchases", "decider"},
    ("GET", "/v1/plans/{plan_id}/patches"): {"margins"},
    ("GET", "/v1/plans/{plan_id}/shapes"): {"compile_order"},
    ("GET", "/v1/orders/{order_id}/shapes"): {"compile_order"},
    ("GET", "/v1/plans/{plan_id}/curve"): {"decider"},
    ("GET", "/v1/plans/{plan_id}/alternatives"): {"compare"},
    ("GET", "/v1/reports/savings/orders/{order_id}/alternatives"): {"compare"},
    ("GET", "/v1/plans/{plan_id}/preview.png"): {"get", "decode", "draw_preview"},
    ("GET", "/dashboard/plans/{plan_id}/preview.png"): {"get", "decode", "draw_preview"},
    ("GET", "/dashboard/plans/{plan_id}"): {"compile_order"},
    ("GET", "/dashboard/plans/{plan_id}/scene.png"): {"open_checked", "render_window"},
    ("GET", "/dashboard/plans/{plan_id}/shapes"): {"compile_order"},
    ("GET", "/dashboard/plans/{plan_id}/patches.geojson"): {"margins"},
    ("GET", "/dashboard/plans/{plan_id}/scene.tif"): {"get"},
    ("GET", "/dashboard/plans/{plan_id}/what-if"): {"decider"},
    ("GET", "/dashboard/plans/{plan_id}/curve.csv"): {"decider"},
    ("POST", "/dashboard/plans/{plan_id}/what-if"): {"plan_purchases", "decider"},
    ("POST", "/dashboard/plans/new"): {
        "decode", "cut_tiles", "utilities", "plan_purchases", "decider", "put",
    },
    ("GET", "/v1/plans/{plan_id}/scene.tif"): {"get"},
    ("PUT", "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"): {
        "get", "decode", "covered_patches", "place_patch", "put",
    },
    ("PUT", "/v1/orders/{order_id}/deliveries"): {
        "get", "decode", "covered_patches", "place_patch", "keep",
    },
    ("GET", "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"): {"open_checked"},
    ("POST", "/v1/orders/{order_id}/classification"): {"get", "decode", "cut_tiles", "classify"},
    ("POST", "/dashboard/orders/{order_id}/files"): {
        "get", "decode", "covered_patches", "place_patch", "keep",
    },
    ("POST", "/dashboard/orders/{order_id}/classification"): {"get", "decode", "cut_tiles", "classify"},
    ("GET", "/dashboard/orders/{order_id}/tiles/{tile}/patches/{patch}.tif"): {"open_checked"},
}  # fmt: skip
"""Computations of each operation. Another operation that is called computes nothing."""

COUNTING: dict[Operation, set[str]] = {
    ("POST", "/v1/orders/{order_id}/next-round"): {
        "resample_patch", "read", "revise_counts", "plan_purchases", "decider",
    },
    ("POST", "/dashboard/orders/{order_id}/next-round"): {
        "resample_patch", "read", "revise_counts", "plan_purchases", "decider",
    },
}  # fmt: skip
"""Computations of operations that need a bundle that counts."""

ADDING_UP: set[Operation] = {("GET", "/dashboard/models"), ("GET", "/dashboard/models/{chart}.csv")}
"""Operations that wait their turn because they read the decisions of 200 plans, and compute nothing else."""


NOT_CALLED: set[Operation] = {
    ("POST", "/v1/price-lists"),
    ("POST", "/v1/price-lists/import"),
    ("POST", "/v1/budgets"),
    ("PATCH", "/v1/budgets/{budget_id}"),
    ("PATCH", "/v1/plans/{plan_id}"),
    ("PATCH", "/v1/orders/{order_id}"),
    ("POST", "/v1/orders/{order_id}/cancel"),
    ("POST", "/v1/orders/{order_id}/approval"),
    ("POST", "/v1/orders/{order_id}/deadline"),
    ("POST", "/v1/ledger/closes"),
    ("POST", "/v1/proposals/{proposal_id}/approval"),
    ("POST", "/v1/proposals/{proposal_id}/withdrawal"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/keys/{key_id}/rotate"),
    ("POST", "/v1/keys/{key_id}/revoke"),
    ("POST", "/v1/delegations"),
    ("POST", "/v1/delegations/{delegation_id}/end"),
    ("POST", "/v1/people/{person_id}/role"),
    ("POST", "/v1/people/{person_id}/remove"),
    ("POST", "/v1/jobs/{job_id}/cancel"),
    ("PUT", "/v1/retention"),
    ("DELETE", "/v1/plans/{plan_id}/pixels"),
    ("DELETE", "/v1/orders/{order_id}/pixels"),
}
"""Operations that only write a few rows. A new operation belongs here or into the journey."""


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Yield a client of an application that does not sweep: only requests take connections."""
    quiet = settings.model_copy(update={"expiry_seconds": 86_400.0})
    with TestClient(create_app(quiet), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def travel(journey: Journey, client: TestClient) -> dict[str, Any]:
    """Buy and label a scene; return ids for the operations that only read."""
    publish_prices(client)
    budget = open_budget(client)
    scene: dict[str, Any] = {"content": make_geotiff(), "params": {"price_list": "acme", "max_patches": 3}}
    headers = TIFF | {"Idempotency-Key": "the-plan-of-the-journey"}
    first = journey.call("POST", "/v1/plans", headers=headers, **scene).json()
    job = journey.call("POST", "/v1/plans", headers=TIFF | ASYNC, **scene).json()
    plan = journey.make("/v1/plans/{plan_id}/replan", {"plan_id": first["id"]}, max_patches=1)
    order = journey.make("/v1/orders", plan=plan["id"], budget=budget)
    ((tile, patch),) = ((tile["tile"], patch) for tile in plan["tiles"] for patch in tile["buy"])
    ids = {"plan_id": plan["id"], "order_id": order["id"], "budget_id": budget, "tile": tile, "patch": patch}
    again = make_patch(tile, patch, seed=1)
    place = "/v1/orders/{order_id}/tiles/{tile}/patches/{patch}"
    journey.call("PUT", place, ids, content=make_patch(tile, patch), headers=TIFF)
    journey.call("PUT", "/v1/orders/{order_id}/deliveries", ids, content=again, headers=TIFF)
    ids["job_id"] = job["id"]
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
    others = {
        "price_list_id": prices["id"], "price_list": prices["id"], "transfer": 1, "bundle": "tiny",
        "code": "not-found",
    }  # fmt: skip
    return ids | others


def look(journey: Journey, client: TestClient, ids: dict[str, Any]) -> None:
    """Open every page of the dashboard that computes, and send its forms."""
    for method, path in COMPUTING:
        if method == "GET" and path.startswith("/dashboard/"):
            journey.call(method, path, ids)
    form = form_fields(client)
    again = form | {"price_list": ids["price_list_id"], "patches": "2"}
    journey.call("POST", "/dashboard/plans/{plan_id}/what-if", ids, data=again, follow_redirects=False)
    scene = {"scene": ("scene.tif", make_geotiff(), "image/tiff")}
    journey.call(
        "POST",
        "/dashboard/plans/new",
        data=form_fields(client) | {"aim": "policy"},
        files=scene,
        follow_redirects=False,
    )


def act(journey: Journey, client: TestClient, ids: dict[str, Any]) -> None:
    """Hand in a file on the page of an order, and classify."""
    client.post("/dashboard/login", data={"key": KEY})
    file = {"files": ("patch.tif", make_patch(ids["tile"], ids["patch"], seed=2), "image/tiff")}
    send_form(journey, client, "/dashboard/orders/{order_id}/files", ids, files=file)
    send_form(journey, client, "/dashboard/orders/{order_id}/classification", ids)


def send_form(journey: Journey, client: TestClient, path: str, ids: dict[str, Any], **request: Any) -> None:
    """Send a form of the dashboard; it leads to another page."""
    fields = form_fields(client)
    assert journey.call("POST", path, ids, data=fields, follow_redirects=False, **request).status_code == 303


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
    assert operations - journey.called == NOT_CALLED | (COUNTING.keys() & operations)
    act(journey, client, ids)
    client.post("/dashboard/login", data={"key": KEY})
    look(journey, client, ids)

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
        client.post("/dashboard/login", data={"key": KEY})
        journey.make("/v1/orders/{order_id}/next-round", {"order_id": order})
        send_form(journey, client, "/dashboard/orders/{order_id}/next-round", {"order_id": order})
    assert dict(journey.computed) == COUNTING
    assert journey.held == []


def test_requests_that_hang_in_decoding_leave_connections_and_threads_for_others(
    client: TestClient, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen files of 10 KB once held the whole pool, and no workspace was served any more.

    Twenty times as many as one workspace may compute at once would take every thread, if they waited on one.
    """
    publish_prices(client)
    crowd, decode = Crowd(client, database, settings.computing_each), Quarantine.decode

    def hang(*args: Any) -> Any:
        crowd.hang()
        return decode(*args)

    monkeypatch.setattr(Quarantine, "decode", hang)

    def plan(number: int) -> int:
        headers = TIFF | {"Idempotency-Key": f"hanging-{number}"}
        params = {"price_list": "acme"}
        return int(
            client.post("/v1/plans", content=make_geotiff(), headers=headers, params=params).status_code
        )

    assert crowd.statuses(plan) == {201}
