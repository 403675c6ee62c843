"""Texts that others wrote, on the terminal of who reads them."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from service.cli.screen import Screen, echo
from tests.support.command_line import PLAN_ID, PlayedServer, loupe

HOSTILE = "a\x1b]0;title\x07\x1b[2Jb\x9b31m\rc\u202ed"
SHOWN = r"a\x1b]0;title\x07\x1b[2Jb\x9b31m\rc\u202ed"


@pytest.mark.parametrize("renderable", [HOSTILE, Text(HOSTILE), Table(HOSTILE, title=HOSTILE)])
def test_screen_writes_control_characters_as_codes(renderable: str | Text | Table) -> None:
    out = io.StringIO()
    Screen(file=out, width=200, markup=False, highlight=False, emoji=False).print(renderable)

    assert r"\x1b[2Jb\x9b31m" in out.getvalue()
    assert not set(out.getvalue()) & set("\x1b\x07\x9b\r\u202e")


def test_screen_keeps_its_own_colours_and_columns() -> None:
    out = io.StringIO()
    table = Table("name", "amount", style="red")
    table.add_row(HOSTILE, "1")
    table.add_row("b", "2")
    Screen(file=out, width=120, force_terminal=True, color_system="standard").print(table)

    assert "\x1b[31m" in out.getvalue()
    plain = [Text.from_ansi(line).plain for line in out.getvalue().splitlines()]
    assert len({len(line) for line in plain}) == 1


def test_refusal_of_a_server_moves_no_cursor(server: PlayedServer) -> None:
    problem = {"title": f"No {HOSTILE}", "detail": f"Detail {HOSTILE}.", "status": 409}
    server.routes["POST /v1/orders"] = (409, problem)

    done = loupe("order", PLAN_ID, "--yes")

    assert f"No {SHOWN}" in done.stderr
    assert f"Detail {SHOWN}." in done.stderr
    assert "\x1b" not in done.stderr


def test_names_in_a_list_move_no_cursor(server: PlayedServer) -> None:
    event = {"id": "1", "at": "2026-11-29T10:00:00Z", "kind": "refused-key", "address": HOSTILE}
    server.lists("/v1/audit", event | {"detail": {"reason": HOSTILE}, "times": 1})

    shown, as_json = loupe("audit").stdout, loupe("audit", "--json").stdout

    assert r"\x1b" in shown
    assert r"\u001b" in as_json
    assert "\x1b" not in shown + as_json


def test_echo_is_harmless_on_a_terminal_and_exact_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    echo(HOSTILE)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    echo(HOSTILE)

    exact, harmless = capsys.readouterr().out.split("d\n")[:2]
    assert (exact + "d", harmless + "d") == (HOSTILE, SHOWN)
