"""Every figure of the savings report, computed again by a script that only reads the API's documents."""

import copy
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from service.access.repository import create_key
from service.access.tables import Workspace
from service.database.engine import Database
from service.orders.expiry import expire_orders
from tests.evidence.savings import Fetcher, Reader, differences, recompute_savings
from tests.support.bundles import LR_GSD_M, make_geotiff
from tests.support.ordering import (
    Json,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
)
from tests.support.orders import make_patch

TILE_M = 8 * LR_GSD_M


def scene(tiles_east: float = 0) -> bytes:
    """Make a scene of 2 x 3 tiles that lies east of the usual one."""
    return make_geotiff(west=500_000 + tiles_east * TILE_M)


def adjust(client: TestClient, order: str, kind: str, amount: str, currency: str = "USD") -> None:
    """Record a refund or a later charge."""
    body = {
        "kind": kind, "order": order, "amount": {"amount": amount, "currency": currency}, "reason": "r",
    }  # fmt: skip
    answer = client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 201, answer.text


class Shop:
    """A workspace whose orders are placed at scenes that lie some tiles east of the usual one."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.budget = open_budget(client, "9000.00", name="main")

    def order(self, tiles_east: float = 0, patches: int | None = None, **query: Any) -> str:
        """Order a plan of such a scene and deliver its first patches, by default all."""
        plan = plan_scene(self.client, scene(tiles_east), **query)
        budget = {} if query.get("price_list") == "fomento" else {"budget": self.budget}
        answer = place(self.client, plan, **budget)
        assert answer.status_code == 201, answer.text
        order = str(answer.json()["id"])
        for tile, patch in plan.bought[:patches]:
            file = make_patch(tile, patch, east_m=tiles_east * TILE_M)
            assert deliver(self.client, order, tile, patch, file).status_code == 201
        return order

    def hold(self, tiles_east: float = 0, **query: Any) -> str:
        """Order such a plan from a budget that needs approval."""
        above = {"amount": "0.00", "currency": "USD"}
        strict = open_budget(self.client, "900.00", name=f"strict {uuid4()}", approval_above=above)
        order = place(self.client, plan_scene(self.client, scene(tiles_east), **query), budget=strict).json()
        assert order["status"] == "held"
        return str(order["id"])

    def deliver(self, order: str, tiles_east: float) -> None:
        """Deliver the awaited patches of an order."""
        for one in self.client.get(f"/v1/orders/{order}").json()["patches"]["awaited"]:
            file = make_patch(one["tile"], one["patch"], east_m=tiles_east * TILE_M)
            assert deliver(self.client, order, one["tile"], one["patch"], file).status_code == 201

    def deliver_late(self, database: Database, order: str, tiles_east: float, patches: int) -> None:
        """Let an order expire, and deliver more of its patches."""
        let_time_pass(database, order)
        assert expire_orders(database) > 0
        plan = self.client.get(f"/v1/orders/{order}").json()["plan"]
        bought = [
            (tile["tile"], patch)
            for tile in self.client.get(f"/v1/plans/{plan}").json()["tiles"]
            for patch in tile["buy"]
        ]
        for tile, patch in bought[1 : 1 + patches]:
            file = make_patch(tile, patch, east_m=tiles_east * TILE_M)
            answer = deliver(self.client, order, tile, patch, file, accept_late=True)
            assert answer.status_code == 201, answer.text

    def cancel(self, order: str) -> None:
        assert self.client.post(f"/v1/orders/{order}/cancel").status_code == 200


@pytest.fixture
def workspace(client: TestClient, database: Database, workspace_id: UUID) -> TestClient:
    """Fill a workspace with orders of every kind, in two currencies."""
    publish_prices(client, minimum_km2="0.002", tiers=[{"above_km2": "0.001", "price_per_km2": "9000"}])
    publish_prices(client, "fomento", currency="CLF", price_per_km2="123.4567")
    open_budget(client, "500.0000", currency="CLF", name="Fomento")
    shop = Shop(client)
    refunded = shop.order()
    adjust(client, refunded, "refund", "1.23")
    adjust(client, refunded, "charge", "0.50")
    shop.order(reuse="none")  # the same ground, paid again
    shop.order(max_patches=5)  # the same ground, of which three patches are owned
    publish_prices(client, price_per_km2="12000")  # version 2 is the same product
    shop.order(reuse="none")
    shop.cancel(shop.order(patches=1, reuse="none"))  # paid in part, on completed ground
    shop.cancel(shop.order(20, patches=1))  # paid in part, on ground of its own
    let_time_pass(database, shop.order(30, patches=1))
    shop.deliver_late(database, shop.order(80, patches=1), 80, patches=1)  # expired, one of three is missing
    shop.deliver_late(database, shop.order(90, patches=1), 90, patches=2)  # complete
    shop.order(1.5, reuse="none")  # half of it is new
    shop.order(-1, patches=1, reuse="none")  # open, two thirds of it completed
    shop.order(40, patches=1)
    shop.hold(60)
    shop.hold(reuse="none")
    reject(client, database, workspace_id, shop.hold(70))
    shop.order(price_list="fomento", reuse="none")
    return client


@pytest.fixture
def reusing(client: TestClient) -> TestClient:
    """Fill a workspace with orders that take patches of other orders, which came or never will."""
    publish_prices(client)
    publish_prices(client, "dear", price_per_km2="90000")
    shop = Shop(client)
    for tiles_east in (0, 10, 20):
        source = shop.order(tiles_east, patches=2)
        shop.order(tiles_east, patches=0 if tiles_east else None)  # three more patches of the same list
        shop.order(tiles_east, price_list="dear", max_patches=1)
        if tiles_east == 0:
            shop.deliver(source, tiles_east)
        if tiles_east == 10:
            shop.cancel(source)
    for tiles_east in (30, 40):
        source = shop.order(tiles_east, patches=0, max_patches=96)
        shop.order(tiles_east, price_list="dear")  # buys nothing
        shop.order(tiles_east, price_list="dear")
        if tiles_east == 30:
            shop.cancel(source)
    shop.hold(50, max_patches=96)
    shop.order(50)  # buys nothing, and takes patches that await approval
    return client


def reject(client: TestClient, database: Database, workspace_id: UUID, order: str) -> None:
    """Reject a held order with the key of somebody else."""
    with database.sessions.begin() as session:
        other = create_key(session, session.get_one(Workspace, workspace_id), "somebody else")
    answer = client.post(
        f"/v1/orders/{order}/approval",
        json={"decision": "reject"},
        headers={"Authorization": f"Bearer {other}"},
    )
    assert answer.status_code == 200, answer.text


def readers(client: TestClient) -> tuple[Reader, Fetcher]:
    """Return functions that get documents and files of the API."""

    def read(path: str) -> Json:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    return read, lambda path: client.get(path).content


def report_of(client: TestClient) -> list[Json]:
    found: list[Json] = client.get("/v1/reports/savings").json()["currencies"]
    return found


def test_script_finds_every_figure_of_the_report(workspace: TestClient) -> None:
    own = recompute_savings(*readers(workspace))

    assert differences(report_of(workspace), own) == []
    usd, clf = own["USD"], own["CLF"]
    assert (usd["completed"], usd["open"], usd["held"], usd["cancelled"]) == (6, 2, 2, 5)
    assert usd["savings"]["reused"] > 0
    assert usd["settled_on_cancelled"] > 0
    assert clf["savings"]["realised"] > 0
    assert clf["slack"] == 0


def test_script_finds_every_figure_of_orders_that_reuse_patches(reusing: TestClient) -> None:
    own = recompute_savings(*readers(reusing))

    assert differences(report_of(reusing), own) == []
    assert own["USD"]["savings"]["reused"] > 0


def test_script_counts_no_refunded_money_as_payment_of_late_patches(
    client: TestClient, database: Database
) -> None:
    """A minimum of 1000.00 is paid and refunded, and two more patches come late at 600.00 and nothing."""
    publish_prices(client, price_per_km2="10", minimum_km2="100")
    plan = plan_scene(client, reuse="none")
    Shop(client)
    order = str(place(client, plan).json()["id"])
    assert deliver(client, order, *plan.bought[0]).status_code == 201
    let_time_pass(database, order)
    assert expire_orders(database) == 1
    adjust(client, order, "refund", "1000.00")

    assert deliver(client, order, *plan.bought[1], accept_late=True).status_code == 409
    for where, price in zip(plan.bought[1:], ("600.00", "0"), strict=True):
        assert deliver(client, order, *where, accept_late=True, price=price).status_code == 201

    own = recompute_savings(*readers(client))
    assert differences(report_of(client), own) == []
    assert (own["USD"]["completed"], own["USD"]["settled"]) == (1, 600)
    assert own["USD"]["savings"]["realised"] == own["USD"]["realised_baseline"] - 600


def test_orders_of_the_report_add_up_to_it(workspace: TestClient) -> None:
    pages = workspace.get("/v1/reports/savings/orders?limit=100").json()["items"]

    for entry in report_of(workspace):
        orders = [one for one in pages if one["baseline"]["currency"] == entry["currency"]]
        assert len(orders) == entry["orders"]
        for name in ("baseline", "cost", "held_baseline", "held_cost", "realised_baseline", "realised_cost"):
            assert sum(Decimal(one[name]["amount"]) for one in orders) == Decimal(entry[name]["amount"])
        for kind, saving in entry["savings"].items():
            parts = [one["savings"][kind] for one in orders]
            shown = [Decimal(part["amount"]) for part in parts if part is not None]
            assert (sum(shown) if shown else None) == (saving and Decimal(saving["amount"]))


def test_script_notices_a_changed_figure(workspace: TestClient) -> None:
    own = recompute_savings(*readers(workspace))

    for name in ("realised", "ordered", "held", "billable", "list", "reused"):
        forged = copy.deepcopy(report_of(workspace))
        forged[-1]["savings"][name]["amount"] = "5432.10"
        (line,) = differences(forged, own)
        assert line.startswith(f"USD {name}: the report says 5432.10")
