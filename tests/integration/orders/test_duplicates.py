"""Orders of ground that is bought already, of products that are too coarse, and of plans that buy nothing."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.database.engine import Database
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    TIFF,
    buy,
    buy_everything,
    code,
    deliver,
    movements,
    open_budget,
    place,
    plan_scene,
    publish_prices,
    race,
    status,
    usage,
)
from tests.support.orders import Planned
from tests.support.planning import plan

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def budget(client: TestClient, spread_utilities: None) -> str:  # noqa: ARG001  (a fixture)
    publish_prices(client)
    return open_budget(client, "1000.00")


def replanned(client: TestClient, one: Planned, **wanted: Any) -> Planned:
    answer = client.post(f"/v1/plans/{one.id}/replan", json=wanted).json()
    bought = [(tile["tile"], patch) for tile in answer["tiles"] for patch in tile["buy"]]
    return Planned(id=UUID(answer["id"]), bought=tuple(bought))


class TestGroundAlreadyBought:
    def test_second_plan_of_the_same_ground_is_refused(self, client: TestClient, budget: str) -> None:
        first, second = plan_scene(client), plan_scene(client)
        order = place(client, first).json()
        before = usage(client, budget)
        answer = place(client, second)
        assert code(answer) == (409, "ground-already-bought")
        problem = answer.json()
        assert (problem["plan"], problem["patches"]) == (str(second.id), 3)
        (named,) = problem["orders"]
        assert (named["order"], named["on_order"], named["owned"]) == (order["id"], 3, 0)
        assert named["held"] == order["amounts"]["held"]
        assert f"order {order['id']} (3 on order for {named['held']['amount']} USD)" in problem["detail"]
        assert "reuse=none" in problem["detail"]
        assert usage(client, budget) == before

    def test_delivered_ground_is_refused_as_well(self, client: TestClient) -> None:
        first, second = plan_scene(client), plan_scene(client)
        order = buy(client, first)
        answer = place(client, second)
        assert code(answer) == (409, "ground-already-bought")
        assert answer.json()["orders"][0]["order"] == order
        assert answer.json()["orders"][0]["owned"] == 3

    def test_another_upload_of_the_ground_is_refused(self, client: TestClient) -> None:
        first, second = plan_scene(client), plan_scene(client, make_geotiff(make_pixels(seed=3)))
        assert place(client, first).status_code == 201
        assert code(place(client, second)) == (409, "ground-already-bought")

    def test_replan_removes_the_cause(self, client: TestClient) -> None:
        first, second = plan_scene(client), plan_scene(client)
        assert place(client, first).status_code == 201
        newer = replanned(client, second)
        assert not set(newer.bought) & set(first.bought)
        assert place(client, newer).status_code == 201

    def test_plan_with_reuse_none_is_ordered_with_a_warning(self, client: TestClient) -> None:
        first, second = plan_scene(client), plan_scene(client, reuse="none")
        assert place(client, first).status_code == 201
        answer = place(client, second)
        assert answer.status_code == 201
        (warning,) = answer.json()["warnings"]
        assert (warning["code"], warning["figures"]["patches"]) == ("ground-bought-again", 3)

    def test_plan_made_before_reuse_existed_is_refused(self, client: TestClient, database: Database) -> None:
        first, second = plan_scene(client), plan_scene(client)
        with database.sessions.begin() as session:
            session.execute(text("ALTER TABLE plan DISABLE TRIGGER USER"))
            query = (
                "UPDATE plan SET reuse = NULL, ground = NULL, bill = bill - 'ordered_pixel_m' WHERE id = :id"
            )
            session.execute(text(query), {"id": second.id})
            session.execute(text("ALTER TABLE plan ENABLE TRIGGER USER"))
        assert place(client, first).status_code == 201
        assert code(place(client, second)) == (409, "ground-already-bought")

    def test_plan_can_be_ordered_again_after_its_order_was_cancelled(self, client: TestClient) -> None:
        one = plan_scene(client)
        order = place(client, one).json()["id"]
        assert client.post(f"/v1/orders/{order}/cancel").status_code == 200
        assert place(client, one).status_code == 201

    def test_patches_delivered_before_a_cancellation_are_not_paid_twice(self, client: TestClient) -> None:
        one = plan_scene(client)
        order = buy(client, one, patches=1)
        assert client.post(f"/v1/orders/{order}/cancel").status_code == 200
        assert code(place(client, one)) == (409, "ground-already-bought")
        newer = replanned(client, one, max_patches=2)
        assert set(newer.bought) == set(one.bought[1:])
        assert place(client, newer).status_code == 201

    def test_retry_with_the_same_key_gets_the_same_answer(self, client: TestClient) -> None:
        one, key = plan_scene(client), str(uuid4())
        assert place(client, one, key).json() == place(client, one, key).json()

    def test_of_racing_orders_of_the_same_ground_one_wins(
        self, client: TestClient, database: Database, budget: str
    ) -> None:
        plans = [plan_scene(client) for _ in range(4)]
        waiting = iter(plans)
        answers = race(4, lambda: status(place(client, next(waiting))))
        assert sorted(answers) == [201, 409, 409, 409]
        assert [kind for kind, _, _ in movements(database)].count("reserve") == 1
        order = client.get("/v1/orders").json()["items"][0]
        assert usage(client, budget)["held"] == order["amounts"]["total"]["amount"]


class TestProductTooCoarse:
    def test_plan_warns_and_its_order_is_refused(self, client: TestClient) -> None:
        publish_prices(client, name="coarse", gsd_m="6")
        made = plan(client, price_list="coarse", max_patches=3)
        (warning,) = made["warnings"]
        assert warning["code"] == "product-too-coarse"
        assert warning["figures"] == {
            "product_m": 6.0, "ordered_m": pytest.approx(2.5, abs=0.01),
            "coarsest_m": pytest.approx(5.03, abs=0.01), "price_list": "coarse",
        }  # fmt: skip
        answer = place(client, Planned(id=UUID(made["id"]), bought=()))
        assert code(answer) == (409, "product-too-coarse")
        assert answer.json()["detail"] == warning["detail"]

    def test_replan_with_a_finer_product_can_be_ordered(self, client: TestClient) -> None:
        publish_prices(client, name="coarse", gsd_m="6")
        first = plan_scene(client, price_list="coarse")
        assert place(client, replanned(client, first, price_list="acme")).status_code == 201

    def test_product_at_twice_the_ordered_pixel_is_sold(self, client: TestClient) -> None:
        publish_prices(client, name="enough", gsd_m="5")
        assert plan(client, price_list="enough")["warnings"] == []


class TestReusedGroundLost:
    def test_plan_is_refused_once_the_order_that_it_relies_on_is_cancelled(
        self, client: TestClient, budget: str
    ) -> None:
        source = place(client, plan_scene(client)).json()["id"]
        relying = plan_scene(client)
        client.post(f"/v1/orders/{source}/cancel").raise_for_status()
        before = usage(client, budget)
        answer = place(client, relying)
        assert code(answer) == (409, "reused-ground-lost")
        assert answer.json()["patches"] == 3
        assert usage(client, budget) == before
        assert place(client, replanned(client, relying)).status_code == 201

    def test_plan_is_refused_once_a_patch_that_it_reuses_is_refunded(self, client: TestClient) -> None:
        source = buy(client, plan_scene(client))
        relying = plan_scene(client)
        amounts = client.get(f"/v1/orders/{source}").json()["amounts"]
        refund = {"kind": "refund", "order": source, "amount": amounts["net"], "reason": "black"}
        key = {"Idempotency-Key": str(uuid4())}
        client.post("/v1/ledger/adjustments", json=refund, headers=key).raise_for_status()
        assert code(place(client, relying)) == (409, "reused-ground-lost")

    def test_plan_is_ordered_when_its_ground_came_in_the_meantime(self, client: TestClient) -> None:
        first = plan_scene(client)
        source = place(client, first).json()["id"]
        relying = plan_scene(client)
        for where in first.bought:
            assert deliver(client, source, *where).status_code == 201
        assert place(client, relying).status_code == 201


class TestOrderOfOwnedGround:
    def test_order_that_buys_nothing_costs_nothing_and_is_complete(
        self, client: TestClient, budget: str
    ) -> None:
        buy_everything(client)
        before = usage(client, budget)
        answer = place(client, plan_scene(client))
        assert answer.status_code == 201
        order = answer.json()
        assert (order["status"], order["counts"]["bought"]) == ("completed", 0)
        assert order["amounts"]["total"]["amount"] == "0.00"
        assert order["statuses"][-1]["reason_code"] == "nothing_to_deliver"
        assert usage(client, budget) == before

    def test_order_that_buys_nothing_refuses_files_in_words(self, client: TestClient) -> None:
        buy_everything(client)
        order = place(client, plan_scene(client)).json()["id"]
        answer = client.put(f"/v1/orders/{order}/deliveries", content=mosaic(), headers=TIFF)
        assert code(answer) == (409, "no-patch-covered")
        assert "The order buys no patch" in answer.json()["detail"]

    def test_plan_that_neither_buys_nor_reuses_has_nothing_to_order(self, client: TestClient) -> None:
        assert code(place(client, plan_scene(client, max_patches=0))) == (409, "nothing-to-buy")


class TestLabelsFromOwnedGround:
    def test_owned_patches_label_as_if_they_were_bought(self, client: TestClient) -> None:
        source = buy_everything(client)
        reusing = place(client, plan_scene(client)).json()["id"]
        first, second = (
            client.post(f"/v1/orders/{one}/classification", json={}).json() for one in (source, reusing)
        )
        labels = [[(t["label"], t["confidence"]) for t in made["tiles"]] for made in (first, second)]
        assert labels[0] == labels[1]
        assert [t["patches_reused"] for t in second["tiles"]] == [16] * 6
        assert [t["patches_used"] for t in second["tiles"]] == [0] * 6
        assert second["complete"]
        provenance = second["provenance"]
        assert provenance["reused"] == 96
        assert provenance["reused_patches"][0] == {
            "tile": 0, "patch": 0,
            "files": [
                {
                    "order": source, "tile": 0, "patch": 0, "version": 1,
                    "sha256": first["provenance"]["delivered_files"][0]["sha256"],
                }
            ],
        }  # fmt: skip

    def test_patches_on_order_are_used_once_they_are_delivered(self, client: TestClient) -> None:
        first = plan_scene(client)
        source = place(client, first).json()["id"]
        second = plan_scene(client)
        reusing = buy(client, second)
        path = f"/v1/orders/{reusing}/classification"
        before = client.post(path, json={}).json()
        assert (before["complete"], before["provenance"]["reused"]) == (False, 0)
        for where in first.bought:
            assert deliver(client, source, *where).status_code == 201
        assert client.get(f"/v1/classifications/{before['id']}").json()["outdated"]
        after = client.post(path, json={}).json()
        assert (after["complete"], after["provenance"]["reused"]) == (True, 3)
        assert not after["outdated"]

    def test_shifted_scene_is_labelled_from_the_ground_it_shares(self, client: TestClient) -> None:
        buy_everything(client)
        shifted = make_geotiff(make_pixels(), west=500_000.0 + 10, north=5_300_000.0 - 10)
        order = place(client, plan_scene(client, shifted, max_patches=0)).json()["id"]
        made = client.post(f"/v1/orders/{order}/classification", json={}).json()
        assert sum(tile["patches_reused"] for tile in made["tiles"]) == 11 * 7
        assert len(made["provenance"]["reused_patches"][0]["files"]) == 4

    def test_plan_with_reuse_none_is_labelled_from_its_own_patches(self, client: TestClient) -> None:
        buy_everything(client)
        order = buy(client, plan_scene(client, reuse="none"))
        made = client.post(f"/v1/orders/{order}/classification", json={}).json()
        assert made["provenance"]["reused"] == 0
        assert sum(tile["patches_used"] for tile in made["tiles"]) == 3
