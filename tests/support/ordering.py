"""Requests about budgets, plans and orders, and races between them."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.mosaics import mosaic
from tests.support.orders import Planned, make_patch

Json = dict[str, Any]
TIFF = {"Content-Type": "image/tiff"}


def open_budget(
    client: TestClient, amount: str = "100.00", currency: str = "USD", name: str = "Year", **terms: Any
) -> str:
    """Open a budget and return its id."""
    limit = {"amount": amount, "currency": currency}
    answer = client.post("/v1/budgets", json={"name": name, "limit": limit} | terms)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def change_budget(client: TestClient, budget: str, *, etag: str | None = None, **terms: Any) -> Any:
    """Send a merge patch of a budget."""
    headers = {"Content-Type": "application/merge-patch+json"} | ({"If-Match": etag} if etag else {})
    return client.patch(f"/v1/budgets/{budget}", json=terms, headers=headers)


def publish_prices(client: TestClient, name: str = "acme", **overrides: Any) -> None:
    """Publish a price list: a patch of 20 x 20 m costs about 4 USD, without a minimum."""
    terms = {
        "name": name, "provider": "Acme", "product": "0.5 m archive", "gsd_m": "0.5", "currency": "USD",
        "price_per_km2": "10000",
    }  # fmt: skip
    answer = client.post("/v1/price-lists", json=terms | overrides)
    assert answer.status_code in {200, 201}, answer.text


def plan_scene(client: TestClient, body: bytes | None = None, **query: Any) -> Planned:
    """Plan a scene, by default of 2 x 3 tiles, that buys three patches unless a query says otherwise.

    None leaves a default out.
    """
    given: dict[str, Any] = {"price_list": "acme", "max_patches": 3} | query
    options = {name: value for name, value in given.items() if value is not None}
    answer = client.post("/v1/plans", content=body or make_geotiff(), headers=TIFF, params=options)
    assert answer.status_code == 201, answer.text
    plan = answer.json()
    bought = [(tile["tile"], patch) for tile in plan["tiles"] for patch in tile["buy"]]
    return Planned(id=UUID(plan["id"]), bought=tuple(bought))


def buy(client: TestClient, plan: Planned, patches: int | None = None, **body: Any) -> str:
    """Order a plan, deliver its first `patches` patches, by default all, and return the order's id."""
    order = str(place(client, plan, **body).json()["id"])
    for where in plan.bought[:patches]:
        assert deliver(client, order, *where).status_code == 201
    return order


def buy_everything(client: TestClient) -> str:
    """Order all 96 patches of the scene, deliver them in one file, and return the order's id."""
    order = str(place(client, plan_scene(client, max_patches=96)).json()["id"])
    answer = send_file(client, order, mosaic())
    assert set(outcomes(answer).values()) == {"settled"}, answer.text
    return order


def place(client: TestClient, plan: Planned, key: str | None = None, **body: Any) -> Any:
    """Order a plan."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post("/v1/orders", json={"plan": str(plan.id)} | body, headers=headers)


def held_order(client: TestClient) -> tuple[str, str]:
    """Place an order that waits for another holder; return its budget and the order."""
    above = {"amount": "1.00", "currency": "USD"}
    budget = open_budget(client, name="careful", approval_above=above)
    return budget, str(place(client, plan_scene(client), budget=budget).json()["id"])


def charge(
    client: TestClient, order: str, amount: str, headers: Json | None = None, key: str | None = None
) -> Any:
    """Post a later charge of an order in USD."""
    body = {
        "kind": "charge",
        "order": order,
        "amount": {"amount": amount, "currency": "USD"},
        "reason": "invoice 17",
    }
    sent = {"Idempotency-Key": key or str(uuid4())} | (headers or {})
    return client.post("/v1/ledger/adjustments", json=body, headers=sent)


def deliver(
    client: TestClient, order: str, tile: int, patch: int, body: bytes | None = None, **query: Any
) -> Any:
    """Deliver a patch: its own GeoTIFF, or another body."""
    path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
    content = make_patch(tile, patch) if body is None else body
    return client.put(path, content=content, headers=TIFF, params=query)


def send_file(client: TestClient, order: str, body: bytes, headers: Json = TIFF, **query: Any) -> Any:
    """Deliver a file for as many patches as it covers."""
    return client.put(f"/v1/orders/{order}/deliveries", content=body, headers=headers, params=query)


def outcomes(answer: Any) -> dict[tuple[int, int], str]:
    """Return what became of each place that an answer to `send_file` names."""
    return {(one["tile"], one["patch"]): one["outcome"] for one in answer.json()["patches"]}


def spooled(settings: Settings) -> list[str]:
    """Return the names of the files that are still on their way in."""
    return [path.name for path in (settings.blobs / "incoming").glob("*")]


def let_time_pass(database: Database, order: str) -> None:
    """Make an order overdue from now on, as its history says."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # history is append-only
        session.execute(text('UPDATE "order" SET expires_at = now() WHERE id = :id'), {"id": order})
        history = "order_status_change SET expires_at = now() WHERE expires_at IS NOT NULL AND order_id = :id"
        session.execute(text(f"UPDATE {history}"), {"id": order})


def begin_periods_earlier(database: Database) -> None:
    """Make every budget's newest terms older than any period; a superuser's trick, for no test can wait."""
    with database.sessions.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE ledger.budget_terms SET period_starts_on = '2000-01-01'"))


def recorded_status(database: Database, order: str) -> str:
    """Return the status that is written in the order's row."""
    with database.sessions() as session:
        query = text('SELECT status FROM "order" WHERE id = :id')
        return str(session.execute(query, {"id": order}).scalar_one())


def usage(client: TestClient, budget: str) -> Json:
    """Return the held, spent and available amount of a budget."""
    answer = client.get(f"/v1/budgets/{budget}/usage").json()
    return {name: answer[name]["amount"] for name in ("held", "spent", "available")}


def movements(database: Database) -> list[tuple[str, int, str]]:
    """Return kind, amount and first word of the reference of every ledger entry, in order."""
    with database.sessions() as session:
        rows = session.execute(text("SELECT kind, amount, reference FROM ledger.transfer ORDER BY seq")).all()
    return [(row.kind, row.amount, row.reference.partition(":")[0]) for row in rows]


def code(answer: Any) -> tuple[int, str]:
    """Return the status and the problem code of a refusal."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def status(answer: Any) -> int:
    """Return the status of an answer."""
    return int(answer.status_code)


def race(runners: int, run: Callable[[], int]) -> list[int]:
    """Start `runners` threads at one moment and return what each answered."""
    start, answers = threading.Barrier(runners), list[int]()

    def runner() -> None:
        start.wait()
        answers.append(run())

    threads = [threading.Thread(target=runner) for _ in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def waiting_connections(database: Database) -> int:
    """Count the test database's other connections that sit in an open transaction."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
    with database.sessions() as session:
        return int(session.execute(text(query)).scalar_one())
