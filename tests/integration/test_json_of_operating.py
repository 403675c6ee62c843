"""`--json` of the commands for the server's machine: one JSON document and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.access.keys import id_of
from service.database.engine import newest_revision
from service.settings import Settings
from tests.support.bundles import write_bundle
from tests.support.command_line import loupe
from tests.support.commands import OPERATING
from tests.support.databases import KEY, administer

PERSON = {"holder", "name", "role", "issuer", "subject", "created_at", "last_used_at", "revoked_at"}
Machine = Callable[..., Any]


@pytest.fixture
def machine(
    settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    """Run a command with the settings of a server that holds tiny@1; return the document that it prints."""
    write_bundle(tmp_path / "held" / "tiny-1")
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
    monkeypatch.setenv("LOUPE_HOME", str(settings.home))
    monkeypatch.setenv("LOUPE_BUNDLES", str(tmp_path / "held"))
    monkeypatch.setenv("LOUPE_OIDC_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("LOUPE_OIDC_AUDIENCE", "loupe")

    def run(command: str, *words: str, status: int = 0) -> Any:
        done = loupe(*command.split(), *words, "--json")
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    return run


def people(machine: Machine) -> dict[str, Any]:
    added = machine("people add", "ada", "--role", "buyer")
    changed = machine("people role", added["holder"], "viewer")
    removed = machine("people remove", added["holder"])

    assert [set(one) for one in (added, changed, removed)] == [PERSON] * 3
    assert [one["role"] for one in (added, changed, removed)] == ["buyer", "viewer", "viewer"]
    assert added["created_at"]
    assert removed["revoked_at"]
    return {"people add": added, "people role": changed, "people remove": removed}


def bundles(machine: Machine, folder: Path) -> dict[str, Any]:
    added = machine("bundles add", str(write_bundle(folder / "second", version="2")))
    chosen = machine("bundles default", "tiny@1")
    removed = machine("bundles remove", "tiny@2")

    assert (added["name"], added["version"], added["added"]) == ("tiny", "2", True)
    assert added["after_restart"] == {"default": "tiny@2"}
    assert chosen == {"default": "tiny@1", "overridden_by": None, "after_restart": {"default": "tiny@1"}}
    assert (removed["sha256"], removed["removed"], removed["plans"]) == (added["sha256"], True, 0)
    return {"bundles add": added, "bundles default": chosen, "bundles remove": removed}


def ledger(machine: Machine) -> dict[str, Any]:
    heads = machine("ledger heads")
    published = [machine("ledger publish") for _ in range(2)]
    verified = machine("ledger verify")

    assert {"workspace", "seq", "hash"} <= set(heads["heads"][0])
    assert Path(published[0]["published"]).is_file()
    assert published[1] == {"published": None}
    assert (verified["findings"], verified["published_files"]) == ([], 1)
    return {"ledger heads": heads, "ledger publish": published, "ledger verify": verified}


def database(machine: Machine, server: str) -> dict[str, Any]:
    upgraded, granted = machine("db upgrade"), machine("db grant", "helper")
    administer(server, "ALTER ROLE helper SUPERUSER")
    refused = machine("db grant", "helper", status=1)
    administer(server, "DROP ROLE helper")

    assert upgraded == {"revision": newest_revision()}
    assert granted == {"role": "helper", "excess_privileges": []}
    assert refused == {"role": "helper", "excess_privileges": ["it is a superuser"]}
    return {"db upgrade": upgraded, "db grant": granted}


def keys(machine: Machine) -> dict[str, Any]:
    made = machine("workspaces create", "harbours")
    more = machine("keys create", "ann")
    rotated = machine("keys rotate", more["id"])
    revoked = machine("keys revoke", rotated["id"])
    listed = machine("keys list")

    assert {made["workspace"], more["workspace"]} == {"harbours", "default"}
    assert {one["id"] for one in listed} >= {id_of(KEY), more["id"], rotated["id"]}
    return {
        "workspaces create": made, "workspaces list": machine("workspaces list"), "keys create": more,
        "keys rotate": rotated, "keys revoke": revoked, "keys list": listed,
    }  # fmt: skip


def test_commands_of_the_machine_print_one_document(machine: Machine, tmp_path: Path, server: str) -> None:
    said = people(machine) | bundles(machine, tmp_path) | keys(machine) | ledger(machine)
    said |= database(machine, server)
    said |= {"people list": machine("people list"), "orders expire": machine("orders expire")}
    said["blobs"] = machine("blobs", "--sweep")

    assert said["orders expire"] == {"expired": 0}
    assert [one["name"] for one in said["people list"]] == ["ada"]
    assert {"default", "harbours"} <= {one["name"] for one in said["blobs"]["workspaces"]}
    assert said["blobs"]["freed_bytes"] == 0
    assert set(said) == set(OPERATING)
