"""`loupe plans shapes` and `loupe orders shapes`."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import ORDER_ID, PLAN_ID, PlayedServer, loupe

PATHS = {"plans": f"/v1/plans/{PLAN_ID}/shapes", "orders": f"/v1/orders/{ORDER_ID}/shapes"}
IDS = {"plans": PLAN_ID, "orders": ORDER_ID}


@pytest.fixture(autouse=True)
def answers(server: PlayedServer) -> None:
    for path in PATHS.values():
        server.routes[f"GET {path}"] = lambda request: httpx.Response(
            200, content=f"as {request.url.params['as']}\n".encode()
        )


@pytest.mark.parametrize("group", ["plans", "orders"])
@pytest.mark.parametrize(
    ("name", "form"),
    [("a.gpkg", "gpkg"), ("a.KML", "kml"), ("a.wkt", "wkt"), ("a.geojson", "features")],
)
def test_ending_of_the_file_chooses_the_form(group: str, name: str, form: str, tmp_path: Path) -> None:
    done = loupe(group, "shapes", IDS[group], "--out", str(tmp_path / name))

    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_text() == f"as {form}\n"
    assert "bytes written" in done.stdout


def test_format_wins_over_the_ending(tmp_path: Path) -> None:
    file = tmp_path / "aoi.json"
    assert loupe("plans", "shapes", PLAN_ID, "--format", "multipolygon", "--out", str(file)).exit_code == 0
    assert file.read_text() == "as multipolygon\n"


def test_text_is_printed_without_a_file() -> None:
    assert loupe("orders", "shapes", ORDER_ID, "--format", "wkt").stdout == "as wkt\n"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--format", "gpkg"), "cannot be printed"),
        (("--format", "wkt", "--json"), "Only GeoJSON"),
        (("--out", "shapes.shp"), "does not say which form"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_server_is_asked(
    server: PlayedServer, words: tuple[str, str], reason: str
) -> None:
    done = loupe("plans", "shapes", PLAN_ID, *words)
    assert (done.exit_code, server.asked) == (1, [])
    assert reason in done.stderr


def test_json_describes_the_written_file(tmp_path: Path) -> None:
    file = tmp_path / "aoi.kml"
    done = loupe("plans", "shapes", PLAN_ID, "--out", str(file), "--json")
    assert json.loads(done.stdout) == {"file": str(file), "format": "kml", "bytes": 7}
