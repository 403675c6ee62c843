"""Ids that are typed only as far as they are unique."""

from pathlib import Path

import httpx
import pytest

from tests.support.command_line import PlayedServer, loupe

FIRST, SECOND = "c0ba6f1b-db54-486d-85af-9dd9ab5836c0", "c0ba6f77-0000-4000-8000-000000000000"
ELSEWHERE = "14353db8-a4da-4c2b-b411-4f5648059090"


@pytest.fixture
def listed(server: PlayedServer) -> PlayedServer:
    """Return a server with three plans and three orders, all of which hold any text that is looked for."""
    rows = [{"id": one} for one in (FIRST, SECOND, ELSEWHERE)]

    def pages(request: httpx.Request) -> httpx.Response:
        onward = "cursor" not in request.url.params
        links = [{"rel": "next", "href": f"{request.url.path}?cursor=2"}] if onward else []
        return httpx.Response(200, json={"items": rows[:1] if onward else rows[1:], "links": links})

    server.routes |= {"GET /v1/plans": pages, "GET /v1/orders": pages}
    return server


def asked(server: PlayedServer) -> list[str]:
    return [f"{one.method} {one.url.path}" for one in server.asked]


COMMANDS = [
    ("plans show", "GET /v1/plans/{}"),
    ("plans shapes", "GET /v1/plans/{}/shapes"),
    ("plans edit --name x", "PATCH /v1/plans/{}"),
    ("replan", "POST /v1/plans/{}/replan"),
    ("curve", "GET /v1/plans/{}"),
    ("alternatives", "GET /v1/plans/{}/alternatives"),
    ("order", "GET /v1/plans/{}"),
    ("alternatives --order", "GET /v1/reports/savings/orders/{}/alternatives"),
    ("orders show", "GET /v1/orders/{}"),
    ("orders wait", "GET /v1/orders/{}"),
    ("orders shapes", "GET /v1/orders/{}/shapes"),
    ("orders edit --name x", "PATCH /v1/orders/{}"),
    ("cancel", "GET /v1/orders/{}/cancel"),
    ("deadline", "POST /v1/orders/{}/deadline"),
    ("classify", "POST /v1/orders/{}/classification"),
    ("next", "POST /v1/orders/{}/next-round"),
    ("labels show", "GET /v1/orders/{}/truth"),
    ("ledger adjust --reason x", "GET /v1/orders/{}"),
    ("trace", "GET /v1/orders/{}"),
]


@pytest.mark.parametrize(("command", "route"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_beginning_of_an_id_is_enough(listed: PlayedServer, command: str, route: str) -> None:
    name = command.split(maxsplit=1)[0]
    loupe(
        *command.split(), "C0BA6F1", *{"ledger": ["refund", "1.00"], "deadline": ["2030-01-01"]}.get(name, [])
    )

    assert listed.asked[0].url.params["q"] == "c0ba6f1"
    assert listed.asked[0].url.params["q"] == "c0ba6f1"
    assert route.format(FIRST) in asked(listed)


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


@pytest.mark.parametrize("typed", [FIRST, "c0ba6", "nonsense", "c0ba6f1b_"])
def test_whole_ids_and_other_texts_are_not_looked_up(listed: PlayedServer, typed: str) -> None:
    loupe("plans", "show", typed)

    assert asked(listed) == [f"GET /v1/plans/{typed}"]


def test_number_of_a_transfer_is_no_beginning_of_an_id(listed: PlayedServer) -> None:
    loupe("trace", "123456")

    assert "GET /v1/orders" not in asked(listed)


@pytest.mark.parametrize(
    ("words", "route"),
    [(["labels", "give", "c0ba6f1", "truth.csv"], "truth"), (["deliver", "c0ba6f1", "hr.tif"], "deliveries")],
)
def test_beginning_of_an_id_is_enough_where_files_are_sent(
    listed: PlayedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], route: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(words[-1]).write_bytes(b"tile,label\n")
    loupe(*words)

    assert f"PUT /v1/orders/{FIRST}/{route}" in asked(listed)
