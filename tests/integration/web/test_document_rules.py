"""Rules of bodies that no member has by itself: the OpenAPI document and the server agree about them."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import jsonschema_rs
from fastapi import FastAPI
from fastapi.testclient import TestClient

Json = dict[str, Any]
ADJUSTMENTS, BUDGETS, INVOICES = "/v1/ledger/adjustments", "/v1/budgets", "/v1/invoices"
PRICES, IMPORT = "/v1/price-lists", "/v1/price-lists/import"
REPLAN, TRUTH = f"/v1/plans/{UUID(int=7)}/replan", f"/v1/orders/{UUID(int=7)}/truth"
TEMPLATES = {REPLAN: "/v1/plans/{plan_id}/replan", TRUTH: "/v1/orders/{order_id}/truth"}
MONEY = {"amount": "1.00", "currency": "USD"}
INVOICE = {
    "number": "R-1", "provider": "Acme", "date": "2026-11-02", "currency": "USD",
    "lines": [{"reference": "a", "amount": "1.00"}],
}  # fmt: skip
PRICE_LIST = {"name": "acme", "provider": "Acme", "product": "30 cm", "gsd_m": "0.3", "currency": "USD"}
TIERS = [{"above_km2": "5", "price_per_km2": "7"}]
UNPRINTABLE = ("\x00", "\x1f", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u200b")


def adjustment(kind: str, **place: Any) -> Json:
    return {"kind": kind, "order": str(UUID(int=7)), "amount": MONEY, "reason": "late"} | place


def prices(**more: Any) -> Json:
    return PRICE_LIST | more


def tagged(name: str, value: Any = "a") -> Json:
    return {"name": "Year", "limit": MONEY, "tags": {name: value}}


FITTING: list[tuple[str, Any]] = [
    (ADJUSTMENTS, adjustment("charge")),
    (ADJUSTMENTS, adjustment("charge", tile=None, patch=None)),
    (ADJUSTMENTS, adjustment("refund")),
    (ADJUSTMENTS, adjustment("refund", tile=0, patch=15)),
    (ADJUSTMENTS, adjustment("refund", tile=3.0, patch=2.0)),
    (PRICES, prices(price_per_km2="10")),
    (PRICES, prices(price_per_km2=10.5, tiers=TIERS, price_per_scene=None)),
    (PRICES, prices(price_per_scene="10", tiers=[])),
    (PRICES, prices(price_per_km2="10", max_vertices=40.0)),
    (PRICES, prices(price_per_km2="10", name="0123456789abcdef0123456789abcde")),
    (IMPORT, [prices(price_per_scene="10")]),
    (IMPORT, [prices(name="b", price_per_scene=1e1, gsd_m=5e-1, max_vertices=4e1)]),
    (INVOICES, INVOICE),
    (INVOICES, [INVOICE, INVOICE | {"number": "R-2"}]),
    (BUDGETS, tagged("team", "north")),
    (BUDGETS, {"name": "Year", "limit": MONEY, "thresholds": [50.0]}),
    (REPLAN, {"max_patches": 3.0}),
    (TRUTH, {"tiles": [{"tile": 3.0, "true_label": None}]}),
    ("/v1/retention", {"scene_days": 7.0, "delivery_days": None}),
]  # fmt: skip
MALFORMED: list[tuple[str, Any]] = [
    (ADJUSTMENTS, adjustment("charge", tile=0, patch=0)),
    (ADJUSTMENTS, adjustment("refund", tile=0)),
    (ADJUSTMENTS, adjustment("refund", patch=0, tile=None)),
    (ADJUSTMENTS, adjustment("refund", tile=0.5, patch=0)),
    (PRICES, prices()),
    (PRICES, prices(price_per_km2=None, price_per_scene=None)),
    (PRICES, prices(price_per_km2="10", price_per_scene="10")),
    (PRICES, prices(price_per_scene="10", tiers=TIERS)),
    (PRICES, prices(price_per_km2="1e1")),
    (PRICES, prices(price_per_km2="10.1234567")),
    (PRICES, prices(price_per_km2="ten")),
    (PRICES, prices(price_per_km2="10", name="example-mine")),
    (PRICES, prices(price_per_km2="10", name="0123456789abcdef0123456789abcdef")),
    (PRICES, prices(price_per_km2="10", name=str(UUID(int=7)))),
    (PRICES, prices(price_per_km2="10", currency="XXX")),
    (PRICES, prices(price_per_km2="10", max_vertices=4.5)),
    (IMPORT, [prices()]),
    (IMPORT, []),
    (IMPORT, [prices(price_per_km2="10", name=1.5)]),
    (IMPORT, [prices(price_per_km2="10", max_vertices=4.5)]),
    (INVOICES, INVOICE | {"tax": 1.5}),
    (INVOICES, INVOICE | {"number": 1.5}),
    (INVOICES, []),
    (INVOICES, INVOICE | {"currency": "QQQ"}),
    (BUDGETS, tagged("a=b")),
    (BUDGETS, tagged(" a")),
    *((BUDGETS, tagged(f"a{one}b")) for one in UNPRINTABLE),
    *((BUDGETS, tagged("a", f"a{one}b")) for one in UNPRINTABLE),
    (REPLAN, {"max_patches": 3.5}),
    (REPLAN, {"max_patches": True}),
    (TRUTH, {"tiles": [{"tile": 0.5, "true_label": None}]}),
    ("/v1/retention", {"scene_days": 0.5, "delivery_days": None}),
]  # fmt: skip


def allows(client: TestClient, path: str, body: Any) -> bool:
    """Return whether the document allows a body."""
    assert isinstance(client.app, FastAPI)
    document = client.app.openapi()
    (operation,) = bodies(document["paths"][TEMPLATES.get(path, path)])
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    whole = schema | {"components": document["components"]}
    return bool(jsonschema_rs.validator_for(whole).is_valid(body))


def bodies(methods: Json) -> Iterator[Json]:
    """Yield the operations of a path that read a body."""
    return (operation for operation in methods.values() if "requestBody" in operation)


def refused(client: TestClient, path: str, body: Any) -> bool:
    """Return whether the server refuses a body for its form."""
    method = "PUT" if path in {TRUTH, "/v1/retention"} else "POST"
    answer = client.request(method, path, json=body, headers={"Idempotency-Key": "a-rule-of-bodies"})
    assert answer.status_code < 500
    if answer.is_success or not answer.json()["type"].endswith(("invalid-request", "-unreadable")):
        return False
    assert answer.json()["detail"].endswith((".", "…")), answer.text
    return True


def test_document_and_server_agree_on_the_form_of_bodies(client: TestClient) -> None:
    """Each body is allowed and taken, or neither. One client sends all: a database for each takes longer."""
    expected = dict.fromkeys(((path, json.dumps(body)) for path, body in FITTING), (True, False))
    expected |= dict.fromkeys(((path, json.dumps(body)) for path, body in MALFORMED), (False, True))
    found = {
        (path, body): (allows(client, path, json.loads(body)), refused(client, path, json.loads(body)))
        for path, body in expected
    }

    assert found == expected
