"""`loupe keys` and `loupe workspaces` on the database of the server."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.access.keys import id_of
from service.cli import app
from tests.support.databases import KEY


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)

    def invoke(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == status, done.output
        return (done.output if status else done.stdout).strip()

    return invoke


def test_create_makes_a_key_with_role_and_expiry(run: Callable[..., str], client: TestClient) -> None:
    key = run("keys", "create", "analyst", "--role", "planner", "--expires", "2100-01-01")
    me = client.get("/v1/me", headers=bearer(key)).json()["key"]

    assert (me["role"], me["expires_at"]) == ("planner", "2100-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "owner"), "Input should be"),
        (("--expires", "soon"), "A point in time is a text like"),
    ],
)
def test_create_refuses_what_http_refuses(run: Callable[..., str], words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(run("keys", "create", "x", *words, status=2).split())


def test_create_refuses_an_expiry_that_has_passed(run: Callable[..., str]) -> None:
    said = run("keys", "create", "x", "--expires", "2020-01-01", status=3)
    assert "The time of expiry has passed" in said


def test_rotate_keeps_the_old_key_for_the_overlap(run: Callable[..., str], client: TestClient) -> None:
    new = run("keys", "rotate", id_of(KEY), "--overlap", "2")

    for key in (KEY, new):
        assert client.get("/v1/me", headers=bearer(key)).status_code == 200


def test_workspaces_create_makes_a_workspace_with_an_admin_key(
    run: Callable[..., str], client: TestClient
) -> None:
    key = run("workspaces", "create", "harbours")
    me = client.get("/v1/me", headers=bearer(key)).json()

    assert (me["workspace"]["name"], me["key"]["role"]) == ("harbours", "admin")
    assert client.get("/v1/price-lists", headers=bearer(key)).json()["items"]
    assert "harbours" in run("workspaces", "list")
    assert "harbours already" in run("workspaces", "create", "harbours", status=3)


def test_keys_of_another_workspace_are_made_and_listed(run: Callable[..., str], client: TestClient) -> None:
    run("workspaces", "create", "harbours")
    key = run("keys", "create", "analyst", "--workspace", "harbours")

    assert client.get("/v1/me", headers=bearer(key)).json()["workspace"]["name"] == "harbours"
    assert id_of(key) in run("keys", "list", "--workspace", "harbours")
    assert id_of(key) not in run("keys", "list")
    assert "no workspace ports" in run("keys", "list", "--workspace", "ports", status=3)


def test_keys_and_workspaces_as_json_have_the_members_of_the_api(
    run: Callable[..., str], client: TestClient
) -> None:
    made = json.loads(run("keys", "create", "ann", "--role", "buyer", "--json"))
    rotated = json.loads(run("keys", "rotate", made["id"], "--json"))
    revoked = json.loads(run("keys", "revoke", rotated["id"], "--json"))
    listed = {one["id"]: one for one in json.loads(run("keys", "list", "--json"))}
    answered = {one["id"]: one for one in client.get("/v1/keys").json()["items"]}
    (default,) = json.loads(run("workspaces", "list", "--json"))

    assert (made["workspace"], revoked) == ("default", {"id": rotated["id"], "revoked": True})
    assert made["key"].startswith(f"loupe_{made['id']}_")
    assert set(listed) == set(answered)
    for member in ("name", "role", "holder"):
        assert listed[rotated["id"]][member] == answered[rotated["id"]][member]
    assert listed[rotated["id"]]["revoked_at"]
    assert (default["name"], default["keys_in_use"]) == ("default", 1)
    assert json.loads(run("people", "list", "--json")) == []
