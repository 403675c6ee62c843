"""Kept figures: always those of now, in every process, and computed again only after a change."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from service.dashboard.overview import read_page
from service.dashboard.periods import PeriodName
from service.dashboard.savings_view import Chosen
from service.database.engine import Database, connect
from service.orders.expiry import expire_orders
from service.reports.basis import BASIS, read_basis
from service.reports.filters import ReportFilter
from service.reports.kept import KeptFigures
from tests.integration.reports.test_accounting import CASES, Desk
from tests.integration.reports.test_recomputed import Shop, adjust, reject
from tests.support.kept import KeptWatch
from tests.support.ordering import (
    change_budget,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
)
from tests.support.orders import make_patch
from tests.support.planner import plan_for_many_rows


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_kept_figures_are_fresh_in_every_accounting_case(
    client: TestClient, database: Database, case: Callable[[Desk], object], watched: KeptWatch
) -> None:
    case(Desk(client, database))
    watched.compare()
    assert watched.changes > 0


def test_kept_figures_are_fresh_after_orders_end_in_every_way(
    client: TestClient, database: Database, workspace_id: UUID, watched: KeptWatch
) -> None:
    publish_prices(client)
    publish_prices(client, "dear", price_per_km2="90000")
    shop = Shop(client)
    order = shop.order(patches=1)
    adjust(client, order, "charge", "0.50")
    shop.cancel(order)
    shop.order(20, price_list="dear")
    reject(client, database, workspace_id, shop.hold(30))
    held = shop.hold(40)
    let_time_pass(database, held)
    watched.compare()  # expired by time only
    expire_orders(database)
    watched.compare()
    shop.deliver_late(database, shop.order(80, patches=1), 80, patches=1)
    later = {"last_day": str(datetime.now(UTC).date() + timedelta(days=100))}
    answer = client.post(f"/v1/orders/{shop.order(90, patches=1)}/deadline", json=later)
    assert answer.status_code == 200, answer.text
    watched.compare()
    assert watched.changes > 4


def test_kept_figures_are_fresh_after_documents_labels_and_names(
    client: TestClient, watched: KeptWatch
) -> None:
    publish_prices(client)
    budget = open_budget(client, "900.00", name="main")
    plan = plan_scene(client)
    labels = {"tags": {"team": "north"}, "cost_center": "4711"}
    answer = client.post(
        "/v1/orders", json={"plan": str(plan.id), "budget": budget, **labels},
        headers={"Idempotency-Key": str(uuid4())},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    order = answer.json()["id"]
    for tile, patch in plan.bought:
        assert deliver(client, order, tile, patch, make_patch(tile, patch)).status_code == 201
    paid = client.get(f"/v1/orders/{order}").json()["amounts"]["net"]["amount"]
    line = {"reference": f"Loupe {order}", "amount": paid}
    for number, amount in (("R-1", paid), ("R-2", "1.00")):  # the second makes it differ
        document = {
            "number": number, "kind": "invoice", "provider": "Acme", "date": "2026-11-30", "currency": "USD",
            "lines": [line | {"amount": amount}],
        }  # fmt: skip
        assert client.post("/v1/invoices", json=document).status_code == 201
    assert change_budget(client, budget, tags={"team": "south", "unit": "b"}).is_success
    assert client.post(f"/v1/orders/{order}/classification").is_success
    label = client.get("/v1/bundles").json()["items"][0]["classes"][0]
    truth = {"tiles": [{"tile": plan.bought[0][0], "true_label": label}]}
    answer = client.put(f"/v1/orders/{order}/truth", json=truth)
    assert answer.is_success, answer.text
    watched.compare()
    assert watched.changes > 2


def test_kept_figures_stay_until_a_row_behind_them_is_added(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    publish_prices(client)
    shop = Shop(client)
    shop.order()
    kept = KeptFigures()
    first = kept.counted(database, workspace_id)
    north = kept.counted(database, workspace_id, ReportFilter(tag={"team": "north"}))

    assert north.orders == ()
    assert kept.counted(database, workspace_id).orders is first.orders
    view = first.derived("sum", len)
    plan_scene(client)  # nobody orders it
    again = kept.counted(database, workspace_id)
    assert again.orders is first.orders
    assert again.derived("sum", lambda _: -1) == view
    assert again.of_plans("planned", lambda: 2) == 2
    shop.order(20)
    assert len(kept.counted(database, workspace_id).orders) == 2
    assert kept.counted(database, workspace_id).derived("sum", len) == 2


def test_planned_saving_is_read_again_after_a_plan(
    client: TestClient, database: Database, workspace_id: UUID
) -> None:
    publish_prices(client)
    place(client, plan_scene(client), budget=open_budget(client, "900.00"))
    kept, chosen = KeptFigures(), Chosen(name=PeriodName.ALL)
    before = read_page(database, kept, workspace_id, chosen)["planned"]["USD"]
    plan_scene(client, reuse="none")
    after = read_page(database, kept, workspace_id, chosen)["planned"]["USD"]

    assert (before.amount, float(after.amount) > 0) == ("0.00", True)


def test_basis_is_found_in_indexes_by_the_role_that_serves(
    client: TestClient, database: Database, serving_url: str, workspace_id: UUID
) -> None:
    publish_prices(client)
    Shop(client).order()
    plan = plan_for_many_rows(database, BASIS, {"workspace": workspace_id})
    served = connect(serving_url)
    with served.of(workspace_id).sessions() as session:
        basis = read_basis(session, workspace_id)
    served.engine.dispose()

    assert any("Index" in line and " on evidence" in line for line in plan), plan
    assert not any("Seq Scan on" in line for line in plan), plan
    assert basis.orders.evidence is not None
    assert basis.orders.transfer is not None
    assert basis.plans is not None
