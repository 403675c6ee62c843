"""Amounts near 10^18 minor units: what fits is exact everywhere, and what does not is refused."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import (
    Json,
    begin_periods_earlier,
    buy,
    change_budget,
    code,
    open_budget,
    place,
    plan_scene,
)
from tests.support.orders import Planned, make_plan

LARGEST = "99999999999999.9999"
"""The largest amount in CLF, whose minor unit has four decimals: 10^18 - 1 minor units."""
HALF = "50000000000000.0000"


def clf(amount: str) -> Json:
    return {"amount": amount, "currency": "CLF"}


def adjust(client: TestClient, order: str, kind: str, amount: str) -> Any:
    body = {"kind": kind, "order": order, "amount": clf(amount), "reason": "a letter"}
    return client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})


@pytest.fixture
def dear(database: Database, workspace_id: UUID, settings: Settings) -> list[Planned]:
    """Store two plans that cost 9 * 10^17 minor units each."""
    columns: Json = {"cost_minor": 9 * 10**17, "baseline_minor": 10**18 - 1, "currency": "CLF"}
    with database.sessions.begin() as session:
        return [make_plan(session, workspace_id, settings.blobs, seed=seed, **columns) for seed in (31, 32)]


def test_budget_takes_the_largest_amount_and_no_more(client: TestClient) -> None:
    budget = open_budget(client, LARGEST, "CLF")
    over = {"name": "more", "limit": clf("100000000000000.0000")}

    assert client.get(f"/v1/budgets/{budget}").json()["available"] == clf(LARGEST)
    assert code(client.post("/v1/budgets", json=over)) == (422, "invalid-input")


def test_order_beyond_the_range_of_a_budget_is_refused(client: TestClient, dear: list[Planned]) -> None:
    budget = open_budget(client, "1.0000", "CLF", enforcement="off")
    first, second = dear

    assert place(client, first).status_code == 201
    assert code(place(client, second)) == (409, "sum-too-large")
    assert client.get(f"/v1/budgets/{budget}/usage").json()["held"] == clf("90000000000000.0000")


def test_period_beyond_the_range_of_a_budget_is_refused(
    client: TestClient, dear: list[Planned], database: Database
) -> None:
    budget = open_budget(client, LARGEST, "CLF", period="month")
    buy(client, dear[0])
    begin_periods_earlier(database)

    assert code(change_budget(client, budget, thresholds=[50])) == (409, "sum-too-large")
    assert code(place(client, dear[1])) == (409, "sum-too-large")
    assert client.get(f"/v1/budgets/{budget}/usage").json()["percent"] == 90.0


def test_charges_of_an_order_stay_in_range(client: TestClient, dear: list[Planned]) -> None:
    open_budget(client, "1.0000", "CLF", enforcement="off")
    order = buy(client, dear[0])
    for kind, amount in (("refund", HALF), ("charge", HALF), ("refund", HALF), ("charge", HALF)):
        answer = adjust(client, order, kind, amount)
        if answer.status_code != 201:
            break

    assert code(answer) == (409, "sum-too-large")
    assert "50000000000000.0000 CLF was charged to this order" in answer.json()["detail"]
    assert client.get(f"/v1/orders/{order}").json()["amounts"]["charged"] == clf(HALF)


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_reports_of_large_orders_are_exact(client: TestClient, dear: list[Planned], form: str) -> None:
    for number, plan in enumerate(dear):
        budget = open_budget(client, LARGEST, "CLF", name=f"budget {number}")
        assert place(client, plan, budget=budget).status_code == 201

    for path in ("/v1/reports/savings", "/v1/reports/spend", "/v1/ledger", "/v1/invoices/differences"):
        answer = client.get(path, params={"format": form})
        assert answer.status_code == 200, (path, answer.text[:500])
    (entry,) = client.get("/v1/reports/savings").json()["currencies"]
    assert entry["savings"]["ordered"]["amount"] == "19999999999999.9998"
    assert client.get("/v1/reports/savings/orders").status_code == 200


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_sums_of_invoices_are_exact(client: TestClient, plan: Planned, form: str) -> None:
    """The invoices of one order sum to 1.2 * 10^19 yen: more digits than an amount has."""
    open_budget(client)
    order = str(place(client, plan).json()["id"])
    line = {"reference": order, "amount": "999999999999999"}
    about = {"provider": "Acme", "date": "2026-11-30", "currency": "JPY", "lines": [line] * 6_000}
    for number in ("R-1", "R-2"):
        assert client.post("/v1/invoices", json=about | {"number": number}).status_code == 201

    answer = client.get("/v1/invoices/differences", params={"format": form})

    assert answer.status_code == 200, answer.text[:500]
    if form != "parquet":
        assert "11999999999999988000" in answer.text


def test_plan_whose_bill_could_leave_the_range_is_refused(client: TestClient) -> None:
    terms = {
        "name": "acme", "provider": "Acme", "product": "0.5 m", "gsd_m": "0.5", "currency": "CLF",
        "price_per_km2": "1000000", "minimum_km2": "1000000", "minimum_applies_to": "shape",
    }  # fmt: skip
    assert client.post("/v1/price-lists", json=terms).status_code == 201

    small = plan_scene(client, max_patches=96)
    assert client.get(f"/v1/plans/{small.id}").json()["cost"]["currency"] == "CLF"
    for path in ("curve", "patches", "shapes", "bill", "alternatives"):
        assert client.get(f"/v1/plans/{small.id}/{path}").status_code == 200, path
    large = make_geotiff(make_pixels(3, 48, 48))
    answer = client.post(
        "/v1/plans",
        content=large,
        headers={"Content-Type": "image/tiff"},
        params={"price_list": "acme", "max_patches": 3},
    )
    assert code(answer) == (422, "price-too-large")
    assert len(client.get("/v1/plans").json()["items"]) == 1
