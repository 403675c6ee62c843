"""What the command line says when the server refuses, is not there, or was never asked."""

import json

import httpx
import pytest

from tests.support.command_line import PLAN_ID, PlayedServer, loupe


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
