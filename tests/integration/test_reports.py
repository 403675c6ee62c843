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
from tests.factories import make_geotiff
from tests.factories_orders import make_patch
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


def test_the_lines_of_the_report_are_pages_that_new_orders_do_not_move(client: TestClient) -> None:
    orders = [buy(client, plan_scene(client, max_patches=n)) for n in (1, 2, 3)]
    first = client.get("/v1/reports/savings/orders?limit=2").json()

    later = buy(client, plan_scene(client, max_patches=4))
    second = client.get(next(link["href"] for link in first["links"] if link["rel"] == "next")).json()

    assert [line["order"] for line in first["items"] + second["items"]] == orders[::-1]
    assert [link["rel"] for link in second["links"]] == ["self"]
    line = client.get(f"/v1/reports/savings/orders/{later}").json()
    assert line["order"] == later
    assert amount(line["savings"]["realised"]) == amount(line["baseline"]) - amount(line["settled"])


def test_what_a_line_rests_on_can_be_had_byte_for_byte(client: TestClient, database: Database) -> None:
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


def test_a_workspace_reports_on_itself_alone(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")

    answer = client.get("/v1/reports/savings", headers={"Authorization": f"Bearer {stranger}"})

    assert answer.json()["currencies"] == []
