"""Orders that expired, and patches that come late."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.expiry import expire_orders
from tests.support.ordering import (
    Json,
    deliver,
    let_time_pass,
)


def expire(database: Database, order: str) -> str:
    let_time_pass(database, order)
    assert expire_orders(database) == 1
    return order


def late(client: TestClient, order: str, place: tuple[int, int], **query: Any) -> Any:
    return deliver(client, order, *place, accept_late=True, **query)


def adjust(client: TestClient, order: str, kind: str, amount: str) -> Any:
    """Record a refund or a later charge in USD."""
    body = {
        "kind": kind, "order": order, "amount": {"amount": amount, "currency": "USD"}, "reason": "R-7",
    }  # fmt: skip
    return client.post("/v1/ledger/adjustments", json=body, headers={"Idempotency-Key": str(uuid4())})


def show(client: TestClient, order: str) -> Json:
    shown: Json = client.get(f"/v1/orders/{order}").json()
    return shown


def paid(shown: Json) -> Decimal:
    """Return what the documents of an order say that was paid, by deliveries and bills."""
    parts = [one["settled"] for one in shown["patches"]["delivered"]] + [shown["final_bill"]["difference"]]
    return sum((Decimal(one["amount"]) for one in parts), Decimal(0))
