"""Second rounds: what delivered patches show, what a plan then buys, and what that is worth."""

import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.repository import create_key, create_workspace
from service.app import create_app
from service.database.engine import Database
from service.plans.audit import audit_plans
from service.settings import Settings
from tests.support.bundles import make_geotiff
from tests.support.databases import KEY
from tests.support.ordering import buy, code, place, plan_scene, publish_prices
from tests.support.rounds import (
    TILES,
    ask,
    bought,
    kept,
    next_round,
    ordered,
    places,
    planned,
    read,
    revised_by_hand,
    send,
)


def test_next_round_leaves_out_what_was_bought_and_revises_what_is_expected_of_the_rest(
    client: TestClient, database: Database, both_settings: Settings
) -> None:
    plan = planned(client)
    order = ordered(client, plan, slice(0, 5))
    made = next_round(client, order, max_patches=7)
    came, awaited = list(plan.bought[:5]), list(plan.bought[5:])
    assert (made["follows"], made["supersedes"], made["task"]) == (order, None, "find")
    assert (places(made, "owned"), places(made, "on_order")) == (came, awaited)
    assert made["patches"]["bought"] == len(places(made, "buy")) == 7
    assert not set(places(made, "buy")) & set(plan.bought)

    first, now = kept(database, str(plan.id), "expected"), kept(database, made["id"], "expected")
    numbers = read(both_settings, came, first[0])
    readings = kept(database, made["id"], "readings")
    by_hand = revised_by_hand(first, came, numbers)
    unread = np.isnan(readings[0])
    np.testing.assert_allclose(now[0][unread], by_hand[unread], rtol=1e-5)
    assert not np.allclose(now[0][unread], first[0][unread], rtol=1e-3)
    np.testing.assert_array_equal(now[:, ~unread], first[:, ~unread])
    np.testing.assert_array_equal(kept(database, made["id"], "first_expected"), first)
    assert [where for where in came if unread[where]] == []
    np.testing.assert_allclose([readings[0][where] for where in came], numbers, rtol=1e-5)

    best = sorted((by_hand[tile, patch], tile, patch) for tile, patch in np.argwhere(unread).tolist()
                  if (tile, patch) not in plan.bought)[-7:]  # fmt: skip
    assert sorted(places(made, "buy")) == sorted((tile, patch) for _, tile, patch in best)
    found, objects = made["round"], made["objects"]
    assert (found["order"], found["number"]) == (order, 2)
    assert found["read"] == {
        "patches": 5, "of_order": 5,
        "objects": pytest.approx(float(numbers.sum()), abs=1e-3),
        "expected": pytest.approx(float(sum(first[0][where] for where in came)), abs=1e-3),
    }  # fmt: skip
    left = unread.copy()
    left[tuple(zip(*awaited, strict=True))] = False
    assert found["remainder"]["patches"] == 96 - 12
    assert found["remainder"]["expected_before"] == pytest.approx(float(first[0][left].sum()), abs=1e-3)
    assert found["remainder"]["objects"]["expected"] == pytest.approx(float(by_hand[left].sum()), abs=1e-3)
    assert objects["read"] == found["read"]["objects"]
    assert objects["in_bought"] == pytest.approx(float(sum(one[0] for one in best)), abs=1e-3)
    assert objects["scene"]["expected"] == pytest.approx(
        float(numbers.sum() + by_hand[unread].sum()), abs=1e-3
    )
    assert client.get(f"/v1/plans/{made['id']}").json() == made


def test_both_orders_are_paid_to_the_cent_and_their_ground_counts_once(
    client: TestClient, database: Database
) -> None:
    plan = planned(client)
    order = ordered(client, plan)
    first = client.get(f"/v1/plans/{plan.id}").json()
    made = next_round(client, order, max_patches=6)
    second = ordered(client, bought(made))
    assert client.get(f"/v1/orders/{second}").json()["status"] == "completed"
    (report,) = client.get("/v1/reports/savings").json()["currencies"]
    costs = float(first["cost"]["amount"]) + float(made["cost"]["amount"])
    baseline = float(first["baseline"]["amount"])
    assert made["baseline"] == first["baseline"]
    assert float(report["settled"]["amount"]) == pytest.approx(costs)
    assert float(report["savings"]["realised"]["amount"]) == pytest.approx(baseline - costs)
    parts = made["cost"], made["savings"]["billable"], made["reuse"]["saved"]
    assert sum(float(one["amount"]) for one in parts) == pytest.approx(baseline)
    with database.sessions() as session:
        assert list(audit_plans(session)) == []


