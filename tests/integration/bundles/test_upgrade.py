"""Bundles that are added and made the default while plans and orders of an earlier one are open."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.support.bundles import write_bundle
from tests.support.databases import KEY
from tests.support.mosaics import mosaic
from tests.support.ordering import (
    buy,
    code,
    deliver,
    open_budget,
    outcomes,
    place,
    plan_scene,
    publish_prices,
    send_file,
)

# A tile of the newer bundle has twice as many pixels, and its patches are four times as large.
NEWER: dict[str, Any] = {
    "version": "2", "lr_size": 16, "hr_size": 64, "tile_m": 160.0,
    "input_sizes": {"policy": 16, "hr": 64, "lr": 16},
}  # fmt: skip


@pytest.fixture
def client(client: TestClient) -> TestClient:
    """Return the server with one bundle, tiny@1, with prices and a budget."""
    publish_prices(client)
    open_budget(client, "10000.00")
    return client


@pytest.fixture
def upgraded(client: TestClient, settings: Settings, tmp_path: Path) -> Iterator[TestClient]:  # noqa: ARG001  (first)
    """Restart the server with tiny@1 and a tiny@2 of other sizes, which is the default."""
    write_bundle(tmp_path / "bundles" / "first")
    write_bundle(tmp_path / "bundles" / "second", **NEWER)
    later = settings.model_copy(update={"bundles": tmp_path / "bundles"})
    with TestClient(create_app(later), headers={"Authorization": f"Bearer {KEY}"}) as changed:
        yield changed


def labels(client: TestClient, order: str) -> list[dict[str, Any]]:
    answer = client.post(f"/v1/orders/{order}/classification")
    assert answer.status_code == 201, answer.text
    assert answer.json()["provenance"]["bundle"]["version"] == "1"
    tiles: list[dict[str, Any]] = answer.json()["tiles"]
    return tiles


def test_order_is_delivered_and_classified_by_its_own_bundle_after_an_upgrade(
    client: TestClient, upgraded: TestClient
) -> None:
    before = labels(client, buy(client, plan_scene(client, reuse="none")))
    plan = plan_scene(client, reuse="none")
    order = buy(client, plan, patches=1)
    for where in plan.bought[1:]:
        assert deliver(upgraded, order, *where).status_code == 201
    assert labels(upgraded, order) == before


def test_file_for_many_patches_is_cut_for_the_plans_bundle_after_an_upgrade(
    client: TestClient, upgraded: TestClient
) -> None:
    order = str(place(client, plan_scene(client, max_patches=96)).json()["id"])
    assert list(outcomes(send_file(upgraded, order, mosaic())).values()) == ["settled"] * 96
    assert len(labels(upgraded, order)) == 6


def test_plan_keeps_its_bundle_for_curve_and_replan_after_an_upgrade(
    client: TestClient, upgraded: TestClient
) -> None:
    plan = plan_scene(client)
    path = f"/v1/plans/{plan.id}"
    assert upgraded.get(f"{path}/curve").json() == client.get(f"{path}/curve").json()
    assert "tiny 1 " in upgraded.get(f"{path}/curve").json()["source"]
    again = upgraded.post(f"{path}/replan", json={"objective": "policy"})
    assert again.status_code == 201, again.text
    assert again.json()["provenance"] == client.get(path).json()["provenance"]
    assert len(again.json()["tiles"]) == 6
    assert upgraded.get(f"{path}/preview.png").status_code == 200


def test_new_plan_uses_the_default_or_the_bundle_that_it_names(upgraded: TestClient) -> None:
    found = {}
    for wanted in ("", "tiny", "tiny@1"):
        plan = plan_scene(upgraded, bundle=wanted) if wanted else plan_scene(upgraded)
        made = upgraded.get(f"/v1/plans/{plan.id}").json()
        found[wanted] = made["provenance"]["bundle"]["version"], len(made["tiles"])
    assert found == {"": ("2", 1), "tiny": ("2", 1), "tiny@1": ("1", 6)}


def test_order_of_a_bundle_that_is_gone_is_refused_with_the_remedy(
    client: TestClient, settings: Settings, tmp_path: Path
) -> None:
    plan = plan_scene(client)
    order = buy(client, plan, patches=1)
    unordered = plan_scene(client, reuse="none")
    write_bundle(tmp_path / "others" / "second", **NEWER)
    later = settings.model_copy(update={"bundles": tmp_path / "others"})
    with TestClient(create_app(later), headers={"Authorization": f"Bearer {KEY}"}) as changed:
        answers = [
            deliver(changed, order, *plan.bought[1]),
            send_file(changed, order, mosaic()),
            changed.post(f"/v1/orders/{order}/classification", json={"allow_partial": True}),
            changed.get(f"/v1/plans/{plan.id}/curve"),
        ]
        assert {code(answer) for answer in answers} == {(409, "bundle-changed")}
        assert "loupe bundles add" in answers[0].json()["detail"]
        assert code(place(changed, unordered)) == (409, "bundle-changed")  # no money is held for it
        assert deliver(changed, order, *plan.bought[0]).status_code == 200  # delivered before: nothing to do


def test_bundles_are_listed_in_pages_and_shown_one_by_one(upgraded: TestClient) -> None:
    page = upgraded.get("/v1/bundles", params={"limit": 1}).json()
    onward = next(link["href"] for link in page["links"] if link["rel"] == "next")
    items = page["items"] + upgraded.get(onward).json()["items"]
    assert [(one["version"], one["default"]) for one in items] == [("2", True), ("1", False)]
    assert [link["rel"] for link in upgraded.get(onward).json()["links"]] == ["self"]
    for wanted in ("tiny@1", items[1]["sha256"], "first"):
        assert upgraded.get(f"/v1/bundles/{wanted}").json() == items[1]
    assert upgraded.get("/v1/bundles/tiny").json() == items[0]
    assert code(upgraded.get("/v1/bundles/nobody")) == (404, "not-found")
    assert code(upgraded.get("/v1/bundles", params={"cursor": "x"})) == (422, "invalid-input")
    assert upgraded.get("/v1/versions").json()["bundles"] == 2
