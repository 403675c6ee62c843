"""Error messages of the command line."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.command_line import PLAN_ID, PlayedServer, loupe


def test_problem_prints_title_and_detail(server: PlayedServer) -> None:
    problem = {
        "title": "The budget cannot pay for this",
        "detail": "The budget has 1.00 USD available and this needs 2.00 USD.",
        "status": 402,
    }
    server.routes["POST /v1/orders"] = (402, problem)

    done = loupe("order", PLAN_ID, "--yes")

    assert done.exit_code == 3
    assert done.stderr == f"Error: {problem['title']}\n{problem['detail']}\n"
    assert done.stdout == ""


def test_validation_problem_names_what_was_typed(server: PlayedServer) -> None:
    problem = {
        "title": "The request is malformed",
        "detail": "1 field is wrong.",
        "errors": [{"pointer": "/body/limit/amount", "detail": "String should match pattern"}],
    }
    server.routes["POST /v1/budgets"] = (422, problem)

    done = loupe("budget", "create", "harvest", "12,50", "usd")

    assert "AMOUNT: It should match pattern." in done.stderr
    assert json.loads(server.asked[0].content)["limit"] == {"amount": "12,50", "currency": "USD"}


def test_refusal_names_the_command_that_helps(server: PlayedServer) -> None:
    detail = "No budget of this workspace is in USD. Open one with POST /v1/budgets."
    server.routes["POST /v1/orders"] = (
        409,
        {"type": "/problems/no-budget", "title": "None", "detail": detail},
    )

    done = loupe("order", PLAN_ID, "--yes")

    assert "Open one with `loupe budget create NAME AMOUNT CURRENCY`." in " ".join(done.stderr.split())
    assert "/v1/" not in done.stderr


def test_error_answer_without_problem_document_prints_its_status(server: PlayedServer) -> None:
    server.routes["GET /v1/ledger"] = lambda _: httpx.Response(502, text="<html>bad gateway</html>")

    done = loupe("ledger")

    assert (done.exit_code, done.stderr) == (5, "Error: The server answered with status 502.\n")


def test_missing_key_explains_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUPE_API_KEY", raising=False)

    done = loupe("savings")

    assert done.exit_code == 4
    assert "No API key. Set LOUPE_API_KEY or pass --api-key." in done.stderr


@pytest.mark.parametrize("key", ["schl\u00fcssel", "a\nb"])
def test_text_that_is_no_key_is_neither_sent_nor_printed(server: PlayedServer, key: str) -> None:
    done = loupe("me", "--api-key", key)

    assert done.exit_code == 4
    assert done.stderr.startswith("Error: An API key has no blanks and only ASCII characters")
    assert key not in done.stderr
    assert server.asked == []


def test_unreachable_server_explains_how_to_start_one() -> None:
    done = loupe("savings", "--url", "http://127.0.0.1:1", "--api-key", "a-key")

    assert done.exit_code == 5
    assert done.stderr == (
        "Error: No Loupe server answers at http://127.0.0.1:1.\n"
        "Start one with `loupe serve`, or give another address with --url.\n"
    )


def test_wrong_setting_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_PORT", "eighty")

    done = loupe("db", "upgrade")

    assert done.exit_code == 1
    assert "LOUPE_PORT: Input should be a valid integer" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "keys list",
        "keys create name",
        "orders expire",
        "ledger verify",
        "ledger heads",
        "db upgrade",
        "db grant it",
    ],
)
def test_unreachable_database_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_DATABASE_URL", "postgresql://127.0.0.1:1/loupe")

    done = loupe(*command.split())

    assert done.exit_code == 5
    assert done.stderr.endswith("The database does not answer. Check LOUPE_DATABASE_URL.\n")


@pytest.mark.parametrize(
    "command",
    [
        "keys list",
        "keys create name",
        "workspaces create harbours",
        "people list",
        "orders expire",
        "ledger verify",
        "ledger heads",
        "ledger publish",
        "audit --server",
        "blobs --sweep",
        "db upgrade",
        "worker",
    ],
)
def test_command_makes_no_database_where_no_server_has_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "other"))

    done = loupe(*command.split())

    assert (done.exit_code, done.stdout) == (1, "")
    assert "There is no database in" in done.stderr
    assert not (tmp_path / "other").exists()


def test_option_that_is_given_twice_is_refused(server: PlayedServer) -> None:
    done = loupe("replan", PLAN_ID, "--guarantee", "labels:0.05", "--guarantee=labels:0.2")

    assert done.exit_code == 1
    assert done.stderr == "Error: --guarantee is given more than once. Give it once.\n"
    assert server.asked == []


def test_option_of_a_command_in_a_group_is_refused_when_given_twice(server: PlayedServer) -> None:
    done = loupe("budget", "create", "harvest", "12.50", "USD", "--url", "http://a", "--url", "http://b")

    assert done.stderr == "Error: --url is given more than once. Give it once.\n"
    assert server.asked == []


def test_refused_key_says_what_to_set(server: PlayedServer) -> None:
    problem = {"type": "/problems/unauthenticated", "detail": "Send the header 'Authorization: Bearer KEY'."}
    server.routes["GET /v1/me"] = (401, problem)

    done = loupe("me")

    assert done.exit_code == 4
    assert "Set LOUPE_API_KEY or --api-key to another one" in done.stderr
    assert "Bearer" not in done.stderr


@pytest.mark.parametrize(
    ("status", "code"), [(409, 3), (422, 3), (401, 4), (403, 4), (429, 5), (503, 5), (500, 1)]
)
def test_exit_code_tells_refusals_from_a_busy_server(server: PlayedServer, status: int, code: int) -> None:
    server.routes["GET /v1/me"] = (status, {"title": "No", "detail": "It does not."})

    assert loupe("me").exit_code == code


def test_env_file_names_the_key_unless_the_environment_does(
    server: PlayedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["GET /v1/me"] = (403, {"title": "No"})
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("LOUPE_API_KEY=a-key-of-the-file\n")

    loupe("me")
    monkeypatch.delenv("LOUPE_API_KEY")
    loupe("me")

    keys = [request.headers["Authorization"] for request in server.asked]
    assert keys == ["Bearer a-key-for-the-test", "Bearer a-key-of-the-file"]
