"""The savings report agrees with the plans it sums and with the ledger, to the cent."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.db import Database
from tests.ordering import buy, open_budget, plan_scene, publish_prices

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


def test_nothing_ordered_is_nothing_saved(client: TestClient) -> None:
    plan_scene(client)

    assert report(client) == {}


def test_a_complete_order_settles_its_cost_and_realises_its_saving(client: TestClient) -> None:
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
    assert all("every patch" in saving["baseline"] for saving in entry["savings"].values())


def test_settled_is_the_sum_of_the_ledgers_settle_entries(client: TestClient, database: Database) -> None:
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


def test_a_cancelled_order_saves_nothing(client: TestClient) -> None:
    order = buy(client, plan_scene(client), patches=1)
    client.post(f"/v1/orders/{order}/cancel")

    entry = report(client)["USD"]

    assert (entry["orders"], entry["cancelled"], entry["completed"]) == (1, 1, 0)
    assert (entry["savings"]["billable"]["amount"], entry["savings"]["realised"]) == ("0.00", None)
    assert entry["settled"] == entry["settled_on_cancelled"] != {"amount": "0.00", "currency": "USD"}


@pytest.mark.parametrize(
    ("query", "headers"), [("?format=csv", {}), ("", {"Accept": "text/csv"})], ids=["by query", "by Accept"]
)
def test_csv_has_the_same_figures_order_by_order(
    client: TestClient, query: str, headers: dict[str, str]
) -> None:
    orders = [buy(client, plan_scene(client)), buy(client, plan_scene(client, max_patches=2), patches=1)]

    answer = client.get(f"/v1/reports/savings{query}", headers=headers)
    rows = list(csv.DictReader(io.StringIO(answer.text)))

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
    assert [row["realised_saving"] for row in rows] == [entry["savings"]["realised"]["amount"], ""]


def test_a_workspace_reports_on_itself_alone(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

    answer = client.get("/v1/reports/savings", headers={"Authorization": f"Bearer {stranger}"})

    assert answer.json()["currencies"] == []
