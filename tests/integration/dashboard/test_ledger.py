"""The page of the ledger: filters, running balances, the chain, and files."""

import csv
import io
import json
import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.dashboard import ledger
from service.database.engine import Database
from service.ledger.publishing import publish_heads, publisher_of
from service.settings import Settings
from tests.support.dashboard import cells_of, sign_in, words_of
from tests.support.ordering import buy, open_budget, place, plan_scene, publish_prices

PAGE = "/dashboard/ledger"
COLUMNS = ("no", "when", "movement", "amount", "budget", "left", "held", "spent", "order", "cause")


def rows_of(page: str) -> list[dict[str, str]]:
    """Return the movements of a page."""
    return [dict(zip(COLUMNS, cells, strict=True)) for cells in cells_of(page)]


def test_movements_show_the_balances_of_their_budget_after_them(
    browser: TestClient, client: TestClient, orders: list[str]
) -> None:
    sign_in(browser)
    rows = rows_of(browser.get(PAGE).text)
    balances: dict[str, dict[str, float]] = {}
    with_accounts = {one["seq"]: one for one in client.get("/v1/ledger?limit=100").json()["items"]}

    assert [int(row["no"]) for row in rows] == list(range(len(with_accounts), 0, -1))
    for row in reversed(rows):
        one = with_accounts[int(row["no"])]
        now = balances.setdefault(one["budget"], {"funding": 0, "available": 0, "reserved": 0, "spent": 0})
        now[one["from_account"]] -= float(one["amount"]["amount"])
        now[one["to_account"]] += float(one["amount"]["amount"])
        shown = [float(row[name].split()[0]) for name in ("left", "held", "spent")]
        assert shown == pytest.approx([now["available"], now["reserved"], now["spent"]]), row
    assert [row["order"] for row in rows if row["movement"] == "refund"] == [orders[1][:8]]
    assert [row["cause"] for row in rows if row["movement"] == "refund"] == ["cloud"]


def test_movements_on_the_page_are_explained(browser: TestClient, orders: list[str]) -> None:
    sign_in(browser)
    assert orders
    words = words_of(browser.get(f"{PAGE}?kind=refund").text)
    assert "Movements: refund (return of a payment)." in words
    assert "The hash was computed again and agrees" in words
    assert "settle (payment from a hold)" not in words


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("kind=settle", lambda row, _: row["movement"] == "settle"),
        ("tag=team%3Dnorth", lambda row, _: row["budget"] == "First"),
        ("provider=Other", lambda row, orders: row["order"] == orders[1][:8]),
        ("order={1}", lambda row, orders: row["order"] == orders[1][:8]),
        ("order=+{short}", lambda row, orders: row["order"] == orders[0][:8]),
        ("kind=refund&provider=Acme", lambda *_: False),
        ("to=2020-01-31", lambda *_: False),
        ("from=2020-01-31&budget={budget}", lambda row, _: row["budget"] == "Second"),
    ],
)
def test_filters_choose_movements_and_files(
    browser: TestClient, client: TestClient, orders: list[str], query: str, kept: object
) -> None:
    assert callable(kept)
    budget = next(one["id"] for one in client.get("/v1/budgets").json()["items"] if one["name"] == "Second")
    query = query.format(*orders, short=orders[0][:8].upper(), budget=budget)
    sign_in(browser)
    everything = rows_of(browser.get(PAGE).text)

    page = browser.get(f"{PAGE}?{query}").text
    wanted = [row for row in everything if kept(row, orders)]

    assert rows_of(page) == wanted
    assert wanted or "No movement matches these filters." in page
    link = re.search(r'href="(/dashboard/ledger\.csv\?[^"]+)"', page)
    assert link is not None
    address = link[1].replace("&amp;", "&")
    as_csv = list(csv.DictReader(io.StringIO(browser.get(address).text)))
    as_json = json.loads(browser.get(address.replace(".csv", ".json")).text)["items"]
    assert [one["seq"] for one in as_csv] == [row["no"] for row in wanted]
    assert [str(one["seq"]) for one in as_json] == [row["no"] for row in wanted]


def test_grant_beyond_the_limit_belongs_to_its_order(browser: TestClient, client: TestClient) -> None:
    publish_prices(client)
    open_budget(client, "1.00", enforcement="off")
    order = buy(client, plan_scene(client))
    sign_in(browser)

    kinds = {row["movement"] for row in rows_of(browser.get(f"{PAGE}?order={order}").text)}
    assert {"extend", "reserve", "settle"} <= kinds
    assert "fund" not in kinds


