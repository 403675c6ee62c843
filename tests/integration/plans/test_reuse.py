"""Plans of ground that the workspace owns or has on order: what is left out, and what that saves."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.database.engine import Database
from service.ledger.findings import Finding
from service.plans.audit import audit_plans
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import (
    buy,
    buy_everything,
    code,
    deliver,
    let_time_pass,
    open_budget,
    place,
    plan_scene,
    publish_prices,
)
from tests.support.planning import bought, plan, send

Json = dict[str, Any]
Place = tuple[int, int]


@pytest.fixture(autouse=True)
def money(client: TestClient, spread_utilities: None) -> None:  # noqa: ARG001  (a fixture)
    publish_prices(client)
    open_budget(client, "1000.00")


def cents(amount: Json) -> int:
    return round(float(amount["amount"]) * 100)


def ground(made: Json, kind: str) -> set[Place]:
    """Return the places that a plan says are `owned` or `on_order`."""
    return {(tile["tile"], patch) for tile in made["tiles"] for patch in tile[kind]}


def refund(client: TestClient, order: str, amount: str, place: Place | None = None) -> None:
    where = {} if place is None else {"tile": place[0], "patch": place[1]}
    body = {
        "kind": "refund",
        "order": order,
        "amount": {"amount": amount, "currency": "USD"},
        "reason": "bad",
    }
    answer = client.post("/v1/ledger/adjustments", json=body | where, headers={"Idempotency-Key": "r" * 16})
    assert answer.status_code == 201, answer.text


def test_plan_of_a_fresh_workspace_reuses_nothing(client: TestClient) -> None:
    made = plan(client, price_list="acme", max_patches=3)
    assert made["reuse"] == {
        "mode": "owned", "owned": 0, "on_order": 0, "area_km2": "0", "orders": [], "spared": 0,
        "saved": {"amount": "0.00", "currency": "USD"},
    }  # fmt: skip
    assert made["warnings"] == []


def test_delivered_patches_are_owned_and_awaited_ones_on_order(client: TestClient) -> None:
    first = plan_scene(client)
    order = buy(client, first, patches=2)
    again = plan(client, price_list="acme", max_patches=3)
    assert ground(again, "owned") == set(first.bought[:2])
    assert ground(again, "on_order") == {first.bought[2]}
    assert not bought(again) & set(first.bought)
    (named,) = again["reuse"]["orders"]
    shown = client.get(f"/v1/orders/{order}").json()
    assert (named["order"], named["status"]) == (order, "processing")
    assert (named["owned"], named["on_order"]) == (2, 1)
    assert (named["paid"], named["held"]) == (shown["amounts"]["settled"], shown["amounts"]["held"])


def test_cost_and_savings_sum_to_the_price_of_the_ground(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    again = plan(client, price_list="acme", objective="policy")
    parts = again["cost"], again["reuse"]["saved"], again["savings"]["billable"]
    assert sum(map(cents, parts)) == cents(again["baseline"])
    assert cents(again["reuse"]["saved"]) > 0
    bill = client.get(f"/v1/plans/{again['id']}/bill").json()
    assert bill["saved_by_reuse"] == again["reuse"]["saved"]
    with database.sessions() as session:
        assert list(audit_plans(session)) == list[Finding]()


@pytest.mark.parametrize(
    "other",
    [
        make_geotiff(make_pixels(), compress="deflate"),
        make_geotiff(make_pixels(seed=5)),
        make_geotiff(np.concatenate([make_pixels(), make_pixels(bands=1)]), photometric="rgb"),
    ],
    ids=["other bytes", "other pixels", "four bands"],
)
def test_another_upload_of_the_same_grid_is_the_same_ground(client: TestClient, other: bytes) -> None:
    first = plan_scene(client)
    buy(client, first)
    assert ground(plan(client, other, price_list="acme"), "owned") == set(first.bought)


def test_crop_on_the_same_grid_is_the_same_ground(client: TestClient) -> None:
    first = plan_scene(client, max_patches=30)
    buy(client, first)
    crop = make_geotiff(make_pixels(width=16)[:, :, :], west=500_000.0 + 80)
    made = plan(client, crop, price_list="acme")
    wanted = {(tile - 1 - tile // 3, patch) for tile, patch in first.bought if tile % 3}
    assert ground(made, "owned") == wanted


def test_shifted_scene_owns_the_patches_that_lie_on_owned_ground(client: TestClient) -> None:
    buy_everything(client)
    shifted = make_geotiff(make_pixels(), west=500_000.0 + 10, north=5_300_000.0 - 10)
    owned = ground(plan(client, shifted, price_list="acme"), "owned")
    # All but the last column and the last row of patches lie on owned ground.
    assert len(owned) == 11 * 7


def test_scene_elsewhere_owns_nothing(client: TestClient) -> None:
    buy(client, plan_scene(client))
    elsewhere = make_geotiff(make_pixels(), west=700_000.0)
    assert plan(client, elsewhere, price_list="acme")["reuse"]["owned"] == 0


def test_another_workspace_owns_nothing(client: TestClient, database: Database) -> None:
    buy(client, plan_scene(client))
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "other"), "other")
    answer = client.post(
        "/v1/plans", content=make_geotiff(),
        headers={"Content-Type": "image/tiff", "Authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert answer.json()["reuse"]["owned"] == 0


def test_patches_refunded_in_full_are_not_owned(client: TestClient) -> None:
    first = plan_scene(client)
    order = buy(client, first)
    delivered = client.get(f"/v1/orders/{order}").json()["patches"]["delivered"]
    lost = delivered[0]
    refund(client, order, lost["settled"]["amount"], (lost["tile"], lost["patch"]))
    owned = ground(plan(client, price_list="acme"), "owned")
    assert owned == set(first.bought) - {(lost["tile"], lost["patch"])}


def test_patches_refunded_in_part_stay_owned_and_cost_less(client: TestClient) -> None:
    first = plan_scene(client)
    order = buy(client, first)
    refund(client, order, "1.00", first.bought[0])
    made = plan(client, price_list="acme")
    assert ground(made, "owned") == set(first.bought)
    shown = client.get(f"/v1/orders/{order}").json()["amounts"]
    assert made["reuse"]["orders"][0]["paid"] == shown["net"]


def test_patches_of_an_order_refunded_in_full_are_not_owned(client: TestClient) -> None:
    order = buy(client, plan_scene(client))
    refund(client, order, client.get(f"/v1/orders/{order}").json()["amounts"]["settled"]["amount"])
    assert plan(client, price_list="acme")["reuse"]["owned"] == 0


def test_cancelled_order_keeps_what_was_delivered_and_frees_the_rest(client: TestClient) -> None:
    first = plan_scene(client)
    order = buy(client, first, patches=1)
    assert client.post(f"/v1/orders/{order}/cancel").status_code == 200
    made = plan(client, price_list="acme")
    assert (ground(made, "owned"), ground(made, "on_order")) == ({first.bought[0]}, set())


def test_overdue_order_awaits_nothing(client: TestClient, database: Database) -> None:
    order = place(client, plan_scene(client)).json()["id"]
    let_time_pass(database, order)
    assert plan(client, price_list="acme")["reuse"]["on_order"] == 0


def test_held_order_counts_as_on_order(client: TestClient) -> None:
    strict = open_budget(
        client, "500.00", name="Strict", approval_above={"amount": "0.01", "currency": "USD"}
    )
    first = plan_scene(client)
    assert place(client, first, budget=strict).json()["status"] == "held"
    assert ground(plan(client, price_list="acme"), "on_order") == set(first.bought)


def test_product_too_coarse_for_the_bundle_is_not_reused(client: TestClient) -> None:
    publish_prices(client, name="coarse", gsd_m="6")
    first = plan_scene(client, price_list="coarse")
    # A plan of such a list cannot be ordered any more; one that was is in the books of older versions.
    assert code(place(client, first)) == (409, "product-too-coarse")


class TestReuseNone:
    def test_plan_buys_the_same_patches_again_and_says_so(self, client: TestClient) -> None:
        first = plan_scene(client)
        order = buy(client, first)
        again = plan(client, price_list="acme", max_patches=3, reuse="none")
        assert bought(again) == set(first.bought)
        assert again["reuse"]["mode"] == "none"
        assert again["reuse"]["owned"] == 3
        assert cents(again["reuse"]["saved"]) == 0
        (warning,) = again["warnings"]
        assert warning["code"] == "ground-bought-again"
        assert warning["figures"]["orders"][0]["order"] == order

    def test_form_option_overrides_the_query(self, client: TestClient) -> None:
        buy(client, plan_scene(client))
        scene, params = ("s.tif", make_geotiff(), "image/tiff"), {"params": '{"reuse": "none"}'}
        answer = client.post("/v1/plans", files={"scene": scene}, data=params)
        assert answer.json()["reuse"]["mode"] == "none"

    def test_unknown_mode_is_refused(self, client: TestClient) -> None:
        assert send(client, reuse="some").status_code == 422


class TestReplan:
    def test_replan_leaves_out_what_came_to_be_owned(self, client: TestClient) -> None:
        first, second = plan_scene(client), plan_scene(client)
        buy(client, first)
        answer = client.post(f"/v1/plans/{second.id}/replan", json={}).json()
        assert ground(answer, "owned") == set(first.bought)
        assert answer["changes"]["dropped"] == 3

    def test_replan_keeps_the_mode_unless_it_is_given(self, client: TestClient) -> None:
        made = plan(client, price_list="acme", max_patches=3, reuse="none")
        kept = client.post(f"/v1/plans/{made['id']}/replan", json={"max_patches": 2}).json()
        assert kept["reuse"]["mode"] == "none"
        changed = client.post(f"/v1/plans/{kept['id']}/replan", json={"reuse": "owned"}).json()
        assert changed["reuse"]["mode"] == "owned"
        assert changed["objective"] == kept["objective"]

    def test_replan_of_an_older_plan_reuses_owned_ground(
        self, client: TestClient, database: Database
    ) -> None:
        first, old = plan_scene(client), plan_scene(client)
        buy(client, first)
        with database.sessions.begin() as session:
            session.execute(text("ALTER TABLE plan DISABLE TRIGGER USER"))
            query = (
                "UPDATE plan SET reuse = NULL, ground = NULL, bill = bill - 'ordered_pixel_m' WHERE id = :id"
            )
            session.execute(text(query), {"id": old.id})
            session.execute(text("ALTER TABLE plan ENABLE TRIGGER USER"))
        assert client.get(f"/v1/plans/{old.id}").json()["reuse"] is None
        assert client.post(f"/v1/plans/{old.id}/replan", json={}).json()["reuse"]["owned"] == 3


def test_map_names_ground_and_reason_of_each_patch(client: TestClient) -> None:
    first = plan_scene(client)
    buy(client, first, patches=2)
    made = plan(client, price_list="acme", max_patches=3)
    document = client.get(f"/v1/plans/{made['id']}/patches").json()
    found = {
        (f["properties"]["tile"], f["properties"]["index"]): f["properties"] for f in document["features"]
    }
    assert {found[place]["reason"] for place in first.bought[:2]} == {"already-owned"}
    assert found[first.bought[2]]["reason"] == "already-on-order"
    assert found[first.bought[2]]["ground"] == "on-order"
    assert {"already-owned", "already-on-order"} <= set(document["reasons"])
    assert sum(one["selected"] for one in found.values()) == 3


def test_curve_prices_what_is_left(client: TestClient) -> None:
    buy_everything(client)
    made = plan(client, price_list="acme", objective="policy")
    assert made["decision"] == "Buys nothing: the whole scene, 96 patches, is owned or on order already."
    points = client.get(f"/v1/plans/{made['id']}/curve").json()["points"]
    assert {point["cost"]["amount"] for point in points} <= {"0.00"}


def test_orders_of_duplicates_made_before_count_ground_once(client: TestClient) -> None:
    first = plan_scene(client)
    buy(client, first)
    twin = plan_scene(client, reuse="none")
    order = place(client, twin).json()["id"]
    for where in twin.bought:
        assert deliver(client, order, *where).status_code == 201
    made = plan(client, price_list="acme")
    assert made["reuse"]["owned"] == 3
    assert [one["order"] for one in made["reuse"]["orders"]] == [order]  # the newest is used
    assert UUID(made["reuse"]["orders"][0]["order"])
