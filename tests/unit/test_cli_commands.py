"""The command line against a server that is played by the test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from service.cli import app, connection
from service.client import Client

PLAN_ID = "0b6f1c1e-7a77-4a9e-9b1c-1f3f6f6b2a10"
ORDER_ID = "7d9f0a52-3a1c-4bb5-8a0e-2a7f3f1f9c11"
BUDGET_ID = "c1a5e7a0-1111-4222-8333-444455556666"


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


ORDER = {
    "id": ORDER_ID,
    "plan": PLAN_ID,
    "status": "accepted",
    "amounts": {"total": usd("0.25"), "held": usd("0.25"), "settled": usd("0.00"), "released": usd("0.00")},
    "counts": {"bought": 3, "delivered": 0, "awaited": 3},
}
PLAN = {"id": PLAN_ID, "patches": {"bought": 3, "total": 16}, "cost": usd("0.25")}
BUDGET = {"id": BUDGET_ID, "name": "harvest", "limit": usd("5.00"), "available": usd("5.00")}

Answer = tuple[int, Any] | Callable[[httpx.Request], httpx.Response]


class PlayedServer:
    """Answers the routes it is given; remembers what it was asked."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.routes[f"{request.method} {request.url.path}"]
        return answer(request) if callable(answer) else httpx.Response(answer[0], json=answer[1])

    def lists(self, path: str, *items: Any) -> None:
        self.routes[f"GET {path}"] = (200, {"items": list(items), "links": []})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> PlayedServer:
    played = PlayedServer()

    def client(url: str, key: str) -> Client:
        return Client(url, key, httpx.MockTransport(played))

    monkeypatch.setattr(connection, "Client", client)
    monkeypatch.setenv("LOUPE_API_KEY", "a-key-for-the-test")
    monkeypatch.delenv("LOUPE_URL", raising=False)
    return played


def loupe(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=typed)


def scene(folder: Path) -> Path:
    path = folder / "scene.tif"
    path.write_bytes(b"II*\0 the bytes of a GeoTIFF")
    return path


