"""Ids that are typed only as far as they are unique."""

import re
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from service.web.problems import NOT_AN_ID
from tests.support.command_line import PlayedServer, loupe
from tests.support.commands import COMMANDS

FIRST, SECOND = "c0ba6f1b-db54-486d-85af-9dd9ab5836c0", "c0ba6f77-0000-4000-8000-000000000000"
ELSEWHERE = "14353db8-a4da-4c2b-b411-4f5648059090"


ROWS = [
    {"id": one, "name": f"called {one}", "sha256": one, "limit": {"amount": "5.00", "currency": "USD"}}
    for one in (FIRST, SECOND, ELSEWHERE)
]
LISTS = ("plans", "orders", "jobs", "proposals", "budgets", "price-lists", "bundles")


@pytest.fixture
def listed(server: PlayedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedServer:
    """Return a server with three things of each kind, all of which hold any text that is looked for."""

    def pages(request: httpx.Request) -> httpx.Response:
        onward = "cursor" not in request.url.params
        links = [{"rel": "next", "href": f"{request.url.path}?cursor=2"}] if onward else []
        return httpx.Response(200, json={"items": ROWS[:1] if onward else ROWS[1:], "links": links})

    server.routes |= {f"GET /v1/{one}": pages for one in LISTS}
    server.lists("/v1/delegations", *ROWS)
    monkeypatch.chdir(tmp_path)
    Path("file.csv").write_bytes(b"tile,label\n")
    return server


def written(request: httpx.Request) -> str:
    """Write a request with its query, and with its body if that is JSON."""
    body = request.content.decode() if request.headers.get("Content-Type") == "application/json" else ""
    return f"{request.method} {unquote(request.url.raw_path.decode())} {body}".strip()


def asked(server: PlayedServer) -> list[str]:
    return [f"{one.method} {one.url.path}" for one in server.asked]


SHORT = {
    ("plans show", "plan_id"): ("@", "GET /v1/plans/{}"),
    ("plans shapes", "plan_id"): ("@", "GET /v1/plans/{}/shapes"),
    ("plans edit", "plan_id"): ("@ --name x", "PATCH /v1/plans/{}"),
    ("plans list", "price_list"): ("--price-list @", "GET /v1/plans?price_list={}"),
    ("plans list", "follows"): ("--follows @", "GET /v1/plans?follows={}"),
    ("plan", "price_list"): ("file.csv --price-list @", "POST /v1/plans?price_list={}"),
    ("plan", "bundle"): ("file.csv --bundle @", "POST /v1/plans?bundle={}"),
    ("replan", "plan_id"): ("@", "POST /v1/plans/{}/replan"),
    ("replan", "price_list"): ("7 --price-list @", 'POST /v1/plans/7/replan {"price_list":"{}"}'),
    ("curve", "plan_id"): ("@", "GET /v1/plans/{}"),
    ("alternatives", "document_id"): ("@", "GET /v1/plans/{}/alternatives"),
    ("order", "plan"): ("@", "GET /v1/plans/{}"),
    ("order", "budget"): ("7 --yes --budget @", 'POST /v1/orders {"plan":"7","budget":"{}"}'),
    ("orders show", "order_id"): ("@", "GET /v1/orders/{}"),
    ("orders wait", "order_id"): ("@", "GET /v1/orders/{}"),
    ("orders shapes", "order_id"): ("@", "GET /v1/orders/{}/shapes"),
    ("orders edit", "order_id"): ("@ --name x", "PATCH /v1/orders/{}"),
    ("orders list", "budget"): ("--budget @", "GET /v1/orders?budget={}"),
    ("orders list", "plan"): ("--plan @", "GET /v1/orders?plan={}"),
    ("cancel", "order_id"): ("@", "GET /v1/orders/{}/cancel"),
    ("deadline", "order_id"): ("@ 2030-01-01", "POST /v1/orders/{}/deadline"),
    ("deliver", "order_id"): ("@ file.csv", "PUT /v1/orders/{}/deliveries"),
    ("classify", "order_id"): ("@", "POST /v1/orders/{}/classification"),
    ("next", "order_id"): ("@", "POST /v1/orders/{}/next-round"),
    ("next", "price_list"): ("7 --price-list @", 'POST /v1/orders/7/next-round {"price_list":"{}"}'),
    ("labels give", "order_id"): ("@ file.csv", "PUT /v1/orders/{}/truth"),
    ("labels show", "order_id"): ("@", "GET /v1/orders/{}/truth"),
    ("ledger adjust", "order_id"): ("@ refund 1.00 --reason x", "GET /v1/orders/{}"),
    ("trace", "what"): ("@", "GET /v1/orders/{}"),
    ("approve", "waiting"): ("@", "POST /v1/orders/{}/approval"),
    ("pixels delete", "plan"): ("--plan @", "GET /v1/plans/{}"),
    ("pixels delete", "order"): ("--order @", "GET /v1/orders/{}"),
    ("jobs show", "job_id"): ("@", "GET /v1/jobs/{}"),
    ("jobs cancel", "job_id"): ("@", "POST /v1/jobs/{}/cancel"),
    ("delegations end", "delegation_id"): ("@", "POST /v1/delegations/{}/end"),
    ("budget limit", "name"): ("@ 5", "PATCH /v1/budgets/{}"),
    ("budget terms", "name"): ("@ --period month", "PATCH /v1/budgets/{}"),
    ("budget withdraw", "proposal"): ("@", "POST /v1/proposals/{}/withdrawal"),
    ("savings", "budget"): ("--budget @", "GET /v1/reports/savings?budget={}"),
    ("spend", "budget"): ("--budget @", "GET /v1/reports/spend?budget={}"),
}
"""Parameters that take an id: words after the command in which @ is its beginning, and a request with it."""
NAMED = ("price_list", "bundle", "budget", "name")
"""Parameters that take a name too, which may be any text. It is sent in a query or a body, or not at all."""
ON_THE_MACHINE = {
    ("keys revoke", "key_id"), ("keys rotate", "key_id"), ("people role", "person_id"),
    ("people remove", "person_id"), ("bundles remove", "name"),
}  # fmt: skip
"""Tested with a database, in tests/integration/test_short_ids_on_the_machine.py."""
OTHERS = {
    "external_id": "an id in another system is compared as a whole",
    "subject": "an id in the issuer's system",
    "holder": "eight letters, and only an admin may list holders",
    "search": "finds any part of an id",
    "scene": "a filter by the digest of a file of the user's",
    "orders": "prints ids",
    "approval_above": "an amount",
}
"""Parameters whose help is about ids or holders and that take no beginning of an id, with the reason."""
ABOUT_IDS = re.compile(r"\b(ids?|sha-?256|holder|letters)\b", re.IGNORECASE)


def test_every_parameter_that_takes_an_id_is_tested() -> None:
    found = {
        (command, one.name)
        for command, typed in COMMANDS.items()
        for one in typed.params
        if ABOUT_IDS.search(getattr(one, "help", None) or "") and one.name not in OTHERS
    }

    assert found == {*SHORT, *ON_THE_MACHINE}


@pytest.mark.parametrize(("command", "parameter"), SHORT)
def test_beginning_of_an_id_is_enough(listed: PlayedServer, command: str, parameter: str) -> None:
    words, request = SHORT[command, parameter]
    if command == "approve":
        listed.lists("/v1/proposals")
    loupe(*command.split(), *words.replace("@", "C0BA6F1").split())

    wanted, _, query = request.replace("{}", FIRST).partition("?")
    sent = [written(one) for one in listed.asked]
    assert [one for one in sent if one.startswith(wanted) and query in one], sent


def test_beginning_is_looked_for_where_there_are_many(listed: PlayedServer) -> None:
    loupe("plans", "show", "C0BA6F1")

    assert listed.asked[0].url.params["q"] == "c0ba6f1"


def test_order_of_an_alternative_and_of_a_traced_delivery_is_found(listed: PlayedServer) -> None:
    loupe("alternatives", "--order", "c0ba6f1")
    listed.routes[f"GET /v1/reports/savings/orders/{FIRST}"] = (200, {})
    loupe("trace", "c0ba6f1/0/3")

    assert f"GET /v1/reports/savings/orders/{FIRST}/alternatives" in asked(listed)
    assert f"GET /v1/orders/{FIRST}" in asked(listed)


def test_approve_finds_orders_and_proposals(server: PlayedServer) -> None:
    server.lists("/v1/orders", {"id": ELSEWHERE})
    server.lists("/v1/proposals", {"id": FIRST})
    loupe("approve", "c0ba6f")
    assert f"POST /v1/orders/{FIRST}/approval" in asked(server)  # a proposal is looked for among orders first

    server.lists("/v1/orders", {"id": SECOND})
    both, none = loupe("approve", "c0ba6f"), loupe("approve", "abcdef12")
    assert both.stderr.splitlines() == [
        'Error: 2 orders or proposals have ids that begin with "c0ba6f". Type more of one of them:',
        SECOND,
        FIRST,
    ]
    assert " ".join(none.stderr.split()) == (
        'Error: No order or proposal has an id that begins with "abcdef12". '
        "`loupe orders list` or `loupe budget proposals` shows ids."
    )


@pytest.mark.parametrize("name", ["decade", "c0ba6f"])
def test_name_that_looks_like_the_beginning_of_an_id_stays_a_name(server: PlayedServer, name: str) -> None:
    server.lists("/v1/price-lists", {"id": FIRST, "name": "c0ba6f"}, {"id": SECOND, "name": "other"})
    loupe("plans", "list", "--price-list", name)

    assert server.asked[-1].url.params["price_list"] == name


@pytest.mark.usefixtures("listed")
def test_beginning_of_several_ids_and_of_none_is_refused() -> None:
    several, none = loupe("plans", "show", "c0ba6f"), loupe("orders", "show", "abcdef12")

    assert (several.exit_code, none.exit_code) == (1, 1)
    assert several.stderr == (
        f'Error: 2 plans have ids that begin with "c0ba6f". Type more of one of them:\n{FIRST}\n{SECOND}\n'
    )
    assert none.stderr == (
        'Error: No order has an id that begins with "abcdef12". `loupe orders list` shows ids.\n'
    )


@pytest.mark.parametrize("typed", [FIRST, FIRST.replace("-", ""), "c0ba6", "nonsense", "c0ba6f1b_"])
def test_whole_ids_and_other_texts_are_not_looked_up(listed: PlayedServer, typed: str) -> None:
    loupe("plans", "show", typed)

    assert asked(listed) == [f"GET /v1/plans/{typed}"]


@pytest.mark.parametrize("typed", ["", "..", "../orders", f"{FIRST}/curve", f"{FIRST}?q=1", "a#b", "a%2Fb"])
def test_text_that_leads_to_another_path_is_refused(listed: PlayedServer, typed: str) -> None:
    done = loupe("cancel", typed, "--yes")

    assert (done.exit_code, done.stdout, asked(listed)) == (1, "", [])
    assert done.stderr == f'Error: "{typed}" is no id. `loupe orders list` shows ids.\n'


@pytest.mark.parametrize(("command", "parameter"), [one for one in SHORT if one[1] not in NAMED])
def test_every_command_refuses_a_path_in_place_of_an_id(
    listed: PlayedServer, command: str, parameter: str
) -> None:
    done = loupe(*command.split(), *SHORT[command, parameter][0].replace("@", "../orders").split())

    said = "cannot be traced. Give an order id" if command == "trace" else "is no id. `loupe "
    assert (done.exit_code, done.stdout, asked(listed)) == (1, "", [])
    assert " ".join(done.stderr.split()).startswith(f'Error: "../orders" {said}')


@pytest.mark.parametrize(("command", "parameter"), [one for one in SHORT if one[1] in NAMED])
def test_name_that_looks_like_a_path_is_asked_for_as_any_other(
    listed: PlayedServer, command: str, parameter: str
) -> None:
    for name in ("acme", "../orders"):
        loupe(*command.split(), *SHORT[command, parameter][0].replace("@", name).split())

    places = asked(listed)
    assert places
    assert places[: len(places) // 2] == places[len(places) // 2 :]


@pytest.mark.parametrize("typed", ["../orders", f"{FIRST}/../x", f"{FIRST}/1/2/3", "\u0661\u0662"])
def test_trace_of_a_path_is_refused(listed: PlayedServer, typed: str) -> None:
    done = loupe("trace", typed)

    assert (done.exit_code, asked(listed)) == (1, [])
    assert " ".join(done.stderr.split()).startswith(f'Error: "{typed}" cannot be traced. Give an order id')


def test_number_of_a_transfer_is_no_beginning_of_an_id(listed: PlayedServer) -> None:
    loupe("trace", "123456")

    assert "GET /v1/orders" not in asked(listed)


def test_beginning_that_is_too_short_is_refused_with_how_much_is_enough(server: PlayedServer) -> None:
    fault = {"pointer": "/path/order_id", "code": "uuid_parsing", "detail": NOT_AN_ID}
    problem = {"title": "Invalid input", "status": 422, "code": "invalid-input", "errors": [fault]}
    server.routes["GET /v1/orders/c0ba6"] = (422, problem)

    done = loupe("orders", "show", "c0ba6")

    assert (done.exit_code, " ".join(done.stderr.split())) == (
        3,
        "Error: A value cannot be used ORDER: This is not an id. An id has 36 characters, as lists show it, "
        "and its first six or more are enough.",
    )
