"""`loupe plan`, `loupe order` and `loupe approve`."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import usd
from tests.support.command_line import BUDGET, BUDGET_ID, ORDER, ORDER_ID, PLAN, PLAN_ID, PlayedServer, loupe


def scene(folder: Path) -> Path:
    path = folder / "scene.tif"
    path.write_bytes(b"II*\0 the bytes of a GeoTIFF")
    return path


def test_plan_posts_the_scene_unchanged_with_options_as_query(server: PlayedServer, tmp_path: Path) -> None:
    server.routes["POST /v1/plans"] = (201, PLAN)

    done = loupe("plan", str(scene(tmp_path)), "--max-cost", "12.50", "--bands", "4,3,2", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == PLAN
    (request,) = server.asked
    assert request.content == scene(tmp_path).read_bytes()
    assert request.headers["Content-Type"] == "image/tiff"
    assert request.headers["Authorization"] == "Bearer a-key-for-the-test"
    assert dict(request.url.params) == {"max_cost": "12.50", "bands": "4,3,2"}


def test_plan_geojson_collects_all_pages(server: PlayedServer, tmp_path: Path) -> None:
    path = f"/v1/plans/{PLAN_ID}/patches"
    onward = {"rel": "next", "href": f"{path}?cursor=two"}

    def patches(request: httpx.Request) -> httpx.Response:
        second = request.url.params.get("cursor") == "two"
        return httpx.Response(
            200, json={"features": ["b"] if second else ["a"], "links": [] if second else [onward]}
        )

    server.routes |= {"POST /v1/plans": (201, PLAN), f"GET {path}": patches}

    done = loupe("plan", str(scene(tmp_path)), "--json", "--geojson", str(tmp_path / "out.geojson"))

    assert done.exit_code == 0
    written = json.loads((tmp_path / "out.geojson").read_text())
    assert written == {"type": "FeatureCollection", "features": ["a", "b"]}


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("accepted", f"To upload patches: loupe deliver {ORDER_ID} FILE..."),
        ("held", f"To approve it: loupe approve {ORDER_ID}"),
    ],
)
def test_order_says_what_to_do_next_in_one_line_of_80_columns(
    server: PlayedServer, monkeypatch: pytest.MonkeyPatch, status: str, hint: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    server.routes["POST /v1/orders"] = (201, ORDER | {"status": status})

    assert loupe("order", PLAN_ID, "--yes").stdout.splitlines()[-1] == hint


def test_order_asks_for_confirmation_with_the_amount(server: PlayedServer) -> None:
    server.routes[f"GET /v1/plans/{PLAN_ID}"] = (200, PLAN)

    done = loupe("order", PLAN_ID, typed="n\n")

    assert done.exit_code == 1
    assert "Order 3 patches for 0.25 USD?" in done.output
    assert [request.method for request in server.asked] == ["GET"]


def test_order_sends_the_budget_id_and_an_idempotency_key(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET, {**BUDGET, "id": "other", "name": "other"})
    server.routes["POST /v1/orders"] = (201, ORDER)

    done = loupe("order", PLAN_ID, "--budget", "harvest", "--yes")

    assert done.exit_code == 0
    assert "0.00 USD settled, 0.25 USD held" in done.stdout
    request = server.asked[-1]
    assert json.loads(request.content) == {"plan": PLAN_ID, "budget": BUDGET_ID}
    assert len(request.headers["Idempotency-Key"]) > 30


def test_order_sends_tags_and_cost_center(server: PlayedServer) -> None:
    server.routes["POST /v1/orders"] = (201, ORDER)
    labels = ("--tag", "team=north", "--tag", "run=7", "--cost-center", "4711")

    assert loupe("order", PLAN_ID, "--yes", *labels).exit_code == 0
    assert json.loads(server.asked[-1].content) == {
        "plan": PLAN_ID, "tags": {"team": "north", "run": "7"}, "cost_center": "4711",
    }  # fmt: skip


def test_order_refuses_a_tag_without_a_value(server: PlayedServer) -> None:
    done = loupe("order", PLAN_ID, "--yes", "--tag", "team")

    assert (done.exit_code, server.asked) == (1, [])
    assert "--tag NAME=VALUE" in done.stderr


def test_order_retries_a_lost_answer_under_the_same_key(server: PlayedServer) -> None:
    def lost_once(request: httpx.Request) -> httpx.Response:
        if len(server.asked) == 1:
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(201, json=ORDER)

    server.routes["POST /v1/orders"] = lost_once

    done = loupe("order", PLAN_ID, "--yes", "--json")

    assert done.exit_code == 0
    first, second = server.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_order_refuses_an_unknown_budget(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)

    done = loupe("order", PLAN_ID, "--budget", "autumn", "--yes")

    assert (done.exit_code, done.stderr) == (
        1,
        'Error: There is no budget "autumn". `loupe budget list` shows the budgets.\n',
    )


@pytest.mark.parametrize(("words", "decision"), [([], "approve"), (["--reject"], "reject")])
def test_approve_sends_the_decision_and_the_note(
    server: PlayedServer, words: list[str], decision: str
) -> None:
    server.routes[f"POST /v1/orders/{ORDER_ID}/approval"] = (200, ORDER)

    done = loupe("approve", ORDER_ID, "--note", "as agreed", *words)

    assert done.exit_code == 0
    assert json.loads(server.asked[0].content) == {"decision": decision, "note": "as agreed"}


def test_deadline_sends_the_day_and_prints_the_moment(server: PlayedServer) -> None:
    put_off = ORDER | {"expires_at": "2027-01-01T00:00:00Z"}
    server.routes[f"POST /v1/orders/{ORDER_ID}/deadline"] = (200, put_off)

    done = loupe("deadline", ORDER_ID, "2026-12-31", "--note", "late")

    assert done.exit_code == 0
    assert "The order awaits its patches until 2027-01-01 00:00 UTC." in done.stdout
    assert json.loads(server.asked[0].content) == {"last_day": "2026-12-31", "note": "late"}


def test_approve_decides_on_a_proposal(server: PlayedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    proposal = {
        "id": ORDER_ID, "kind": "terms", "status": "approved", "by": "abcdefgh", "at": "2026-11-29T12:00:00Z",
        "changes": {"limit": usd("9.00"), "approval_above": None, "tags": {"team": "north"}},
    }  # fmt: skip
    missing = {"type": "/problems/not-found", "title": "Not found", "detail": "There is no order."}
    server.routes[f"POST /v1/orders/{ORDER_ID}/approval"] = (404, missing)
    server.routes[f"POST /v1/proposals/{ORDER_ID}/approval"] = (200, proposal)

    done = loupe("approve", ORDER_ID)

    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    for shown in ("limit 9.00 USD", "approval_above none", "tags team=north", "approved"):
        assert shown in words


CANCEL = f"/v1/orders/{ORDER_ID}/cancel"
PREVIEW = "1 of 4 patches came. The provider's bill for them is 1,000.00 USD, and 250.00 USD is settled."


def test_cancel_states_the_amounts_before_it_asks(server: PlayedServer) -> None:
    server.routes[f"GET {CANCEL}"] = (200, {"detail": PREVIEW})

    done = loupe("cancel", ORDER_ID, typed="n\n")

    assert done.exit_code == 1
    assert f"{PREVIEW} Cancel?" in done.output
    assert [request.method for request in server.asked] == ["GET"]


def test_cancel_prints_the_final_bill(server: PlayedServer) -> None:
    final = {"billed": usd("1000.00"), "difference": usd("750.00")}
    server.routes[f"POST {CANCEL}"] = (200, ORDER | {"final_bill": final})

    done = loupe("cancel", ORDER_ID, "--yes")

    assert done.exit_code == 0
    assert "1000.00 USD for what came, 750.00 USD of it at the end" in done.stdout


def test_order_held_for_approval_prints_the_next_command_and_warnings(server: PlayedServer) -> None:
    warning = {"code": "threshold-reached", "detail": "50 % of the budget 'harvest' is in use."}
    server.routes["POST /v1/orders"] = (201, ORDER | {"status": "held", "warnings": [warning]})

    done = loupe("order", PLAN_ID, "--yes")

    assert f"loupe approve {ORDER_ID}" in done.stdout
    assert "Warning  50% of the budget 'harvest' is in use." in done.stdout


def test_approve_says_that_nothing_has_the_id(server: PlayedServer) -> None:
    for kind in ("orders", "proposals"):
        missing = {"type": "/problems/not-found", "title": "Not found", "detail": "There is no such thing."}
        server.routes[f"POST /v1/{kind}/{ORDER_ID}/approval"] = (404, missing)

    done = loupe("approve", ORDER_ID)

    assert done.exit_code != 0
    assert f"There is no order or proposal {ORDER_ID}." in done.output
