"""Planning over HTTP: what is bought, what it costs, and what is kept."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.access.repository import create_key, create_workspace
from service.db import Database
from service.settings import Settings
from tests.factories import make_geotiff, make_pixels
from tests.planning import spread_over_unit_interval

TIFF = {"Content-Type": "image/tiff"}
MINIMUM = "example-30cm-minimum"


@pytest.fixture(autouse=True)
def spread_utilities(monkeypatch: pytest.MonkeyPatch) -> None:
    spread_over_unit_interval(monkeypatch)


def send(client: TestClient, scene: bytes | None = None, **options: Any) -> Any:
    """POST a scene of 2 x 3 tiles, or another, and return the answer."""
    body = make_geotiff() if scene is None else scene
    return client.post("/v1/plans", content=body, headers=TIFF, params=options)


def plan(client: TestClient, scene: bytes | None = None, **options: Any) -> dict[str, Any]:
    """Plan a scene and return the plan."""
    answer = send(client, scene, **options)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bought(made: dict[str, Any]) -> set[tuple[int, int]]:
    return {(tile["tile"], patch) for tile in made["tiles"] for patch in tile["buy"]}


def rows(database: Database, table: str) -> int:
    with database.sessions() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def with_hole(tiles: int) -> bytes:
    """A scene whose first `tiles` tiles (of 8 x 8 pixels, side by side) have no data."""
    pixels = make_pixels().clip(1)
    pixels[:, :8, : 8 * tiles] = 0
    return make_geotiff(pixels, nodata=0)


# The decision.


def test_the_policy_buys_what_reaches_the_threshold_of_the_bundle(client: TestClient) -> None:
    made = plan(client)
    assert made["objective"] == {"kind": "policy", "threshold": 0.5}
    for tile in made["tiles"]:
        assert tile["buy"] == [patch for patch in range(16) if tile["utilities"][patch] >= 0.5]
    assert made["patches"] == {"bought": len(bought(made)), "filled": 0, "total": 96}
    assert 0 < len(bought(made)) < 96
    assert made["decision"] == f"Buys {len(bought(made))} of 96 patches: utility of at least 0.5."


def test_a_minimum_area_makes_the_whole_small_scene_free_and_the_saving_nothing(client: TestClient) -> None:
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
def test_the_objective_follows_from_the_number_given(
    client: TestClient, options: dict[str, Any], objective: dict[str, Any]
) -> None:
    assert plan(client, **options)["objective"] == objective


def test_limits_are_kept_and_more_money_never_unbuys(client: TestClient) -> None:
    few, more = plan(client, max_cost="0.05"), plan(client, max_cost="0.20")
    assert Decimal(few["cost"]["amount"]) <= Decimal("0.05")
    assert Decimal(more["cost"]["amount"]) <= Decimal("0.20")
    assert bought(few) < bought(more)
    assert len(bought(plan(client, max_patches=7))) == 7


def test_tiles_without_data_are_told_apart_and_neither_bought_nor_in_the_baseline(client: TestClient) -> None:
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


def test_a_scene_without_a_usable_tile_is_a_plan_that_buys_nothing(client: TestClient) -> None:
    pixels = make_pixels().clip(1)
    pixels[:, ::2] = 0  # every tile is half empty
    made = plan(client, make_geotiff(pixels, nodata=0), price_list=MINIMUM)
    assert (made["patches"], made["cost"]["amount"]) == ({"bought": 0, "filled": 0, "total": 0}, "0.00")
    assert made["decision"] == "Buys nothing: no tile of the scene has enough valid pixels to be planned."
    path = f"/v1/plans/{made['id']}"
    assert client.get(f"{path}/shapes").json()["features"] == []
    assert client.get(f"{path}/curve").status_code == 200
    assert client.get(f"{path}/preview.png").status_code == 200


# What is kept.


def test_a_plan_says_where_everything_came_from(client: TestClient, settings: Settings) -> None:
    made = plan(client)
    bundle = client.get("/v1/bundles").json()["items"][0]
    prices = {item["name"]: item for item in client.get("/v1/price-lists").json()["items"]}[
        "example-no-minimum"
    ]
    assert made["provenance"] == {
        "bundle": {key: bundle[key] for key in ("name", "version", "sha256")},
        "price_list": {key: prices[key] for key in ("id", "name", "version", "example")},
        "input_sha256": made["scene"]["sha256"],
        "code_version": made["provenance"]["code_version"],
    }
    sha256 = made["scene"]["sha256"]
    assert (settings.blobs / sha256[:2] / sha256).read_bytes() == make_geotiff()


def test_a_plan_is_answered_again_as_it_was_made(client: TestClient) -> None:
    answer = send(client)
    assert client.get(answer.headers["Location"]).json() == answer.json()


def test_the_same_scene_twice_is_two_plans_of_one_scene_and_one_blob(
    client: TestClient, database: Database, settings: Settings
) -> None:
    first, second = plan(client), plan(client)
    assert first["id"] != second["id"]
    assert bought(first) == bought(second)
    assert (rows(database, "plan"), rows(database, "scene")) == (2, 1)
    assert len([path for path in settings.blobs.rglob("*") if path.is_file()]) == 1


def test_another_reading_of_the_same_bytes_is_another_scene(client: TestClient, database: Database) -> None:
    plan(client)
    assert plan(client, bands="3,2,1")["scene"]["bands"] == [3, 2, 1]
    assert (rows(database, "plan"), rows(database, "scene")) == (2, 2)


def test_a_database_refuses_to_change_a_plan(client: TestClient, database: Database) -> None:
    plan(client)
    for statement in ("UPDATE plan SET cost_minor = 0", "DELETE FROM plan", "TRUNCATE plan CASCADE"):
        with pytest.raises(DBAPIError), database.sessions.begin() as session:
            session.execute(text(statement))


def test_plans_come_in_pages_without_their_tiles(client: TestClient) -> None:
    made = [plan(client, max_patches=count)["id"] for count in range(3)]
    first = client.get("/v1/plans?limit=2").json()
    onward = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = client.get(onward).json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert "tiles" not in first["items"][0]
    assert [link["rel"] for link in second["links"]] == ["self"]


def test_another_workspace_sees_none_of_it(client: TestClient, database: Database) -> None:
    made = plan(client)
    with database.sessions.begin() as session:
        key = create_key(session, create_workspace(session, "other"), "test")
    headers = {"Authorization": f"Bearer {key}"}
    for view in ("", "/patches", "/shapes", "/curve", "/preview.png"):
        assert client.get(f"/v1/plans/{made['id']}{view}", headers=headers).status_code == 404
    assert client.get("/v1/plans", headers=headers).json()["items"] == []


def test_a_key_makes_one_plan_however_often_it_is_sent(client: TestClient, database: Database) -> None:
    headers = TIFF | {"Idempotency-Key": "one-and-the-same"}
    first, again = (client.post("/v1/plans", content=make_geotiff(), headers=headers) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert rows(database, "plan") == 1
    other = client.post("/v1/plans?max_patches=1", content=make_geotiff(), headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


# Refusals: in words, and nothing is written.

REFUSALS = {
    "not a TIFF": (b"GIF89a", {}, 415, None),
    "empty": (b"", {}, None, None),
    "unknown price list": (None, {"price_list": "nobody"}, 422, "price-list-unknown"),
    "unknown bundle": (None, {"bundle": "grand"}, 422, "bundle-unknown"),
    "two objectives": (None, {"max_cost": "1", "max_patches": "1"}, 422, "objective-unclear"),
    "an objective without its number": (None, {"objective": "max_cost"}, 422, "objective-unclear"),
    "a number of another objective": (None, {"objective": "policy", "lambda": "1"}, 422, "objective-unclear"),
    "a negative lambda": (None, {"lambda": "-1"}, 422, "invalid-request"),
    "an infinite lambda": (None, {"lambda": "inf"}, 422, "invalid-request"),
    "more decimals than the currency has": (None, {"max_cost": "1.001"}, 422, "invalid-input"),
    "an unknown option": (None, {"colour": "blue"}, 422, "invalid-request"),
    "unusable bands": (None, {"bands": "1,2"}, 422, "bands-ambiguous"),
    "smaller than a tile": (make_geotiff(make_pixels(3, 4, 4)), {}, 422, "scene-smaller-than-a-tile"),
    "too coarse": (make_geotiff(gsd_m=100.0), {}, 422, "gsd-too-coarse"),
    "already high-resolution": (make_geotiff(gsd_m=1.0), {}, 422, "already-high-resolution"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_planned_is_refused_in_words_and_leaves_nothing(
    client: TestClient, database: Database, settings: Settings, case: str
) -> None:
    scene, options, status, code = REFUSALS[case]
    answer = send(client, scene, **options)
    assert 400 <= answer.status_code < 500
    assert answer.status_code == (status or answer.status_code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{code or answer.json()['type'].rpartition('/')[2]}"
    assert len(answer.json()["detail"]) > 10
    assert [rows(database, table) for table in ("plan", "scene", "price_list")] == [0, 0, 0]
    assert not any(path.is_file() for path in settings.blobs.rglob("*"))


@pytest.mark.parametrize(
    ("validity", "words"),
    [
        ({"valid_from": "2999-01-01"}, "applies from 2999-01-01"),
        ({"valid_to": "2001-12-31"}, "applies until 2001-12-31"),
        ({"valid_from": "2001-01-01", "valid_to": "2999-12-31"}, None),
    ],
    ids=["too early", "too late", "today"],
)
def test_a_price_list_is_planned_with_while_it_applies(
    client: TestClient, validity: dict[str, str], words: str | None
) -> None:
    terms = {"name": "dated", "provider": "Acme", "product": "archive", "gsd_m": "0.5"}
    prices = {"currency": "USD", "price_per_km2": "10"}
    assert client.post("/v1/price-lists", json=terms | prices | validity).status_code == 201
    answer = send(client, price_list="dated")
    if words is None:
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/price-list-not-valid")
        assert words in answer.json()["detail"]


def test_a_body_of_another_type_is_415(client: TestClient) -> None:
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": ""}):
        answer = client.post("/v1/plans", content=make_geotiff(), headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


def test_a_stranger_is_refused_before_the_scene_is_looked_at(client: TestClient) -> None:
    answer = client.post(
        "/v1/plans",
        content=b"not a scene",
        headers={"Authorization": "Bearer x", "Content-Type": "image/gif"},
    )
    assert answer.status_code == 401


# Forms.


def test_a_form_plans_as_the_raw_body_does(client: TestClient) -> None:
    raw = plan(client, max_patches=5)
    files = {"scene": ("scene.tif", make_geotiff(), "image/tiff")}
    form = client.post("/v1/plans?max_patches=9", files=files, data={"params": '{"max_patches": 5}'})
    assert form.status_code == 201, form.text
    assert (bought(form.json()), form.json()["scene"]) == (bought(raw), raw["scene"])


@pytest.mark.parametrize(
    ("files", "params", "pointer"),
    [
        ({"other": b"x"}, "{}", "/body/scene"),
        ({"scene": b"x"}, '{"colour": "blue"}', "/body/params/colour"),
        ({"scene": b"x"}, "not json", "/body/params"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused_by_name(
    client: TestClient, files: dict[str, bytes], params: str, pointer: str
) -> None:
    answer = client.post("/v1/plans", files=files, data={"params": params})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


# Views.


def test_patches_on_the_map_carry_decision_utility_and_a_share_of_the_cost(client: TestClient) -> None:
    made = plan(client)
    answer = client.get(f"/v1/plans/{made['id']}/patches")
    document = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert len(document["features"]) == 96
    shares = Decimal(0)
    for feature in document["features"]:
        facts = feature["properties"]
        tile = made["tiles"][facts["tile"]]
        assert facts["selected"] == (facts["index"] in tile["buy"])
        assert facts["utility"] == tile["utilities"][facts["index"]]
        assert (facts["row"], facts["col"]) == (facts["index"] % 4, facts["index"] // 4)
        assert facts["selected"] or facts["cost"] == "0.00"
        assert facts["reason"] == ("wanted" if facts["selected"] else "below-threshold")
        assert facts["reason"] in document["reasons"]
        assert facts["marginal_cost"] in {"0.00", "0.01"}  # 400 m2 at 10 USD per km2
        shares += Decimal(facts["cost"])
    assert str(shares) == made["cost"]["amount"]
    area = sum(feature["properties"]["area_km2"] for feature in document["features"])
    assert area == pytest.approx(made["scene"]["planned_km2"], abs=1e-8)


def test_patches_lie_where_their_index_says_and_run_counter_clockwise(client: TestClient) -> None:
    made = plan(client)
    document = client.get(f"/v1/plans/{made['id']}/patches").json()
    centres = {}
    for feature in document["features"]:
        ring = np.array(feature["geometry"]["coordinates"][0])
        x, y = (ring - ring[0]).T
        assert (ring[0] == ring[-1]).all()
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0
        centres[feature["properties"]["tile"], feature["properties"]["index"]] = ring[:4].mean(axis=0)
    west, south, east, north = document["bbox"]
    points = np.array(list(centres.values()))
    assert (points > (west, south)).all()
    assert (points < (east, north)).all()
    assert centres[0, 1][1] < centres[0, 0][1]  # index 1 lies south of 0
    assert centres[0, 4][0] > centres[0, 0][0]  # index 4 lies east of 0
    assert centres[1, 0][0] > centres[0, 12][0]  # tile 1 lies east of tile 0
    assert centres[3, 0][1] < centres[0, 3][1]  # tile 3 starts the second row


def test_patches_come_in_pages_of_tiles(client: TestClient) -> None:
    made = plan(client)
    whole = client.get(f"/v1/plans/{made['id']}/patches").json()["features"]
    seen: list[Any] = []
    path = f"/v1/plans/{made['id']}/patches?limit=4"
    while path:
        page = client.get(path).json()
        seen += page["features"]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == whole


@pytest.mark.parametrize("query", ["cursor=nonsense", "limit=0", "limit=4097", "cursor=dGlsZQotMQ"])
def test_a_page_that_is_not_of_this_list_is_422(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/plans/{plan(client)['id']}/patches?{query}").status_code == 422


def test_a_page_past_the_end_is_empty(client: TestClient) -> None:
    document = client.get(f"/v1/plans/{plan(client)['id']}/patches?cursor=dGlsZQo5OTk").json()
    assert document["features"] == []


def test_shapes_hold_the_bought_patches_and_say_what_is_billed(client: TestClient) -> None:
    made = plan(client)
    document = client.get(f"/v1/plans/{made['id']}/shapes").json()
    assert sum(feature["properties"]["patches"] for feature in document["features"]) == len(bought(made))
    area = sum(feature["properties"]["area_km2"] for feature in document["features"])
    assert area == pytest.approx(float(made["area_km2"]), abs=1e-9)
    assert (document["billable_km2"], document["cost"]) == (made["billable_km2"], made["cost"])


def test_a_bundle_without_a_curve_says_so(client: TestClient) -> None:
    curve = client.get(f"/v1/plans/{plan(client)['id']}/curve").json()
    assert curve == {
        "points": [],
        "images": None,
        "source": "The bundle tiny 1 was released without an evaluation curve.",
    }


def test_the_preview_is_a_picture(client: TestClient) -> None:
    answer = client.get(f"/v1/plans/{plan(client)['id']}/preview.png")
    assert (answer.headers["content-type"], answer.content[:4]) == ("image/png", b"\x89PNG")


def test_a_preview_whose_scene_was_lost_is_503_in_words(client: TestClient, settings: Settings) -> None:
    made = plan(client)
    sha256 = made["scene"]["sha256"]
    Path(settings.blobs / sha256[:2] / sha256).unlink()
    answer = client.get(f"/v1/plans/{made['id']}/preview.png")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/blob-missing")


def test_an_unknown_plan_is_not_found(client: TestClient) -> None:
    for view in ("", "/patches", "/shapes", "/curve", "/preview.png"):
        assert client.get(f"/v1/plans/{uuid4()}{view}").status_code == 404


def test_the_served_bundle_shows_its_card_without_weights(client: TestClient) -> None:
    (bundle,) = client.get("/v1/bundles").json()["items"]
    assert (bundle["name"], bundle["classes"], bundle["tile_m"]) == (
        "tiny",
        ["farm", "forest", "harbour"],
        80.0,
    )
    assert "weights" not in bundle


def test_the_openapi_document_shows_how_to_send_a_scene(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/plans"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "image/tiff",
        "application/octet-stream",
        "multipart/form-data",
    }
    assert "lambda" in {parameter["name"] for parameter in operation["parameters"]}
    assert "application/problem+json" in operation["responses"]["422"]["content"]
