"""Expiry by the database's clock: the hold is released, and deliveries are refused."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.access.repository import create_key
from service.access.tables import Workspace
from service.cli import app
from service.database.engine import Database
from service.deliveries import decoding
from service.geotiff.preflight import Limits
from service.geotiff.raster import Raster, read_geotiff
from service.orders.expiry import expire_order, expire_orders
from service.serving import prepare
from service.settings import Settings
from tests.support.ordering import (
    code,
    deliver,
    let_time_pass,
    open_budget,
    place,
    race,
    recorded_status,
    status,
    usage,
)
from tests.support.orders import BOUGHT, Planned, make_plan


def test_order_shows_when_it_expires(client: TestClient, order: str, settings: Settings) -> None:
    shown = client.get(f"/v1/orders/{order}").json()

    made, ends = (datetime.fromisoformat(shown[name]) for name in ("created_at", "expires_at"))
    assert ends - made == timedelta(days=settings.order_days)


def test_overdue_order_shows_its_undelivered_money_as_released(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    deliver(client, order, *BOUGHT[0])
    let_time_pass(database, order)

    shown = client.get(f"/v1/orders/{order}").json()

    assert shown["status"] == "expired"
    assert shown["patches"]["awaited"] == []
    assert (shown["amounts"]["settled"]["amount"], shown["amounts"]["released"]["amount"]) == ("3.33", "6.67")
    last = shown["statuses"][-1]
    assert last["reason_code"] == "not_delivered_in_time"
    assert "by" not in last  # the clock did it
    assert usage(client, budget) == {"held": "0.00", "spent": "3.33", "available": "96.67"}


def test_late_delivery_is_refused_and_releases_the_money(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    let_time_pass(database, order)

    answer = deliver(client, order, *BOUGHT[0])

    assert code(answer) == (409, "order-expired")
    assert answer.json()["order"] == order
    assert recorded_status(database, order) == "expired"
    assert usage(client, budget) == {"held": "0.00", "spent": "0.00", "available": "100.00"}


def test_delivery_that_becomes_late_while_it_is_decoded_is_refused(
    client: TestClient, order: str, budget: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(body: bytes, limits: Limits) -> Raster:
        let_time_pass(database, order)
        return read_geotiff(body, limits)

    monkeypatch.setattr(decoding, "read_geotiff", slowly)

    assert code(deliver(client, order, *BOUGHT[0])) == (409, "order-expired")
    assert usage(client, budget)["spent"] == "0.00"


def test_cancelling_an_overdue_order_expires_it(client: TestClient, order: str, database: Database) -> None:
    let_time_pass(database, order)

    answer = client.post(f"/v1/orders/{order}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "expired")


def test_complete_order_does_not_expire(client: TestClient, order: str, database: Database) -> None:
    for where in BOUGHT:
        deliver(client, order, *where)
    let_time_pass(database, order)

    assert expire_orders(database) == 0
    assert client.get(f"/v1/orders/{order}").json()["status"] == "completed"


def test_approval_of_an_overdue_order_is_refused(
    client: TestClient, plan: Planned, database: Database, workspace_id: UUID
) -> None:
    open_budget(client, approval_above={"amount": "1.00", "currency": "USD"})
    order = place(client, plan).json()["id"]
    with database.sessions.begin() as session:
        key = create_key(session, session.get_one(Workspace, workspace_id), "colleague")
    let_time_pass(database, order)

    answer = client.post(
        f"/v1/orders/{order}/approval",
        json={"decision": "approve"},
        headers={"Authorization": f"Bearer {key}"},
    )

    assert code(answer) == (409, "order-expired")
    assert recorded_status(database, order) == "expired"


def test_plan_of_an_overdue_order_can_be_ordered_again(
    client: TestClient, plan: Planned, order: str, budget: str, database: Database
) -> None:
    let_time_pass(database, order)

    assert place(client, plan).status_code == 201
    assert recorded_status(database, order) == "expired"
    assert usage(client, budget)["held"] == "10.00"


def test_refused_order_still_expires_the_overdue_one(
    client: TestClient, plan: Planned, order: str, database: Database
) -> None:
    """The expiry is a transaction of its own, which the refusal does not roll back."""
    poor = open_budget(client, "1.00", name="poor")
    let_time_pass(database, order)

    assert place(client, plan, budget=poor).status_code == 402
    assert recorded_status(database, order) == "expired"


def test_sweep_ends_every_overdue_order_and_no_other(
    client: TestClient, database: Database, workspace_id: UUID, settings: Settings, budget: str
) -> None:
    with database.sessions.begin() as session:
        plans = [make_plan(session, workspace_id, settings.blobs, seed=seed) for seed in range(3)]
    overdue = [place(client, plan).json()["id"] for plan in plans][:2]
    for order in overdue:
        let_time_pass(database, order)

    assert expire_orders(database) == 2
    assert expire_orders(database) == 0
    assert [recorded_status(database, order) for order in overdue] == ["expired"] * 2
    assert usage(client, budget)["held"] == "10.00"


def test_expiry_racing_deliveries_spends_or_releases_every_cent(
    client: TestClient, order: str, budget: str, database: Database
) -> None:
    """The first under the order's lock wins; nothing is both paid and released."""
    waiting = list(BOUGHT)

    def run() -> int:
        if waiting:
            return status(deliver(client, order, *waiting.pop()))
        let_time_pass(database, order)
        return int(expire_order(database, UUID(order)))

    answers = race(4, run)

    paid = sum(answer == 201 for answer in answers)
    shown = client.get(f"/v1/orders/{order}").json()
    assert shown["counts"]["delivered"] == paid
    assert shown["status"] == ("completed" if paid == 3 else "expired")
    assert usage(client, budget)["held"] == "0.00"


def test_racing_sweeps_release_once(client: TestClient, order: str, budget: str, database: Database) -> None:
    let_time_pass(database, order)

    answers = race(4, lambda: expire_orders(database))

    assert sum(answers) == 1
    assert len(client.get(f"/v1/orders/{order}/statuses").json()["items"]) == 2
    assert usage(client, budget)["available"] == "100.00"


def test_server_start_expires_overdue_orders(order: str, database: Database, settings: Settings) -> None:
    let_time_pass(database, order)

    prepare(settings)

    assert recorded_status(database, order) == "expired"


def test_orders_expire_command_expires_overdue_orders(
    order: str, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("LOUPE_DATABASE_URL", settings.database_url.get_secret_value())
    let_time_pass(database, order)

    said = [CliRunner().invoke(app, ["orders", "expire"]).stdout for _ in range(2)]

    assert said == ["1 order expired.\n", "0 orders expired.\n"]
    assert recorded_status(database, order) == "expired"