def test_pages_follow_each_other_and_keep_the_filters(
    browser: TestClient, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "ROWS", 3)
    sign_in(browser)
    address: str | None = f"{PAGE}?provider=Acme"
    seen: list[str] = []
    while address is not None:
        page = browser.get(address).text
        rows = rows_of(page)
        assert {row["order"] for row in rows} == {orders[0][:8]}
        seen += [row["no"] for row in rows]
        older = re.search(r'<a class="button" href="([^"]+)">Older</a>', page)
        address = None if older is None else older[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 4
    assert seen == sorted(seen, key=int, reverse=True)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("order=xyz", "The field Order id takes at least the first four digits"),
        ("tag=north", "The field Tag takes a name and a value"),
        ("budget=7", "The field Budget names no budget"),
        ("kind=theft", "The field Movement names no movement"),
        ("from=2026-02-30", "take a day of the calendar"),
        ("from=2026-02-20&to=2026-02-10", "is before the first"),
    ],
)
def test_filter_that_cannot_be_read_is_refused_where_it_stands(
    browser: TestClient, client: TestClient, query: str, words: str
) -> None:
    open_budget(client)
    sign_in(browser)
    answer = browser.get(f"{PAGE}?{query}")

    assert answer.status_code == 422
    assert words in words_of(answer.text)
    assert "Filter movements" in answer.text
    assert browser.get(f"/dashboard/ledger.csv?{query}").status_code == 422
    assert browser.get(f"{PAGE}/orders.csv?{query}").status_code == 422


def test_empty_ledger_says_how_it_begins(browser: TestClient) -> None:
    sign_in(browser)
    page = browser.get(PAGE).text
    assert "The ledger is empty." in page
    assert "Chain of hashes" not in page


@pytest.mark.usefixtures("orders")
def test_chain_shows_its_head_and_publication_and_reading_writes_nothing(
    browser: TestClient, client: TestClient, database: Database, settings: Settings
) -> None:
    sign_in(browser)
    for file in settings.published_heads.glob("*"):
        file.unlink()
    kept = settings.heads_key.read_bytes()
    settings.heads_key.unlink()
    assert "Published Not yet" in words_of(browser.get(PAGE).text)
    assert list(settings.published_heads.glob("*")) == []
    assert not settings.heads_key.exists()

    settings.heads_key.write_bytes(kept)
    publish_heads(database, publisher_of(settings))
    words = words_of(browser.get(PAGE).text)
    head = client.get("/v1/ledger?limit=1").json()["items"][0]
    assert f"No. {head['seq']}" in words
    assert head["hash"] in words
    assert "Agrees with the newest movement" in words
    assert f"up to No. {head['seq']}, file 1" in words
    assert "hashes were computed again and agree" in words
    assert "loupe ledger verify ." not in words
    open_budget(client, name="Later")
    assert "1 movement since" in words_of(browser.get(PAGE).text)


@pytest.mark.usefixtures("orders")
def test_tampering_is_shown(browser: TestClient, database: Database, settings: Settings) -> None:
    publish_heads(database, publisher_of(settings))
    undo = "UPDATE ledger.transfer SET amount = amount - 1 WHERE kind = 'refund'"
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ledger.transfer SET amount = amount + 1 WHERE kind = 'refund'"))
        session.execute(text("UPDATE ledger.chain SET hash = decode(repeat('11', 32), 'hex')"))
    sign_in(browser)
    words = words_of(browser.get(PAGE).text)
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(undo))
        session.execute(
            text(
                "UPDATE ledger.chain SET hash = (SELECT hash FROM ledger.transfer ORDER BY seq DESC LIMIT 1)"
            )
        )

    assert "was changed: its hash does not agree" in words
    assert "Does not agree with the newest movement" in words
    newest = max(settings.published_heads.glob("heads-*.json"))
    newest.write_text(newest.read_text().replace('"seq": ', '"seq": 1'))
    assert "The ledger does not agree with it" in words_of(browser.get(PAGE).text)
    newest.write_text("{")
    assert "The newest published file cannot be read" in words_of(browser.get(PAGE).text)


def test_movements_of_other_workspaces_are_not_shown(
    browser: TestClient, orders: list[str], database: Database
) -> None:
    with database.sessions.begin() as session:
        stranger = create_key(session, create_workspace(session, "stranger"), "theirs")
    sign_in(browser, stranger)
    for address in (
        PAGE,
        f"{PAGE}?by=orders",
        f"{PAGE}?order={orders[0]}",
        "/dashboard/ledger.csv",
        f"{PAGE}/orders.csv",
    ):
        assert "First" not in browser.get(address).text, address
        assert orders[0] not in browser.get(address).text.replace(f'value="{orders[0]}"', "").replace(
            f"order={orders[0]}", ""
        ), address


def test_ledger_is_in_the_navigation(browser: TestClient) -> None:
    sign_in(browser)
    assert '<a href="/dashboard/ledger" aria-current="page">Ledger</a>' in browser.get(PAGE).text


def test_place_holds_money_until_delivery(browser: TestClient, client: TestClient) -> None:
    publish_prices(client)
    open_budget(client)
    order = str(place(client, plan_scene(client)).json()["id"])
    sign_in(browser)
    newest = rows_of(browser.get(PAGE).text)[0]
    assert (newest["movement"], newest["order"]) == ("reserve", order[:8])
    assert newest["held"] == newest["amount"]
