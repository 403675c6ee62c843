"""Planning over HTTP: sending a scene, the patches bought, and their cost."""

from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.bundles import make_geotiff, make_pixels
from tests.support.planning import bought, plan

pytestmark = pytest.mark.usefixtures("spread_utilities")

MINIMUM = "example-30cm-minimum"


def with_hole(tiles: int) -> bytes:
    """Return a scene whose first `tiles` tiles (of 8 x 8 pixels, side by side) have no data."""
    pixels = make_pixels().clip(1)
    pixels[:, :8, : 8 * tiles] = 0
    return make_geotiff(pixels, nodata=0)


def test_policy_plan_buys_patches_at_the_bundle_threshold(client: TestClient) -> None:
    made = plan(client)
    assert made["objective"] == {"kind": "policy", "threshold": 0.5}
    for tile in made["tiles"]:
        assert tile["buy"] == [patch for patch in range(16) if tile["utilities"][patch] >= 0.5]
    assert made["patches"] == {"bought": len(bought(made)), "filled": 0, "total": 96}
    assert 0 < len(bought(made)) < 96
    assert made["decision"] == f"Buys {len(bought(made))} of 96 patches: utility of at least 0.5."


def test_plan_under_a_minimum_area_fills_the_small_scene_and_saves_nothing(client: TestClient) -> None:
    made = plan(client, price_list=MINIMUM)
    assert made["patches"]["bought"] == 96
    assert (made["cost"]["amount"], made["baseline"]["amount"]) == ("112.50", "112.50")
    assert (made["savings"]["billable"]["amount"], made["billable_km2"]) == ("0.00", "5")
    assert made["patches"]["filled"] > 0
    assert "billed for at least 5 km2" in made["decision"]


@pytest.mark.parametrize(
    ("options", "objective"),
    [
        ({"lambda": "0.5"}, {"kind": "lambda", "lambda": 0.5}),
        ({"objective": "lambda", "lambda": "0"}, {"kind": "lambda", "lambda": 0.0}),
        ({"max_cost": "0.05"}, {"kind": "max_cost", "max_cost": {"amount": "0.05", "currency": "USD"}}),
        ({"max_patches": "7"}, {"kind": "max_patches", "max_patches": 7}),
        ({"objective": "policy"}, {"kind": "policy", "threshold": 0.5}),
    ],
)
def test_plan_objective_follows_from_the_number_given(
    client: TestClient, options: dict[str, Any], objective: dict[str, Any]
) -> None:
    assert plan(client, **options)["objective"] == objective


def test_plan_keeps_limits_and_more_money_never_drops_a_patch(client: TestClient) -> None:
    few, more = plan(client, max_cost="0.05"), plan(client, max_cost="0.20")
    assert Decimal(few["cost"]["amount"]) <= Decimal("0.05")
    assert Decimal(more["cost"]["amount"]) <= Decimal("0.20")
    assert bought(few) < bought(more)
    assert len(bought(plan(client, max_patches=7))) == 7


def test_plan_leaves_tiles_without_data_out_of_choice_and_baseline(client: TestClient) -> None:
    made = plan(client, with_hole(1))
    first, *others = made["tiles"]
    assert (first["status"], first["buy"], first["utilities"], first["valid_share"]) == (
        "no-data",
        [],
        None,
        0,
    )
    assert {tile["status"] for tile in others} == {"planned"}
    assert (made["scene"]["tiles_without_data"], made["patches"]["total"]) == (1, 80)
    assert Decimal(made["baseline"]["amount"]) < Decimal(plan(client)["baseline"]["amount"])


def test_plan_of_a_scene_without_usable_tiles_buys_nothing(client: TestClient) -> None:
    pixels = make_pixels().clip(1)
    pixels[:, ::2] = 0  # every tile is half empty
    made = plan(client, make_geotiff(pixels, nodata=0), price_list=MINIMUM)
    assert (made["patches"], made["cost"]["amount"]) == ({"bought": 0, "filled": 0, "total": 0}, "0.00")
    assert made["decision"] == "Buys nothing: no tile of the scene has enough valid pixels to be planned."
    path = f"/v1/plans/{made['id']}"
    assert client.get(f"{path}/shapes").json()["features"] == []
    assert client.get(f"{path}/curve").status_code == 200
    assert client.get(f"{path}/preview.png").status_code == 200


def test_plan_from_a_form_equals_plan_from_raw_bytes(client: TestClient) -> None:
    raw = plan(client, max_patches=5)
    files = {"scene": ("scene.tif", make_geotiff(), "image/tiff")}
    form = client.post("/v1/plans?max_patches=9", files=files, data={"params": '{"max_patches": 5}'})
    assert form.status_code == 201, form.text
    assert (bought(form.json()), form.json()["scene"]) == (bought(raw), raw["scene"])


def test_openapi_describes_how_to_send_a_scene(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/plans"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "image/tiff",
        "application/octet-stream",
        "multipart/form-data",
    }
    assert "lambda" in {parameter["name"] for parameter in operation["parameters"]}
    assert "application/problem+json" in operation["responses"]["422"]["content"]
