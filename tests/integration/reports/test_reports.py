"""Reports of savings and spending, which agree with the plans and with the ledger to the cent."""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.reports import kept
from service.reports.figures import OrderFigures
from service.reports.savings import CountedOrder, count_orders
from tests.support.bundles import make_geotiff
from tests.support.connections import checked_out
from tests.support.databases import KEY
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices
from tests.support.orders import make_patch

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def money(client: TestClient) -> None:
    publish_prices(client)
    publish_prices(client, "euro", currency="EUR", price_per_km2="7000")
    open_budget(client)
    open_budget(client, currency="EUR", name="Euros")


def report(client: TestClient) -> dict[str, Json]:
    answer = client.get("/v1/reports/savings").json()
    return {entry["currency"]: entry for entry in answer["currencies"]}


def amount(money: Json) -> Decimal:
    return Decimal(money["amount"])


def test_savings_without_an_order_are_empty(client: TestClient) -> None:
    plan_scene(client)

    assert report(client) == {}


@pytest.mark.parametrize("path", ["savings", "savings/orders", "savings/orders/{order}", "dashboard"])
def test_savings_are_counted_without_a_connection(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client.post("/dashboard/login", data={"key": KEY})  # shows the overview, whose figures are kept
    order = buy(client, plan_scene(client))
    held = []

    def count(figures: list[OrderFigures]) -> list[CountedOrder]:
        held.append(checked_out(client.app_state["database"]))
        return count_orders(figures)

    monkeypatch.setattr(kept, "count_orders", count)
    whole = "/dashboard" if path == "dashboard" else f"/v1/reports/{path.format(order=order)}"
    assert client.get(whole).status_code == 200
    assert held == [0]


def test_savings_of_a_complete_order_are_realised(client: TestClient) -> None:
    plan = plan_scene(client)
    order = buy(client, plan)

    found = client.get(f"/v1/orders/{order}").json()
    planned = client.get(f"/v1/plans/{plan.id}").json()
    entry = report(client)["USD"]
    shares = [amount(one["settled"]) for one in found["patches"]["delivered"]]
    assert (
        sum(shares)
        == amount(planned["cost"])
        == amount(found["amounts"]["settled"])
        == amount(entry["settled"])
    )
    assert entry["savings"]["realised"]["amount"] == str(amount(planned["baseline"]) - sum(shares))
    assert entry["savings"]["billable"]["amount"] == planned["savings"]["billable"]["amount"]
    assert entry["savings"]["list"]["amount"] == planned["savings"]["list"]["amount"]
    assert entry["savings"]["ordered"]["amount"] == planned["savings"]["billable"]["amount"]
    assert next(iter(entry["savings"])) == "realised"


def test_savings_settled_is_the_sum_of_the_settle_entries(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    buy(client, plan_scene(client, max_patches=5), patches=2)
    cancelled = buy(client, plan_scene(client, max_patches=4), patches=3)
    client.post(f"/v1/orders/{cancelled}/cancel")
    buy(client, plan_scene(client, price_list="euro"))

    settled = {currency: amount(entry["settled"]) for currency, entry in report(client).items()}

    query = "SELECT currency, sum(amount) FROM ledger.transfer WHERE kind = 'settle' GROUP BY currency"
    with database.sessions() as session:
        ledger = {row[0]: Decimal(int(row[1])) / 100 for row in session.execute(text(query))}
    assert settled == ledger
    assert set(settled) == {"EUR", "USD"}


def test_savings_of_a_cancelled_order_are_what_was_paid_in_vain(client: TestClient) -> None:
    order = buy(client, plan_scene(client), patches=1)
    client.post(f"/v1/orders/{order}/cancel")

    entry = report(client)["USD"]

    assert (entry["orders"], entry["cancelled"], entry["completed"]) == (1, 1, 0)
    paid = f"-{entry['settled']['amount']}"
    assert (entry["savings"]["ordered"]["amount"], entry["savings"]["realised"]["amount"]) == (paid, paid)
    assert entry["baseline"]["amount"] == "0.00"
    assert entry["settled"] == entry["settled_on_cancelled"] != {"amount": "0.00", "currency": "USD"}


@pytest.mark.parametrize(
    ("query", "headers"), [("?format=csv", {}), ("", {"Accept": "text/csv"})], ids=["by query", "by Accept"]
)
def test_savings_csv_has_the_same_figures_order_by_order(
    client: TestClient, query: str, headers: dict[str, str]
) -> None:
    orders = [buy(client, plan_scene(client)), buy(client, plan_scene(client, max_patches=2), patches=1)]
    place(client, plan_scene(client, price_list="euro", max_patches=1))

    answer = client.get(f"/v1/reports/savings{query}", headers=headers)
    *rows, other = csv.DictReader(io.StringIO(answer.text))

    entry = report(client)["USD"]
    assert answer.headers["content-type"].startswith("text/csv")
    assert [row["order"] for row in rows] == orders
    assert [row["status"] for row in rows] == ["completed", "processing"]
    for column, money in [
        ("baseline", entry["baseline"]),
        ("cost", entry["cost"]),
        ("settled", entry["settled"]),
    ]:
        assert sum(Decimal(row[column]) for row in rows) == amount(money)
    for kind in ("realised", "ordered", "held", "billable", "list", "reused"):
        assert sum(Decimal(row[f"{kind}_saving"]) for row in rows) == amount(entry["savings"][kind])
    assert (rows[1]["baseline"], rows[1]["scene_baseline"]) == ("0.00", rows[0]["baseline"])
    assert (other["currency"], other["realised_saving"]) == ("EUR", "")


def test_pages_of_order_savings_do_not_move_with_new_orders(client: TestClient) -> None:
    orders = [buy(client, plan_scene(client, max_patches=n)) for n in (1, 2, 3)]
    first = client.get("/v1/reports/savings/orders?limit=2").json()

    later = buy(client, plan_scene(client, max_patches=4))
    second = client.get(next(link["href"] for link in first["links"] if link["rel"] == "next")).json()

    assert [line["order"] for line in first["items"] + second["items"]] == orders[::-1]
    assert [link["rel"] for link in second["links"]] == ["self"]
    line = client.get(f"/v1/reports/savings/orders/{later}").json()
    assert line["order"] == later
    assert line["realised_baseline"]["amount"] == "0.00"  # the same ground as the orders before
    assert amount(line["savings"]["realised"]) == -amount(line["settled"])
    planned = client.get(f"/v1/plans/{line['plan']}").json()
    assert amount(line["planned_saving"]) == amount(planned["savings"]["billable"])


def test_order_savings_lead_to_the_scene_the_patch_and_the_bill(
    client: TestClient, database: Database
) -> None:
    plan = plan_scene(client)
    order = buy(client, plan, patches=1)
    tile, patch = plan.bought[0]
    path = f"/v1/orders/{order}/tiles/{tile}/patches"

    assert client.get(f"/v1/plans/{plan.id}/scene.tif").content == make_geotiff()
    assert client.get(f"{path}/{patch}").content == make_patch(tile, patch)
    assert client.get(f"{path}/99").status_code == 404
    bill = client.get(f"/v1/plans/{plan.id}/bill").json()
    assert bill["cost"] == client.get(f"/v1/plans/{plan.id}").json()["cost"]
    assert (bill["terms"]["price_per_km2"], len(bill["chosen"]["lines"])) == ("10000", 1)

    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    client.headers["Authorization"] = f"Bearer {stranger}"
    for private in (
        f"/v1/plans/{plan.id}/scene.tif", f"/v1/plans/{plan.id}/bill", f"{path}/{patch}",
        f"/v1/reports/savings/orders/{order}",
    ):  # fmt: skip
        assert client.get(private).status_code == 404


def table(answer: Any) -> list[Json]:
    """Return the rows of a Parquet answer."""
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    rows: list[Json] = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    return rows


def test_spend_has_the_columns_of_focus_and_sums_to_the_settled_amount(client: TestClient) -> None:
    plan = plan_scene(client)
    order = buy(client, plan)
    tile, patch = plan.bought[-1]

    charges = client.get("/v1/reports/spend").json()["items"]
    newest = charges[0]

    assert sum(Decimal(one["BilledCost"]) for one in charges) == amount(report(client)["USD"]["settled"])
    assert newest["ResourceId"] == f"{order}/{tile}/{patch}"
    known = (
        "BillingCurrency",
        "ChargeCategory",
        "ProviderName",
        "ServiceName",
        "SkuPriceId",
        "SubAccountName",
    )
    assert [newest[name] for name in known] == ["USD", "Purchase", "Acme", "0.5 m archive", "acme v1", "Year"]
    start, end = (datetime.fromisoformat(newest[f"ChargePeriod{edge}"]) for edge in ("Start", "End"))
    assert start <= datetime.fromisoformat(newest["x_ChargedAt"]) < end
    provenance = client.get(f"/v1/plans/{plan.id}").json()["provenance"]
    assert newest["Tags"] == {
        "order": order, "plan": str(plan.id), "bundle_sha256": provenance["bundle"]["sha256"],
        "input_sha256": provenance["input_sha256"],
    }  # fmt: skip
    line = client.get(f"/v1/ledger/{newest['x_LedgerSeq']}").json()
    assert (line["hash"], line["reference"]) == (newest["x_LedgerHash"], newest["x_LedgerReference"])


@pytest.mark.parametrize("path", ["/v1/ledger", "/v1/reports/spend", "/v1/reports/savings"])
def test_lists_of_money_are_the_same_as_csv_and_as_parquet(client: TestClient, path: str) -> None:
    buy(client, plan_scene(client), patches=2)
    buy(client, plan_scene(client, price_list="euro"))

    rows = table(client.get(path, headers={"Accept": "application/vnd.apache.parquet"}))
    written = list(csv.DictReader(io.StringIO(client.get(path, params={"format": "csv"}).text)))

    assert list(rows[0]) == list(written[0])
    for name in rows[0]:
        kept = [row[name] for row in rows]
        if isinstance(kept[0], Decimal):
            assert kept == [Decimal(row[name]) if row[name] else None for row in written]
        elif isinstance(kept[0], str):
            assert kept == [row[name].removeprefix("'") or None for row in written]


def test_pages_of_spend_do_not_move_with_new_payments(client: TestClient) -> None:
    buy(client, plan_scene(client))
    everything = client.get("/v1/reports/spend").json()["items"]
    first = client.get("/v1/reports/spend?limit=2&format=parquet")

    buy(client, plan_scene(client, max_patches=1))
    second = client.get(first.links["next"]["url"])

    assert [row["x_LedgerSeq"] for row in table(first) + table(second)] == [
        one["x_LedgerSeq"] for one in everything
    ]
    assert "next" not in second.links


def test_reports_of_another_workspace_are_empty(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

    answer = client.get("/v1/reports/savings", headers={"Authorization": f"Bearer {stranger}"})

    assert answer.json()["currencies"] == []
    theirs = {"Authorization": f"Bearer {stranger}"}
    for path in ("/v1/reports/spend", "/v1/reports/savings/orders"):
        assert client.get(path, headers=theirs).json()["items"] == []