def test_order_of_a_second_round_is_classified_by_its_own_expectations(
    client: TestClient, database: Database
) -> None:
    plan = planned(client)
    order = ordered(client, plan)
    made = next_round(client, order, max_patches=6)
    second = ordered(client, bought(made))
    labelled = client.post(f"/v1/orders/{second}/classification").json()
    assert labelled["complete"] is True
    expected, first = (kept(database, made["id"], name)[0] for name in ("expected", "first_expected"))
    known = {*plan.bought, *places(made, "buy")}
    unread = np.array([[(tile, patch) not in known for patch in range(16)] for tile in range(TILES)])
    objects = labelled["summary"]["objects"]
    assert objects["total"]["expected"] == pytest.approx(
        objects["read"] + float(expected[unread].sum()), abs=0.01
    )
    assert objects["lr_total"]["expected"] == pytest.approx(float(first.sum()), abs=0.01)


def test_later_rounds_revise_the_first_expectations_by_all_readings(
    client: TestClient, database: Database, both_settings: Settings
) -> None:
    plan = planned(client)
    order = ordered(client, plan, slice(0, 4))
    early = next_round(client, order, max_patches=3)
    send(client, order, plan, slice(4, None))
    again = next_round(client, order, max_patches=3)
    assert (early["round"]["read"]["patches"], again["round"]["read"]["patches"]) == (4, 12)
    second = ordered(client, bought(again))
    third = next_round(client, second, max_patches=2)
    assert (third["follows"], third["round"]["number"]) == (second, 3)
    assert (third["round"]["read"]["patches"], third["round"]["read"]["of_order"]) == (15, 3)
    where = [*plan.bought, *places(again, "buy")]
    first = kept(database, str(plan.id), "expected")
    by_hand = revised_by_hand(first, where, read(both_settings, where, first[0]))
    unread = np.isnan(kept(database, third["id"], "readings")[0])
    np.testing.assert_allclose(kept(database, third["id"], "expected")[0][unread], by_hand[unread], rtol=1e-5)


def test_round_says_whether_it_is_worth_another_order(client: TestClient) -> None:
    publish_prices(client, name="fixed", minimum_charge="100")
    plan = planned(client, price_list="fixed", max_patches=30)
    order = ordered(client, plan)
    made = next_round(client, order, max_patches=3)
    found = made["round"]
    gain, before = found["gain"], found["gain_before"]
    each, then = (float(one["cost"]["amount"]) / one["objects"] for one in (gain, before))
    assert float(gain["each"]["amount"]) == pytest.approx(each, abs=0.01)
    assert float(before["each"]["amount"]) == pytest.approx(then, abs=0.01)
    # A patch costs the 96th part of everything; the bundle buys from 0.5 objects on.
    most = float(made["baseline"]["amount"]) / 96 / 0.5
    assert float(found["most_each"]["amount"]) == pytest.approx(most, abs=0.01)
    assert found["worth_it"] is (each <= most) is False
    assert made["cost"]["amount"] == "100.00"  # three patches cost the minimum
    # In the first order they would have cost their area: 3 of 400 m2 at 10,000 USD per km2.
    assert float(found["separate"]["amount"]) == pytest.approx(100 - 12, abs=0.1)
    assert found["verdict"].startswith("Not worth another order: 100.00 USD for ")
    cheap, dear = (next_round(client, order, max_patches=3, worth_each=one) for one in ("9999", "0.01"))
    assert (cheap["round"]["worth_it"], dear["round"]["worth_it"]) == (True, False)
    assert "at most the 9999.00 USD that one is worth to you." in cheap["round"]["verdict"]
    nothing = next_round(client, order, max_patches=0)["round"]
    assert (nothing["worth_it"], nothing["gain"]["each"]) == (False, None)
    assert nothing["verdict"].startswith("Not worth another order. Buys nothing:")
    assert code(ask(client, order, worth_each="1.234"))[0] == 422


def test_order_that_only_reuses_ground_is_followed_without_a_price_to_compare_with(
    client: TestClient,
) -> None:
    plan = planned(client)
    ordered(client, plan)
    reusing = planned(client, max_patches=0)
    made = next_round(client, str(place(client, reusing).json()["id"]), max_patches=2)
    found = made["round"]
    assert places(made, "owned") == list(plan.bought)
    assert (found["read"]["of_order"], found["gain_before"]["each"], found["most_each"]) == (0, None, None)
    assert found["worth_it"] is None
    assert found["verdict"].startswith("Worth another order if one is worth ")


def test_page_shows_the_verdict_and_the_command_of_the_next_round(client: TestClient) -> None:
    order = ordered(client, planned(client))
    made = next_round(client, order, max_patches=3)
    assert client.post("/dashboard/login", data={"key": KEY}).status_code == 200
    page = client.get("/dashboard").text
    assert f"<strong>Round 2:</strong> {made['round']['verdict']}" in page
    assert f"loupe next {order}</code>" in page


def test_lambda_says_what_one_is_worth(client: TestClient) -> None:
    order = ordered(client, planned(client))
    made = next_round(client, order, **{"lambda": 0.02})
    assert made["round"]["most_each"] == {"amount": "50.00", "currency": "USD"}
    if made["patches"]["bought"]:
        assert made["round"]["worth_it"] is True


