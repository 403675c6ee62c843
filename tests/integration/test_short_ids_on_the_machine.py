"""Ids that are typed only as far as they are unique, by commands on the server's machine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.access.keys import id_of
from service.access.tables import ApiKey
from service.bundles.stored import read_bundle
from service.database.engine import Database
from service.settings import Settings
from tests.support.bundles import write_bundle
from tests.support.command_line import loupe
from tests.support.databases import KEY

Machine = Callable[..., Any]


@pytest.fixture
def machine(
    settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    """Run a command with the settings of a server; return its document, or the reason why it failed."""
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
    monkeypatch.setenv("LOUPE_HOME", str(settings.home))
    monkeypatch.setenv("LOUPE_BUNDLES", str(tmp_path / "held"))
    monkeypatch.setenv("LOUPE_OIDC_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("LOUPE_OIDC_AUDIENCE", "loupe")

    def run(*words: str, status: int = 0) -> Any:
        done = loupe(*words, "--json")
        assert done.exit_code == status, done.output
        return done.stderr if status else json.loads(done.stdout)

    return run


def test_key_is_named_by_its_beginning(machine: Machine) -> None:
    made = machine("keys", "create", "ann")
    rotated = machine("keys", "rotate", made["id"][:5].upper())

    assert machine("keys", "revoke", rotated["id"][:6]) == {"id": rotated["id"], "revoked": True}


def test_beginning_of_no_key_and_of_several_is_refused(machine: Machine, database: Database) -> None:
    with database.sessions.begin() as session:
        found = session.get_one(ApiKey, id_of(KEY))
        columns = {name.key: getattr(found, name.key) for name in ApiKey.__table__.columns}
        for number in (2, 3):
            changed = {"id": f"abcdefg{number}", "digest": bytes([number] * 32), "holder": f"abcdefg{number}"}
            session.add(ApiKey(**columns | changed))
    none, several = (machine("keys", "revoke", one, status=1) for one in ("zzzz", "abcdef"))

    assert none == 'Error: No key has an id that begins with "zzzz". `loupe keys list` shows ids.\n'
    assert several.splitlines()[0].startswith('Error: 2 keys have ids that begin with "abcdef".')
    assert sorted(several.splitlines()[1:]) == ["abcdefg2", "abcdefg3"]


def test_person_is_named_by_the_beginning_of_the_id(machine: Machine) -> None:
    ada = machine("people", "add", "ada")["holder"]

    assert machine("people", "role", ada[:4], "buyer")["role"] == "buyer"
    assert machine("people", "remove", ada[:5])["holder"] == ada
    assert "`loupe people list` shows ids." in machine("people", "remove", "zzzz", status=1)


def test_bundle_is_named_by_the_beginning_of_its_sha256(machine: Machine, tmp_path: Path) -> None:
    write_bundle(tmp_path / "held" / "tiny-1")
    second = read_bundle(write_bundle(tmp_path / "held" / "tiny-2", version="2")).sha256
    machine("bundles", "default", "tiny@1")

    assert machine("bundles", "remove", second[:12])["version"] == "2"
