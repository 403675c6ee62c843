"""Figures and groups of the overview open exactly the orders and plans that they add up."""

import csv
import html
import io
import json
import re

import pytest
from fastapi.testclient import TestClient

from service.dashboard import exports
from tests.support.dashboard import sign_in, words_of
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices

PAGE = "/dashboard"
GROUP = re.compile(r'<th scope="row"><a href="([^"]+)">(.*?)</a></th>\s*<td[^>]*>([\d,]+)</td>')


@pytest.fixture
def orders(client: TestClient) -> list[str]:
    """Place four orders that differ in every label, one of them in another currency and one held."""
    publish_prices(client)
    publish_prices(client, "plus", provider="Acme Plus")
    publish_prices(client, "euro", currency="EUR")
    north = open_budget(client, name="one", tags={"team": "north"})
    plain = open_budget(client, name="two")
    euros = open_budget(client, currency="EUR", name="euros")
    done = buy(client, plan_scene(client), budget=north, cost_center="CC-1")
    east = plan_scene(client, price_list="plus", reuse="none")
    other = place(client, east, budget=plain, tags={"team": "north-east"}, cost_center="CC-10")
    bare = place(client, plan_scene(client, max_patches=1, reuse="none"), budget=plain)
    euro = place(client, plan_scene(client, price_list="euro", reuse="none"), budget=euros)
    return [done, *(str(answer.json()["id"]) for answer in (other, bare, euro))]


def listed(page: str) -> list[str]:
    """Return the ids of the orders or plans in the table of a list."""
    rows = re.search(r'aria-label="(?:Orders|Plans)".*?</table>', page, re.DOTALL)
    return [] if rows is None else re.findall(r'<a [^>]*href="/dashboard/(?:orders|plans)/([^"]+)"', rows[0])


@pytest.mark.parametrize("by", ["budget", "cost-centre", "provider", "key", "scene", "tag:team", "tag:none"])
def test_each_group_opens_as_many_orders_as_it_counts(
    browser: TestClient, orders: list[str], by: str
) -> None:
    sign_in(browser)
    table = re.search(
        r'aria-label="Savings by group".*?</table>', browser.get(f"{PAGE}?by={by}").text, re.DOTALL
    )
    assert table is not None
    rows = GROUP.findall(table[0])

    opened = [listed(browser.get(html.unescape(address)).text) for address, _, _ in rows]

    assert [len(found) for found in opened] == [int(number) for _, _, number in rows]
    assert sorted(one for found in opened for one in found) == sorted(orders)


def test_a_group_is_named_above_its_orders_and_kept_by_the_form(
    browser: TestClient, orders: list[str]
) -> None:
    sign_in(browser)
    page = browser.get("/dashboard/orders?by=tag:team&group=north").text
    assert listed(page) == [orders[0]]
    assert "Only orders with the tag team = north." in words_of(page)
    assert '<input type="hidden" name="group" value="north">' in page
    assert "Only orders without cost centre." in browser.get("/dashboard/orders?by=cost-centre").text


@pytest.mark.parametrize(("title", "counted"), [("Ordered saving", 3), ("Held saving", 0), ("Paid", 3)])
def test_a_figure_opens_the_orders_of_its_currency(
    browser: TestClient, orders: list[str], title: str, counted: int
) -> None:
    sign_in(browser)
    link = re.search(
        rf'<h3>(?:<a [^>]*>)?{title}(?:</a>)?</h3>\s*<p class="figure"><a href="([^"]+currency=USD[^"]*)"',
        browser.get(PAGE).text,
    )
    assert link is not None
    assert len(listed(browser.get(html.unescape(link[1])).text)) == counted
    assert orders[3] not in browser.get(html.unescape(link[1])).text


def test_planned_saving_is_shown_without_an_order_and_opens_its_plans(
    client: TestClient, browser: TestClient
) -> None:
    publish_prices(client, currency="EUR")
    plan = plan_scene(client)
    plan_scene(client, price_list="example-no-minimum")
    sign_in(browser)
    page = browser.get(PAGE).text
    saving = client.get(f"/v1/plans/{plan.id}").json()["savings"]["billable"]["amount"]

    assert f"Planned saving {float(saving):,.2f} EUR" in words_of(page)
    link = re.search(
        r'<h3><a [^>]*>Planned saving</a></h3>\s*<p class="figure"><a href="([^"]+currency=EUR[^"]*)"', page
    )
    assert link is not None
    assert listed(browser.get(html.unescape(link[1])).text) == [str(plan.id)]


@pytest.mark.usefixtures("orders")
def test_days_without_a_period_are_used_and_others_are_named(browser: TestClient) -> None:
    sign_in(browser)
    assert "No order was placed in this period." in browser.get(f"{PAGE}?from=2001-01-01&to=2001-02-01").text
    page = words_of(browser.get(f"{PAGE}?period=month&from=2001-01-01").text)
    assert "The dates are not used, because the period is this month." in page
    assert "The dates are not used" not in words_of(browser.get(PAGE).text)


@pytest.mark.parametrize(
    "address",
    [
        "?by=shoe-size", "?by=tag:", "/orders?by=shoe-size", "/orders?group=north", "/orders?currency=usd",
        "/orders?from=2026-12-02&to=2026-12-01", "/orders.csv?from=2026-12-02&to=2026-12-01",
        "/plans?first_day=2026-12-02&last_day=2026-12-01", "/plans?currency=usd", "/plans.csv?standing=sold",
        "/map?first_day=2026-12-02&last_day=2026-12-01", "/savings.csv?from=2026-12-02&to=2026-12-01",
    ],
)  # fmt: skip
def test_filters_that_choose_nothing_sensible_are_refused(browser: TestClient, address: str) -> None:
    sign_in(browser)
    assert browser.get(f"{PAGE}{address}").status_code == 422


def test_files_of_a_filtered_list_have_its_rows(
    client: TestClient, browser: TestClient, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "READ_AT_ONCE", 1)
    sign_in(browser)
    page = browser.get("/dashboard/orders?by=tag:team&group=north").text
    link = re.search(r'href="(/dashboard/orders\.csv[^"]*)"', page)
    assert link is not None
    (row,) = csv.DictReader(io.StringIO(browser.get(html.unescape(link[1])).text))
    net = client.get(f"/v1/orders/{orders[0]}").json()["amounts"]["net"]["amount"]
    assert (row["id"], row["net"], row["owner"]) == (orders[0], net, "operator")
    assert json.loads(row["tags"]) == {"team": "north"}

    items = json.loads(browser.get("/dashboard/orders.json").text)["items"]
    assert [one["id"] for one in items] == list(reversed(orders))
    plans = csv.DictReader(io.StringIO(browser.get("/dashboard/plans.csv?currency=EUR").text))
    assert [plan["currency"] for plan in plans] == ["EUR"]
