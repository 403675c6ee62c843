"""Refused plans: each is a problem document, and nothing is stored."""

import pytest
from fastapi.testclient import TestClient

from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import make_geotiff, make_pixels
from tests.support.databases import rows
from tests.support.planning import send

pytestmark = pytest.mark.usefixtures("spread_utilities")

TABLES = ("plan", "scene", "price_list", "idempotency")
REFUSALS = {
    "not a TIFF": (b"GIF89a", {}, 415, None),
    "empty": (b"", {}, None, None),
    "unknown price list": (None, {"price_list": "nobody"}, 422, "price-list-unknown"),
    "a price list with NUL": (None, {"price_list": "a\0b"}, 422, "invalid-request"),
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
def test_refused_plan_is_a_problem_and_leaves_nothing(
    client: TestClient, database: Database, settings: Settings, case: str
) -> None:
    scene, options, status, code = REFUSALS[case]
    before = [rows(database, table) for table in TABLES]
    answer = send(client, scene, **options)
    assert 400 <= answer.status_code < 500
    assert answer.status_code == (status or answer.status_code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{code or answer.json()['type'].rpartition('/')[2]}"
    assert len(answer.json()["detail"]) > 10
    assert [rows(database, table) for table in TABLES] == before
    assert not any(path.is_file() for path in settings.blobs.rglob("*"))


@pytest.mark.parametrize(
    ("validity", "words"),
    [
        ({"valid_from": "2999-01-01"}, "is valid from 2999-01-01"),
        ({"valid_to": "2001-12-31"}, "is valid until 2001-12-31"),
        ({"valid_from": "2001-01-01", "valid_to": "2999-12-31"}, None),
    ],
    ids=["too early", "too late", "today"],
)
def test_plan_needs_a_price_list_that_applies_today(
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


def test_plan_refuses_other_media_types(client: TestClient) -> None:
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": ""}):
        answer = client.post("/v1/plans", content=make_geotiff(), headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


def test_plan_refuses_an_unknown_key_before_reading_the_scene(client: TestClient) -> None:
    answer = client.post(
        "/v1/plans",
        content=b"not a scene",
        headers={"Authorization": "Bearer x", "Content-Type": "image/gif"},
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("files", "params", "pointers"),
    [
        ({"other": b"x"}, "{}", ["/body/other", "/body/scene"]),
        ({"scene": b"x"}, '{"colour": "blue"}', ["/body/params/colour"]),
        ({"scene": b"x"}, "not json", ["/body/params"]),
    ],
)
def test_plan_refuses_a_faulty_form_and_names_the_field(
    client: TestClient, files: dict[str, bytes], params: str, pointers: list[str]
) -> None:
    answer = client.post("/v1/plans", files=files, data={"params": params})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