@pytest.mark.parametrize("task", ["label", "count"])
def test_next_round_values_patches_by_what_is_still_uncertain(client: TestClient, task: str) -> None:
    plan = planned(client, task=task)
    order = ordered(client, plan)
    made = next_round(client, order)
    assert made["objective"] == {"kind": "max_patches", "max_patches": 12}
    again = client.post(f"/v1/plans/{made['id']}/replan", json={"task": "find"}).json()
    assert (again["follows"], again["round"]["order"], again["round"]["number"]) == (order, order, 2)
    back = client.post(f"/v1/plans/{again['id']}/replan", json={"task": task}).json()
    assert back["tiles"] == made["tiles"]
    labels = made["round"]["gain"]["correct_labels"]
    assert 0 <= labels <= TILES
    curve = client.get(f"/v1/plans/{made['id']}/curve").json()
    assert curve["points"] == []  # the bundle was released without one


@pytest.mark.parametrize("option", ["max_cost", "lambda", "guarantee", "objective", "target_accuracy"])
def test_null_is_the_same_as_leaving_an_option_out(client: TestClient, option: str) -> None:
    order = ordered(client, planned(client, max_patches=3))
    assert next_round(client, order, **{option: None})["objective"] == {
        "kind": "max_patches",
        "max_patches": 3,
    }


def test_repeated_key_returns_the_same_plan(client: TestClient) -> None:
    order = ordered(client, planned(client))
    path, headers = f"/v1/orders/{order}/next-round", {"Idempotency-Key": str(uuid4())}
    answers = [client.post(path, json={"max_patches": 2}, headers=headers) for _ in range(2)]
    assert answers[0].status_code == 201
    assert answers[0].json() == answers[1].json()
    assert code(client.post(path, json={"max_patches": 3}, headers=headers)) == (
        422,
        "idempotency-key-reused",
    )
    assert len(client.get("/v1/plans").json()["items"]) == 2


def test_next_round_is_refused_without_anything_to_plan_by(client: TestClient, database: Database) -> None:
    plans = "SELECT count(*) FROM plan"
    waiting = ordered(client, planned(client, max_patches=3), slice(0, 0))
    cancelled = waiting
    assert code(ask(client, waiting)) == (409, "no-delivered-patch")
    client.post(f"/v1/orders/{cancelled}/cancel")
    refused = ask(client, cancelled)
    assert code(refused) == (409, "no-delivered-patch")
    said = refused.json()["detail"]
    assert "has the status user cancelled, and none of its 3 patches" in said
    assert said.endswith("They are no longer awaited: plan the scene again.")
    blind = ordered(client, planned(client, bundle="blind", max_patches=3))
    assert code(ask(client, blind)) == (409, "no-second-look")
    classified = buy(client, plan_scene(client, make_geotiff(), bundle="tiny"))
    answer = ask(client, classified)
    assert code(answer) == (409, "no-second-look")
    assert "tiny 1, which labels tiles and counts nothing" in answer.json()["detail"]
    assert code(ask(client, str(uuid4()))) == (404, "not-found")
    assert ask(client, blind, reuse="none").status_code == 422
    with database.sessions() as session:
        assert session.execute(text(plans)).scalar_one() == 3
        key = create_key(session, create_workspace(session, "other"), "other")
        session.commit()
    foreign = client.post(f"/v1/orders/{blind}/next-round", headers={"Authorization": f"Bearer {key}"})
    assert code(foreign) == (404, "not-found")


def test_delivered_part_of_a_cancelled_order_can_be_followed(client: TestClient) -> None:
    plan = planned(client)
    order = ordered(client, plan, slice(0, 4))
    client.post(f"/v1/orders/{order}/cancel")
    made = next_round(client, order)
    assert places(made, "owned") == list(plan.bought[:4])
    assert made["reuse"]["on_order"] == 0


def test_order_whose_bundle_is_gone_is_refused(
    client: TestClient, both_settings: Settings, tmp_path: Path
) -> None:
    order = ordered(client, planned(client))
    shutil.copytree(both_settings.bundles / "tiny", tmp_path / "others" / "tiny")
    without = both_settings.model_copy(update={"bundles": tmp_path / "others", "default_bundle": "tiny"})
    with TestClient(create_app(without), headers={"Authorization": f"Bearer {KEY}"}) as other:
        assert code(ask(other, order)) == (409, "bundle-changed")


def test_next_round_after_a_deletion_says_that_the_pixels_are_gone(client: TestClient) -> None:
    order = ordered(client, planned(client), slice(0, 5))
    made = next_round(client, order, max_patches=7)
    client.post(f"/v1/orders/{order}/cancel")
    assert client.delete(f"/v1/orders/{order}/pixels").status_code == 200

    assert code(ask(client, order, max_patches=7)) == (410, "pixels-deleted")
    again = client.post(f"/v1/plans/{made['id']}/replan", json={"max_patches": 3})
    assert code(again) == (410, "pixels-deleted")
