"""Files of plans, orders and budgets: the CSV tells the same as the JSON."""

import csv
import io
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.bundles import usd
from tests.support.dashboard import sign_in
from tests.support.ordering import change_budget, open_budget, place, plan_scene, publish_prices

Json = dict[str, Any]


@pytest.fixture
def bought(client: TestClient) -> None:
    """Store a named plan, its re-plan, an order, and budgets with and without terms."""
    publish_prices(client)
    terms: Json = {"tags": {"team": "north"}, "thresholds": [50, 90], "ends_on": "2999-12-31"}
    budget = open_budget(client, approval_above=usd("50.00"), period="year", **terms)
    named: Json = {"name": "Harvest", "external_id": "PO-7", "tag": ["team=south", "crop=rye"]}
    plan = plan_scene(client, **named)
    client.post(f"/v1/plans/{plan.id}/replan", json={"max_patches": 2})
    place(client, plan_scene(client, max_patches=1), budget=budget)
    change_budget(client, budget, enforcement="warn")


def rows_of(browser: TestClient, name: str) -> list[tuple[dict[str, str], Json]]:
    """Return each row of a file as CSV beside the same as JSON."""
    items = browser.get(f"/dashboard/{name}.json").json()["items"]
    rows = list(csv.DictReader(io.StringIO(browser.get(f"/dashboard/{name}.csv").text)))
    return list(zip(rows, items, strict=True))


def text_of(value: object) -> str:
    return "" if value is None else str(value)


@pytest.mark.usefixtures("bought")
def test_names_and_tags_of_a_file_are_those_of_its_json(browser: TestClient) -> None:
    sign_in(browser)

    for name, number in (("plans", 3), ("orders", 1)):
        compared = rows_of(browser, name)
        assert len(compared) == number
        for row, item in compared:
            assert [row[one] for one in ("id", "name", "external_id")] == [
                text_of(item.get(one)) for one in ("id", "name", "external_id")
            ]
            assert json.loads(row["tags"]).items() >= item["tags"].items()
    (_, (replanned, replan), (named, _)) = rows_of(browser, "plans")
    assert (replanned["name"], json.loads(named["tags"])) == ("Harvest", {"team": "south", "crop": "rye"})
    assert replanned["supersedes"] == replan["supersedes"] == named["id"]
    assert json.loads(named["objective"]) == {"kind": "max_patches", "max_patches": 3}
    assert named["expires_at"][:10] > named["created_at"][:10]


@pytest.mark.usefixtures("bought")
def test_terms_of_budgets_are_in_their_file(browser: TestClient) -> None:
    sign_in(browser)

    ((row, item),) = rows_of(browser, "budgets")

    for name in ("id", "name", "period", "enforcement", "ends_on"):
        assert row[name] == item[name]
    assert json.loads(row["tags"]) == item["tags"] == {"team": "north"}
    assert (row["thresholds"], row["starts_on"], row["version"]) == ("50; 90", "", str(item["version"]))
    assert (float(row["approval_above"]), row["waiting"]) == (50, str(item["waiting_number"]))
    assert int(row["waiting"]) == 1


@pytest.mark.usefixtures("bought")
def test_new_columns_stand_at_the_end(browser: TestClient) -> None:
    """A reader may count columns."""
    sign_in(browser)

    begun = {name: browser.get(f"/dashboard/{name}.csv").text for name in ("plans", "budgets", "orders")}

    assert begun["plans"].startswith("id,created_at,decision,patches_bought,patches,currency,cost,baseline,")
    assert ",share_in_bought,name,external_id,tags," in begun["plans"]
    assert begun["budgets"].startswith("id,name,currency,limit,spent,held,available,created_at,tags,")
    assert ",net,patches,delivered,awaited,budget_id\r\n" in begun["orders"]
