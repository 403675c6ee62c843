"""Savings that invoices and exports reproduce to the minor unit, in several currencies."""

from decimal import Decimal
from itertools import count

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.expiry import expire_orders
from tests.evidence.invoiced import bill_by_terms, savings_by_invoice
from tests.integration.reports.test_recomputed import Shop, adjust, readers, report_of
from tests.support.ordering import Json, let_time_pass, open_budget, publish_prices


class Provider:
    """A provider that bills what it delivered by its price list, knowing only the orders that it got."""

    def __init__(self, client: TestClient) -> None:
        self.client, self._numbers = client, count(1)

    def read(self, path: str) -> Json:
        found: Json = self.client.get(path).json()
        return found

    def invoice(self, order: str) -> Decimal:
        """Bill what came of an order: each whole shape, or else the area of the delivered patches."""
        placed = self.read(f"/v1/orders/{order}")
        terms = self.read(f"/v1/plans/{placed['plan']}/bill")["terms"]
        places = {(one["tile"], one["patch"]) for one in placed["patches"]["delivered"]}
        if placed["counts"]["awaited"] == 0 and placed["status"] == "completed":
            shapes = self.read(f"/v1/plans/{placed['plan']}/shapes")["features"]
            areas = [exact(one["properties"]["area_km2"]) for one in shapes]
        else:
            patches = self.read(f"/v1/plans/{placed['plan']}/patches?limit=100")["features"]
            came = [one["properties"] for one in patches]
            parts = (exact(one["area_km2"]) for one in came if (one["tile"], one["index"]) in places)
            areas = [sum(parts, Decimal(0))]
        text = placed["amounts"]["total"]["amount"]
        unit = Decimal(1).scaleb(-len(text.partition(".")[2]))
        billed = bill_by_terms(areas, terms, unit)
        self.document("invoice", order, billed, placed["amounts"]["total"]["currency"])
        return billed

    def document(self, kind: str, reference: str, amount: Decimal, currency: str = "USD") -> None:
        """Send an invoice or a credit note of one line."""
        line = {"reference": f"Loupe {reference}", "amount": str(amount)}
        document = {
            "number": f"R-{next(self._numbers)}", "kind": kind, "provider": "Acme", "date": "2026-11-30",
            "currency": currency, "lines": [line],
        }  # fmt: skip
        answer = self.client.post("/v1/invoices", json=document)
        assert answer.status_code == 201, answer.text


def exact(km2: float) -> Decimal:
    """Return an area in whole square centimetres."""
    return round(Decimal(km2), 10)


@pytest.fixture
def provider(client: TestClient) -> Provider:
    return Provider(client)


@pytest.fixture
def invoiced(client: TestClient, database: Database, provider: Provider) -> TestClient:
    """Fill a workspace with orders in three currencies, invoice all of them, and correct some."""
    publish_prices(client, minimum_km2="0.002", tiers=[{"above_km2": "0.001", "price_per_km2": "9000"}])
    publish_prices(
        client, "drawn", price_per_km2="7000.123", minimum_km2="0.0011", minimum_applies_to="shape"
    )
    publish_prices(client, "yen", currency="JPY", price_per_km2="923456.78", minimum_charge="555")
    publish_prices(client, "fomento", currency="CLF", price_per_km2="123.4567")
    open_budget(client, "90000", currency="JPY", name="Yen")
    open_budget(client, "500.0000", currency="CLF", name="Fomento")
    shop = Shop(client)
    whole = [
        shop.order(), shop.order(max_patches=5), shop.order(40, reuse="none"),
        shop.order(price_list="drawn", max_patches=4, reuse="none"),
    ]  # fmt: skip
    early = shop.order(20, patches=1)
    shop.cancel(early)
    lost = shop.order(30, patches=2)
    let_time_pass(database, lost)
    assert expire_orders(database) == 1
    late = shop.order(80, patches=1)
    shop.deliver_late(database, late, 80, patches=2)
    currencies = [order_in(client, shop, name) for name in ("yen", "fomento")]
    for order in (*whole, early, lost, late, *currencies):
        provider.invoice(order)
    correct(client, provider, whole)
    return client


def order_in(client: TestClient, shop: Shop, price_list: str) -> str:
    budgets = {one["name"].lower(): one["id"] for one in client.get("/v1/budgets").json()["items"]}
    shop.budget, usual = budgets[price_list], shop.budget
    order = shop.order(price_list=price_list, reuse="none")
    shop.budget = usual
    return order


def correct(client: TestClient, provider: Provider, orders: list[str]) -> None:
    """Charge one order more, discount one, and give the money of a useless patch and of an order back."""
    adjust(client, orders[0], "charge", "0.50")
    provider.document("invoice", orders[0], Decimal("0.50"))
    adjust(client, orders[1], "refund", "0.07")
    provider.document("credit-note", orders[1], Decimal("0.07"))
    paid = client.get(f"/v1/orders/{orders[2]}").json()["amounts"]["settled"]["amount"]
    adjust(client, orders[2], "refund", paid)
    provider.document("credit-note", orders[2], Decimal(paid))


def test_invoices_and_exports_reproduce_every_saving(invoiced: TestClient) -> None:
    own = savings_by_invoice(*readers(invoiced))

    stated = {
        one["currency"]: tuple(
            Decimal(figure["amount"]) for figure in (one["savings"]["realised"], one["realised_cost"])
        )
        for one in report_of(invoiced)
    }
    assert own == stated
    assert set(own) == {"USD", "JPY", "CLF"}
    assert all(saving is not None and saving != 0 for saving, _ in own.values())


def test_provider_and_ledger_agree_to_the_minor_unit(invoiced: TestClient) -> None:
    assert invoiced.get("/v1/invoices/differences").json()["items"] == []
    assert [one["confirmed_percent"] for one in report_of(invoiced)] == [100.0] * 3


def test_invoice_of_another_amount_changes_what_is_found_and_not_the_report(
    invoiced: TestClient, provider: Provider
) -> None:
    before, stated = savings_by_invoice(*readers(invoiced)), report_of(invoiced)
    order = invoiced.get("/v1/orders?limit=1").json()["items"][0]["id"]
    provider._numbers = count(100)

    provider.document("invoice", order, Decimal("0.0001"), "CLF")

    after = savings_by_invoice(*readers(invoiced))
    assert before["CLF"][1] + Decimal("0.0001") == after["CLF"][1]
    assert [one["savings"] for one in report_of(invoiced)] == [one["savings"] for one in stated]
