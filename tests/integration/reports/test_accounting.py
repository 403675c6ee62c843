"""Accounting cases: the realised saving equals baselines minus what the provider's invoices would say."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.orders.expiry import expire_orders
from service.pricing.examples import NO_MINIMUM
from tests.evidence.savings import differences, recompute_savings
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import (
    Json,
    buy,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
)
from tests.support.orders import Planned, make_patch

ONCE: dict[str, Any] = {"max_patches": 1, "reuse": "none"}


class Desk:
    """A workspace whose baselines and payments are noted independently of its savings report."""

    def __init__(self, client: TestClient, database: Database) -> None:
        self.client, self.database = client, database
        publish_prices(client)
        publish_prices(client, "minimum", price_per_km2="10", minimum_km2="100")
        open_budget(client, "90000.00")

    def baseline(self, plan: Planned) -> Decimal:
        """Return the bill for every patch of a plan's scene."""
        return Decimal(self.client.get(f"/v1/plans/{plan.id}").json()["baseline"]["amount"])

    def paid(self) -> Decimal:
        """Return the sum of all payments, charges and refunds."""
        rows = self.client.get("/v1/reports/spend?limit=100").json()["items"]
        return sum((Decimal(row["BilledCost"]) for row in rows), Decimal(0))

    def buy(self, body: bytes | None = None, patches: int | None = None, **query: Any) -> tuple[Planned, str]:
        """Order a plan and deliver its first patches, by default all."""
        plan = plan_scene(self.client, body, **query)
        return plan, buy(self.client, plan, patches)

    def refund(self, order: str, amount: str, place: tuple[int, int] | None = None) -> None:
        """Refund an order or one of its patches."""
        where = {} if place is None else {"tile": place[0], "patch": place[1]}
        money = {"amount": amount, "currency": "USD"}
        body = {"kind": "refund", "order": order, "amount": money, "reason": "credit note 7: cloud"}
        answer = self.client.post(
            "/v1/ledger/adjustments", json=body | where, headers={"Idempotency-Key": str(uuid4())}
        )
        assert answer.status_code == 201, answer.text

    def settled(self, order: str) -> dict[tuple[int, int], str]:
        """Return what was paid for each delivered patch of an order, as decimal strings by place."""
        patches = self.client.get(f"/v1/orders/{order}").json()["patches"]["delivered"]
        return {(one["tile"], one["patch"]): one["settled"]["amount"] for one in patches}

    @property
    def report(self) -> Json:
        """The report of the only currency."""
        (entry,) = self.client.get("/v1/reports/savings").json()["currencies"]
        return dict(entry)

    @property
    def realised(self) -> Decimal | None:
        saving = self.report["savings"]["realised"]
        return None if saving is None else Decimal(saving["amount"])

    def outside(self, order: str) -> str | None:
        """Return why an order's ground is not part of the realised saving."""
        found: str | None = self.client.get(f"/v1/reports/savings/orders/{order}").json()["outside"]
        return found


@pytest.fixture
def desk(client: TestClient, database: Database) -> Desk:
    return Desk(client, database)


def six_orders_for_one_patch(desk: Desk) -> Decimal:
    plans = [desk.buy(**ONCE)[0] for _ in range(6)]
    return desk.baseline(plans[0]) - desk.paid()


def a_plan_and_the_plan_that_supersedes_it(desk: Desk) -> Decimal:
    first, _ = desk.buy()
    answer = desk.client.post(f"/v1/plans/{first.id}/replan", json={"reuse": "none", "max_patches": 2})
    assert answer.status_code == 201, answer.text
    bought = [(tile["tile"], patch) for tile in answer.json()["tiles"] for patch in tile["buy"]]
    buy(desk.client, Planned(id=answer.json()["id"], bought=tuple(bought)))
    return desk.baseline(first) - desk.paid()


def a_scene_inside_another(desk: Desk) -> Decimal:
    outer, _ = desk.buy()
    desk.buy(make_geotiff(make_pixels()[:, :, :16]), **ONCE)
    return desk.baseline(outer) - desk.paid()


def the_same_scene_in_another_compression(desk: Desk) -> Decimal:
    first, _ = desk.buy(**ONCE)
    desk.buy(make_geotiff(compress="deflate"), **ONCE)
    return desk.baseline(first) - desk.paid()


def the_same_pixels_with_another_day(desk: Desk) -> Decimal:
    first, _ = desk.buy(make_geotiff(tags={"ACQUISITION_DATE": "2026-05-01"}), **ONCE)
    desk.buy(make_geotiff(tags={"ACQUISITION_DATE": "2026-06-01"}), **ONCE)
    return desk.baseline(first) - desk.paid()


def later_pixels() -> Any:
    """Return the usual scene at a later time: darker, and still recognisable."""
    return (make_pixels() * 0.8 + 5).astype(np.uint8)


def a_new_acquisition_that_states_no_day(desk: Desk) -> Decimal:
    first, _ = desk.buy(**ONCE)
    second, _ = desk.buy(make_geotiff(later_pixels()), **ONCE)
    return desk.baseline(first) + desk.baseline(second) - desk.paid()


