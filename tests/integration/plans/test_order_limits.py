"""Limits of a provider on an order's polygons: told in the plan, and refused before money is held."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.ordering import code, open_budget, place, plan_scene, publish_prices

pytestmark = pytest.mark.usefixtures("spread_utilities")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_parts": 2}, "at most 2 polygons in an order, and this plan has"),
        ({"minimum_part_km2": "0.0009"}, "polygons of at least 0.0009 km2, and"),
        ({"maximum_part_km2": "0.0003"}, "polygons of at most 0.0003 km2, and"),
    ],
)
def test_plan_beyond_a_limit_warns_and_is_not_ordered(
    client: TestClient, limits: dict[str, Any], says: str
) -> None:
    publish_prices(client, **limits)
    budget = open_budget(client)
    plan = plan_scene(client, max_patches=6)
    (warning,) = client.get(f"/v1/plans/{plan.id}").json()["warnings"]
    shapes = client.get(f"/v1/plans/{plan.id}/shapes").json()["features"]

    assert warning["code"] == "order-limits-exceeded"
    assert says in warning["detail"]
    assert warning["detail"].startswith("Acme takes ")
    assert f" {len(shapes)}" in warning["detail"] or "max_parts" not in limits
    refused = place(client, plan)
    assert code(refused) == (409, "order-limits-exceeded")
    assert refused.json()["parts"] == len(shapes) > 2
    assert client.get(f"/v1/budgets/{budget}/usage").json()["held"]["amount"] == "0.00"


def test_plan_within_the_limits_is_ordered(client: TestClient) -> None:
    publish_prices(client, max_parts=6, minimum_part_km2="0.0003", maximum_part_km2="1")
    open_budget(client)
    plan = plan_scene(client, max_patches=6)

    assert client.get(f"/v1/plans/{plan.id}").json()["warnings"] == []
    assert place(client, plan).status_code == 201


def test_limits_are_part_of_the_plan_and_do_not_change_its_bill(client: TestClient) -> None:
    publish_prices(client)
    publish_prices(client, "limited", max_parts=1)
    free, limited = (plan_scene(client, price_list=name, max_patches=6) for name in ("acme", "limited"))
    bills = [client.get(f"/v1/plans/{one.id}/bill").json() for one in (free, limited)]

    assert bills[0]["chosen"] == bills[1]["chosen"]
    assert (bills[0]["terms"]["max_parts"], bills[1]["terms"]["max_parts"]) == (None, 1)