def test_the_scene_is_posted_as_it_is_with_the_options_as_query(server: PlayedServer, tmp_path: Path) -> None:
    server.routes["POST /v1/plans"] = (201, PLAN)

    done = loupe("plan", str(scene(tmp_path)), "--max-cost", "12.50", "--bands", "4,3,2", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == PLAN
    (request,) = server.asked
    assert request.content == scene(tmp_path).read_bytes()
    assert request.headers["Content-Type"] == "image/tiff"
    assert request.headers["Authorization"] == "Bearer a-key-for-the-test"
    assert dict(request.url.params) == {"max_cost": "12.50", "bands": "4,3,2"}


def test_geojson_is_collected_from_all_pages(server: PlayedServer, tmp_path: Path) -> None:
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


def test_ordering_says_the_amount_and_asks(server: PlayedServer) -> None:
    server.routes[f"GET /v1/plans/{PLAN_ID}"] = (200, PLAN)

    done = loupe("order", PLAN_ID, typed="n\n")

    assert done.exit_code == 1
    assert "Order 3 patches for 0.25 USD?" in done.output
    assert [request.method for request in server.asked] == ["GET"]


def test_an_order_names_its_budget_and_carries_a_key(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET, {**BUDGET, "id": "other", "name": "other"})
    server.routes["POST /v1/orders"] = (201, ORDER)

    done = loupe("order", PLAN_ID, "--budget", "harvest", "--yes")

    assert done.exit_code == 0
    assert "0.00 USD settled, 0.25 USD held" in done.stdout
    request = server.asked[-1]
    assert json.loads(request.content) == {"plan": PLAN_ID, "budget": BUDGET_ID}
    assert len(request.headers["Idempotency-Key"]) > 30


def test_a_lost_answer_is_asked_for_again_under_the_same_key(server: PlayedServer) -> None:
    def lost_once(request: httpx.Request) -> httpx.Response:
        if len(server.asked) == 1:
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(201, json=ORDER)

    server.routes["POST /v1/orders"] = lost_once

    done = loupe("order", PLAN_ID, "--yes", "--json")

    assert done.exit_code == 0
    first, second = server.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_an_unknown_budget_is_said(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)

    done = loupe("order", PLAN_ID, "--budget", "autumn", "--yes")

    assert (done.exit_code, done.stderr) == (
        1,
        'Error: There is no budget "autumn". List them: loupe budget list\n',
    )


def test_a_folder_is_delivered_by_the_names_of_its_files(server: PlayedServer, tmp_path: Path) -> None:
    for name in ("tile-0-patch-5.tif", "tile-12-patch-15.TIFF", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {
        f"PUT {path}/tiles/0/patches/5": (201, {}),
        f"PUT {path}/tiles/12/patches/15": (200, {}),
        f"GET {path}": (200, ORDER),
    }

    done = loupe("deliver", ORDER_ID, "--folder", str(tmp_path))

    assert done.exit_code == 0
    assert [request.content for request in server.asked[:2]] == [
        b"tile-0-patch-5.tif",
        b"tile-12-patch-15.TIFF",
    ]


def test_one_refused_file_does_not_stop_the_others(server: PlayedServer, tmp_path: Path) -> None:
    for patch in (1, 2):
        (tmp_path / f"tile-0-patch-{patch}.tif").write_bytes(b"pixels")
    path = f"/v1/orders/{ORDER_ID}"
    problem = {"title": "This patch was not ordered", "detail": "tile 0 patch 1"}
    server.routes |= {
        f"PUT {path}/tiles/0/patches/1": (409, problem),
        f"PUT {path}/tiles/0/patches/2": (201, {}),
        f"GET {path}": (200, ORDER),
    }

    done = loupe("deliver", ORDER_ID, "--folder", str(tmp_path))

    assert done.exit_code == 1
    assert "1 file refused:\ntile-0-patch-1.tif: This patch was not ordered tile 0 patch 1" in done.stderr
    assert server.asked[1].url.path.endswith("/patches/2")


@pytest.mark.parametrize(
    "words",
    [
        [],  # nothing to deliver
        ["patch.tif", "--tile", "0"],  # which patch?
        ["patch.tif", "--folder", "somewhere"],  # both ways at once
    ],
)
def test_a_delivery_needs_a_folder_or_a_file_with_its_place(words: list[str]) -> None:
    done = loupe("deliver", ORDER_ID, *words, "--api-key", "a-key")

    assert done.exit_code == 1
    assert "Give either --folder DIR, or FILE with --tile and --patch." in done.stderr


def test_a_problem_is_printed_in_two_lines(server: PlayedServer) -> None:
    problem = {
        "title": "The budget cannot pay for this",
        "detail": "The budget has 1.00 USD available and this needs 2.00 USD.",
        "status": 402,
    }
    server.routes["POST /v1/orders"] = (402, problem)

    done = loupe("order", PLAN_ID, "--yes")

    assert done.exit_code == 1
    assert done.stderr == f"Error: {problem['title']}\n{problem['detail']}\n"
    assert done.stdout == ""


def test_a_validation_problem_names_the_field(server: PlayedServer) -> None:
    problem = {
        "title": "The request is malformed",
        "detail": "1 field is wrong.",
        "errors": [{"pointer": "/limit/amount", "detail": "String should match pattern"}],
    }
    server.routes["POST /v1/budgets"] = (422, problem)

    done = loupe("budget", "create", "harvest", "12,50", "usd")

    assert "/limit/amount String should match pattern" in done.stderr
    assert json.loads(server.asked[0].content)["limit"] == {"amount": "12,50", "currency": "USD"}


def test_a_page_that_is_no_problem_document_is_an_error_all_the_same(server: PlayedServer) -> None:
    server.routes["GET /v1/ledger"] = lambda _: httpx.Response(502, text="<html>bad gateway</html>")

    done = loupe("ledger")

    assert (done.exit_code, done.stderr) == (1, "Error: The server answered 502\n")


def test_the_ledger_is_printed_as_csv_with_one_row_of_names(server: PlayedServer) -> None:
    def ledger(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept"] == "text/csv"
        if "cursor" in request.url.params:
            return httpx.Response(200, text="seq,kind\r\n1,fund\r\n")
        onward = {"Link": '</v1/ledger>; rel="self", </v1/ledger?cursor=x>; rel="next"'}
        return httpx.Response(200, text="seq,kind\r\n2,reserve\r\n", headers=onward)

    server.routes["GET /v1/ledger"] = ledger

    done = loupe("ledger", "--csv")

    assert done.stdout.splitlines() == ["seq,kind", "2,reserve", "1,fund"]


def test_budgets_are_listed_with_where_their_money_is(server: PlayedServer) -> None:
    usage = {"limit": usd("5.00"), "spent": usd("1.00"), "held": usd("0.50"), "available": usd("3.50")}
    server.lists("/v1/budgets", BUDGET)
    server.routes[f"GET /v1/budgets/{BUDGET_ID}/usage"] = (200, usage)

    done = loupe("budget", "list")

    line = next(line for line in done.stdout.splitlines() if "harvest" in line)
    assert line.split() == ["harvest", "5.00", "USD", "1.00", "USD", "0.50", "USD", "3.50", "USD", BUDGET_ID]


def test_a_budget_is_created_on_its_terms(server: PlayedServer) -> None:
    server.routes["POST /v1/budgets"] = (201, BUDGET)

    done = loupe(
        "budget", "create", "harvest", "5.00", "usd", "--period", "month", "--threshold", "50",
        "--threshold", "80", "--tag", "team=north", "--approval-above", "2.00",
    )  # fmt: skip

    assert done.exit_code == 0
    assert json.loads(server.asked[0].content) == {
        "name": "harvest", "limit": usd("5.00"), "period": "month", "thresholds": [50, 80],
        "tags": {"team": "north"}, "approval_above": usd("2.00"),
    }  # fmt: skip


def test_a_tag_without_a_value_is_said() -> None:
    done = loupe("budget", "create", "harvest", "5.00", "usd", "--tag", "north", "--api-key", "a-key")

    assert (done.exit_code, done.stderr) == (1, "Error: A tag is given as NAME=VALUE.\n")


def test_a_limit_is_changed_by_a_merge_patch(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    changed = BUDGET | {"limit": usd("7.00"), "available": usd("6.00")}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (200, changed)

    done = loupe("budget", "limit", "harvest", "7.00")

    assert json.loads(server.asked[-1].content) == {"limit": usd("7.00")}
    assert done.stdout == "Limit 7.00 USD, 6.00 USD of it available.\n"


def test_terms_are_changed_and_shown(server: PlayedServer) -> None:
    server.lists("/v1/budgets", BUDGET)
    terms = {"version": 2, "period": "none", "enforcement": "warn", "thresholds": [50], "tags": {}}
    server.routes[f"PATCH /v1/budgets/{BUDGET_ID}"] = (200, BUDGET | terms | {"ends_on": "2026-12-31"})

    done = loupe("budget", "terms", "harvest", "--enforcement", "warn", "--ends-on", "2026-12-31")

    assert json.loads(server.asked[-1].content) == {"enforcement": "warn", "ends_on": "2026-12-31"}
    assert ".. to 2026-12-31" in done.stdout
    assert "50 %" in done.stdout


@pytest.mark.parametrize(("words", "decision"), [([], "approve"), (["--reject"], "reject")])
def test_an_order_is_approved_or_rejected(server: PlayedServer, words: list[str], decision: str) -> None:
    server.routes[f"POST /v1/orders/{ORDER_ID}/approval"] = (200, ORDER)

    done = loupe("approve", ORDER_ID, "--note", "as agreed", *words)

    assert done.exit_code == 0
    assert json.loads(server.asked[0].content) == {"decision": decision, "note": "as agreed"}


def test_a_held_order_says_how_it_goes_on_and_what_the_budget_says(server: PlayedServer) -> None:
    warning = {"code": "threshold-reached", "detail": "50 % of the budget 'harvest' is in use."}
    server.routes["POST /v1/orders"] = (201, ORDER | {"status": "held", "warnings": [warning]})

    done = loupe("order", PLAN_ID, "--yes")

    assert f"loupe approve {ORDER_ID}" in done.stdout
    assert "Warning  50 % of the budget 'harvest' is in use." in done.stdout


def test_a_price_is_sent_with_its_patch(server: PlayedServer, tmp_path: Path) -> None:
    (tmp_path / "patch.tif").write_bytes(b"pixels")
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {f"PUT {path}/tiles/0/patches/1": (201, {}), f"GET {path}": (200, ORDER)}

    loupe(
        "deliver", ORDER_ID, str(tmp_path / "patch.tif"), "--tile", "0", "--patch", "1",
        "--price", "1.50", "--accept-price",
    )  # fmt: skip

    assert dict(server.asked[0].url.params) == {"price": "1.50", "accept_price": "true"}


def test_an_adjustment_is_in_the_orders_currency(server: PlayedServer) -> None:
    server.routes[f"GET /v1/orders/{ORDER_ID}"] = (200, ORDER)
    made = {"kind": "refund", "amount": usd("0.10"), "reference": f"refund:{ORDER_ID}#1"}
    server.routes["POST /v1/ledger/adjustments"] = (201, made)

    done = loupe("ledger", "adjust", ORDER_ID, "refund", "0.10", "--reason", "credit note 4711")

    assert done.stdout == f"Refund of 0.10 USD: refund:{ORDER_ID}#1\n"
    assert json.loads(server.asked[-1].content) == {
        "kind": "refund", "order": ORDER_ID, "reason": "credit note 4711", "amount": usd("0.10"),
    }  # fmt: skip


def test_without_a_key_it_says_where_keys_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUPE_API_KEY", raising=False)

    done = loupe("savings")

    assert done.exit_code == 1
    assert "No API key. Set LOUPE_API_KEY or pass --api-key." in done.stderr


def test_where_no_server_answers_it_says_how_to_start_one() -> None:
    done = loupe("savings", "--url", "http://127.0.0.1:1", "--api-key", "a-key")

    assert done.exit_code == 1
    assert done.stderr == (
        "Error: No Loupe server answers at http://127.0.0.1:1.\n"
        "Start one with `loupe serve`, or name another with --url.\n"
    )


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_PORT", "eighty")

    done = loupe("db", "upgrade")

    assert done.exit_code == 1
    assert "LOUPE_PORT: Input should be a valid integer" in done.stderr


COMMANDS = [
    "serve", "demo", "plan", "order", "approve", "deliver", "classify", "ledger", "ledger adjust", "savings",
    "trace", "budget create", "budget limit", "budget terms", "budget list", "keys create", "orders expire",
    "db upgrade", "db grant",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    overview = loupe("--help").stdout
    done = loupe(*command.split(), "--help")

    assert command.split(maxsplit=1)[0] in overview
    assert done.exit_code == 0
    assert f"{command} [OPTIONS]" in done.stdout