def a_new_acquisition_on_another_day(desk: Desk) -> Decimal:
    first, _ = desk.buy(make_geotiff(tags={"ACQUISITION_DATE": "2026-05-01"}), **ONCE)
    later = make_geotiff(later_pixels(), tags={"ACQUISITION_DATE": "2026-06-01"})
    second, _ = desk.buy(later, **ONCE)
    return desk.baseline(first) + desk.baseline(second) - desk.paid()


def a_cancelled_order_of_the_same_ground(desk: Desk) -> Decimal:
    plan, _ = desk.buy()
    _, cancelled = desk.buy(patches=2, reuse="none")
    assert desk.client.post(f"/v1/orders/{cancelled}/cancel").status_code == 200
    return desk.baseline(plan) - desk.paid()


def an_expired_order_of_the_same_ground(desk: Desk) -> Decimal:
    plan, _ = desk.buy()
    _, expired = desk.buy(patches=2, reuse="none")
    let_time_pass(desk.database, expired)
    assert expire_orders(desk.database) == 1
    return desk.baseline(plan) - desk.paid()


def one_of_four_patches_under_a_minimum(desk: Desk) -> Decimal:
    plan, _ = desk.buy(price_list="minimum")
    _, cancelled = desk.buy(patches=1, price_list="minimum", reuse="none")
    desk.client.post(f"/v1/orders/{cancelled}/cancel")
    assert desk.paid() == 2_000
    return desk.baseline(plan) - 2_000


def a_discount(desk: Desk) -> Decimal:
    plan, order = desk.buy()
    desk.refund(order, "0.50", plan.bought[0])
    return desk.baseline(plan) - desk.paid()


def a_patch_refunded_as_unusable(desk: Desk) -> Decimal:
    plan, order = desk.buy()
    useless = desk.settled(order)[plan.bought[0]]
    desk.refund(order, useless, plan.bought[0])
    entry = desk.report
    assert (entry["returned_patches"], entry["returned"]["amount"]) == (1, useless)
    return desk.baseline(plan) - Decimal(useless) - desk.paid()


def a_refunded_patch_that_another_order_delivered(desk: Desk) -> Decimal:
    plan, order = desk.buy()
    desk.refund(order, desk.settled(order)[plan.bought[0]], plan.bought[0])
    desk.buy()  # takes the two that are owned, and buys the refunded one again
    return desk.baseline(plan) - desk.paid()


def a_refunded_patch_that_was_delivered_again(desk: Desk) -> Decimal:
    plan, order = desk.buy()
    tile, patch = plan.bought[0]
    desk.refund(order, desk.settled(order)[tile, patch], (tile, patch))
    assert deliver(desk.client, order, tile, patch, make_patch(tile, patch, seed=8)).is_success
    return desk.baseline(plan) - desk.paid()


CASES: tuple[Callable[[Desk], Decimal], ...] = (
    six_orders_for_one_patch, a_plan_and_the_plan_that_supersedes_it, a_scene_inside_another,
    the_same_scene_in_another_compression, the_same_pixels_with_another_day,
    a_new_acquisition_that_states_no_day, a_new_acquisition_on_another_day,
    a_cancelled_order_of_the_same_ground, an_expired_order_of_the_same_ground,
    one_of_four_patches_under_a_minimum, a_discount, a_patch_refunded_as_unusable,
    a_refunded_patch_that_another_order_delivered, a_refunded_patch_that_was_delivered_again,
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_realised_saving_equals_the_invoices(desk: Desk, case: Callable[[Desk], Decimal]) -> None:
    expected = case(desk)

    assert desk.realised == expected
    own = recompute_savings(
        lambda path: desk.client.get(path).json(), lambda path: desk.client.get(path).content
    )
    assert differences([desk.report], own) == []


def test_full_refund_saves_nothing(desk: Desk) -> None:
    _, order = desk.buy()
    desk.refund(order, str(desk.paid()))

    entry = desk.report
    assert desk.realised is None
    assert (entry["returned_patches"], desk.outside(order)) == (3, "returned")
    assert (entry["baseline"]["amount"], entry["savings"]["ordered"]["amount"]) == ("0.00", "0.00")


def test_example_prices_are_a_line_of_their_own(desk: Desk) -> None:
    plan, order = desk.buy(price_list=NO_MINIMUM, max_patches=3)

    entry = desk.report
    assert (desk.realised, desk.outside(order)) == (None, "example-prices")
    assert Decimal(entry["savings"]["example"]["amount"]) == desk.baseline(plan) - desk.paid()
    assert entry["realised_baseline"]["amount"] == "0.00"


def test_orders_without_a_delivery_and_held_orders_are_marked(desk: Desk) -> None:
    waiting = place(desk.client, plan_scene(desk.client)).json()["id"]
    above = {"amount": "0.01", "currency": "USD"}
    strict = open_budget(desk.client, "900.00", name="strict", approval_above=above)
    plan = plan_scene(desk.client, reuse="none")
    held = place(desk.client, plan, budget=strict).json()["id"]

    assert (desk.outside(waiting), desk.outside(held)) == ("nothing-delivered", "awaits-approval")
    assert desk.realised is None


def test_report_states_the_definition(desk: Desk) -> None:
    stated = desk.client.get("/v1/reports/savings").json()["definition"]

    assert stated.startswith("Realised saving = for each ground and product once, the bill for everything")
