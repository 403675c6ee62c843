"""`--json`: every command that ends has it, and prints one JSON document and nothing else."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.command_line import BUDGET, ORDER, ORDER_ID, PLAN, PLAN_ID, PlayedServer, loupe
from tests.support.commands import ASKING, COMMANDS, ENDLESS, KEEPING

KEY = "loupe_abcdefgh_" + "x" * 43
TRANSFER = {
    "id": PLAN_ID, "workspace_id": ORDER_ID, "seq": 3, "kind": "reserve", "budget_id": ORDER_ID,
    "from_account_id": 1, "to_account_id": 2, "hold_id": None, "at": "2026-11-29T10:00:00Z",
    "amount": {"amount": "5.00", "currency": "USD"}, "reference": f"budget:{ORDER_ID}",
    "evidence": None, "previous_hash": "00" * 32, "hash": "00" * 32,
}  # fmt: skip
ANY = PLAN | ORDER | BUDGET | {"items": [BUDGET], "links": [], "features": [], "scene_days": None}
ANY |= {"delivery_days": None, "status": "completed"}
"""An answer with the members that commands read before they print it."""
WORDS = {
    "PLAN": PLAN_ID, "ORDER": ORDER_ID, "ID": "7", "PROPOSAL": "7", "JOB": "7", "WHAT": "3",
    "BUDGET": "harvest", "NAME": "harvest", "AMOUNT": "1.00", "CURRENCY": "USD", "KIND": "refund",
    "DAY": "2030-01-01", "MONTH": "2026-10", "HOLDER": "abcdefgh", "FILE": "rows.csv",
}  # fmt: skip
MORE = {
    "order": ["--yes"],
    "cancel": ["--yes"],
    "deliver": ["rows.csv"],
    "plans edit": ["--name", "x"],
    "orders edit": ["--name", "x"],
    "pixels delete": ["--yes", "--plan", PLAN_ID],
    "ledger adjust": ["--reason", "x"],
    "delegations lend": ["--until", "2030-01-01"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder with a file to send, and without profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("tile,true_label\n")


def words_of(command: str) -> list[str]:
    """Return a command with its arguments, and the options that it needs."""
    needed = [one for one in COMMANDS[command].params if one.param_type_name == "argument" and one.required]
    return [
        *command.split(),
        *(WORDS[one.metavar or one.name.upper()] for one in needed),
        *MORE.get(command, []),
    ]


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - ENDLESS))
def test_command_that_ends_has_json(command: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[command].params for option in parameter.opts}


@pytest.mark.parametrize("command", ASKING)
def test_command_that_asks_a_server_prints_one_document(server: PlayedServer, command: str) -> None:
    server.routes = defaultdict(lambda: (200, ANY), {"GET /v1/ledger/3": (200, TRANSFER)})

    done = loupe(*words_of(command), "--json")

    assert done.exit_code == (1 if command == "trace" else 0)  # its transfer has a false hash
    assert json.loads(done.stdout)


def test_profiles_are_documents() -> None:
    named = {"name": "office", "url": "https://loupe.example.com", "key": "abcdefgh"}
    words = {
        "profiles add": ["office", "--url", "https://loupe.example.com"],
        "profiles list": [],
        "profiles remove": ["office"],
    }
    said = {
        name: json.loads(loupe(*name.split(), *words[name], "--json", typed=f"{KEY}\n").stdout)
        for name in sorted(KEEPING)
    }

    gone = {"name": "office", "removed": True}
    assert said == {"profiles add": named, "profiles list": [named], "profiles remove": gone}


@pytest.mark.parametrize("command", ["ledger", "ledger closes"])
@pytest.mark.usefixtures("server")
def test_csv_and_json_together_are_refused(command: str) -> None:
    done = loupe(*command.split(), "--csv", "--json")

    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "Error: Give either --csv or --json.\n")
