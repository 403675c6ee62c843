"""Orders that are placed while another order's ground is checked, which no lock protects."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.orders import duplicates, ground
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.ordering import code, open_budget, place, plan_scene, publish_prices
from tests.support.orders import Planned

PATIENCE_S = 30

Overtaken = Callable[[Planned, Planned], tuple[Any, Any]]


@pytest.fixture(autouse=True)
def budget(client: TestClient, spread_utilities: None) -> str:  # noqa: ARG001  (a fixture)
    publish_prices(client)
    return open_budget(client, "1000.00")


@pytest.fixture
def overtaken(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Overtaken:
    """Order two plans; the second order begins and ends after the first has read its ground."""
    has_read, may_go_on, read = Event(), Event(), ground.read_ground

    def pause(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        if not has_read.is_set():
            has_read.set()
            assert may_go_on.wait(PATIENCE_S)
        return found

    def order_both(slow: Planned, fast: Planned) -> tuple[Any, Any]:
        monkeypatch.setattr(duplicates, "read_ground", pause)
        with ThreadPoolExecutor(1) as pool:
            answer: Future[Any] = pool.submit(place, client, slow)
            try:
                assert has_read.wait(PATIENCE_S)
                overtaking = place(client, fast)
            finally:
                may_go_on.set()
            return answer.result(), overtaking

    return order_both


def test_order_does_not_wait_for_the_check_of_another(client: TestClient, overtaken: Overtaken) -> None:
    elsewhere = make_geotiff(make_pixels(), north=5_400_000.0)
    slow, fast = overtaken(plan_scene(client), plan_scene(client, elsewhere))
    assert (slow.status_code, fast.status_code) == (201, 201)
    assert "warnings" not in slow.json()


def test_order_of_the_same_ground_is_found_after_the_check(client: TestClient, overtaken: Overtaken) -> None:
    slow, fast = overtaken(plan_scene(client), plan_scene(client))
    assert fast.status_code == 201
    assert code(slow) == (409, "ground-already-bought")
    (named,) = slow.json()["orders"]
    assert (named["order"], named["on_order"]) == (fast.json()["id"], 3)
    assert len(client.get("/v1/orders").json()["items"]) == 1


def test_plan_with_reuse_none_is_warned_of_the_newer_order(client: TestClient, overtaken: Overtaken) -> None:
    slow, fast = overtaken(plan_scene(client, reuse="none"), plan_scene(client, reuse="none"))
    (warning,) = slow.json()["warnings"]
    assert (warning["code"], warning["figures"]["patches"]) == ("ground-bought-again", 3)
    assert [one["order"] for one in warning["figures"]["orders"]] == [fast.json()["id"]]
    assert "warnings" not in fast.json()
