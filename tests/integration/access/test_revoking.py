"""Keys over HTTP and on the server's machine: create, list, rotate, revoke."""

from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.access.repository import create_key, create_workspace
from service.access.tables import Workspace
from service.cli import app
from service.database.engine import Database
from tests.support.bundles import usd
from tests.support.operations import versioned_operations
from tests.support.ordering import Json, code, open_budget, place
from tests.support.orders import Planned

Headers = dict[str, str]


def bearer(key: str) -> Headers:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def colleague(database: Database, workspace_id: UUID) -> str:
    """Create a second key of the workspace as on the server's machine."""
    with database.sessions.begin() as session:
        return create_key(session, session.get_one(Workspace, workspace_id), "colleague")


@pytest.fixture
def stranger(database: Database) -> str:
    """Create a key of another workspace."""
    with database.sessions.begin() as session:
        return create_key(session, create_workspace(session, "stranger"), "theirs")


def own_id(client: TestClient, **headers: str) -> str:
    """Return the id of the key that the request is sent with."""
    items = client.get("/v1/keys", headers=headers).json()["items"]
    (current,) = (item["id"] for item in items if item["current"])
    return str(current)


def created(client: TestClient, name: str = "field office") -> Json:
    answer = client.post("/v1/keys", json={"name": name, "role": "admin"})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def test_create_api_key_shows_the_key_once(client: TestClient) -> None:
    answer = client.post("/v1/keys", json={"name": "field office"})
    made = answer.json()

    assert answer.headers["cache-control"] == "no-store"
    assert made["key"].split("_")[1] == made["id"]
    assert client.get("/v1/budgets", headers=bearer(made["key"])).status_code == 200
    listed = client.get("/v1/keys")
    assert made["key"] not in listed.text
    assert [item["name"] for item in listed.json()["items"]] == ["field office", "operator"]


def test_list_api_keys_shows_the_own_workspace_only(client: TestClient, stranger: str) -> None:
    assert [item["name"] for item in client.get("/v1/keys").json()["items"]] == ["operator"]
    theirs = client.get("/v1/keys", headers=bearer(stranger)).json()["items"]
    assert [item["name"] for item in theirs] == ["theirs"]


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_keys_of_another_workspace_are_not_found(client: TestClient, stranger: str, action: str) -> None:
    their_id = stranger.split("_")[1]

    assert code(client.post(f"/v1/keys/{their_id}/{action}")) == (404, "not-found")
    assert client.get("/v1/keys", headers=bearer(stranger)).status_code == 200


def test_revoked_key_is_refused_everywhere_at_once(client: TestClient) -> None:
    made = created(client)
    revoked = client.post(f"/v1/keys/{made['id']}/revoke").json()

    assert revoked["revoked_at"] is not None
    assert "key" not in revoked
    for method, path in versioned_operations():
        answer = client.request(method, path, headers=bearer(made["key"]))
        assert answer.status_code == 401, (method, path)


def test_dashboard_sessions_of_a_revoked_key_end_at_once(client: TestClient) -> None:
    made = created(client)
    client.post("/dashboard/login", data={"key": made["key"]})
    assert client.get("/dashboard/ledger.json").status_code == 200

    client.post(f"/v1/keys/{made['id']}/revoke")

    assert client.get("/dashboard/ledger.json").status_code == 401
    page = client.get("/dashboard", follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/dashboard/login")


def test_revoke_api_key_twice_keeps_the_first_time(client: TestClient) -> None:
    made = created(client)
    first, second = (client.post(f"/v1/keys/{made['id']}/revoke") for _ in range(2))

    assert (second.status_code, second.json()) == (200, first.json())


def test_revoke_api_key_refuses_the_last_key_unless_confirmed(client: TestClient) -> None:
    path = f"/v1/keys/{own_id(client)}/revoke"

    assert code(client.post(path)) == (409, "last-key")
    assert client.get("/v1/keys").status_code == 200
    assert client.post(path, params={"allow_last": True}).status_code == 200
    assert client.get("/v1/keys").status_code == 401


def test_rotate_api_key_replaces_the_key(client: TestClient) -> None:
    old = own_id(client)
    answer = client.post(f"/v1/keys/{old}/rotate")
    made = answer.json()

    assert (answer.status_code, made["name"]) == (201, "operator")
    assert client.get("/v1/keys").status_code == 401
    items = client.get("/v1/keys", headers=bearer(made["key"])).json()["items"]
    assert {item["id"]: item["revoked_at"] is None for item in items} == {made["id"]: True, old: False}


def test_rotate_api_key_refuses_a_revoked_key(client: TestClient) -> None:
    made = created(client)
    client.post(f"/v1/keys/{made['id']}/revoke")

    assert code(client.post(f"/v1/keys/{made['id']}/rotate")) == (409, "key-revoked")


class TestApproval:
    """An order above `approval_above` needs the key of another holder."""

    @pytest.fixture
    def order(self, client: TestClient, plan: Planned) -> str:
        open_budget(client, approval_above=usd("5.00"))
        return str(place(client, plan).json()["id"])

    def approve(self, client: TestClient, order: str, key: str) -> tuple[int, str]:
        answer = client.post(
            f"/v1/orders/{order}/approval", json={"decision": "approve"}, headers=bearer(key)
        )
        return (200, "") if answer.status_code == 200 else code(answer)

    def test_refuses_a_key_made_with_the_ordering_key(self, client: TestClient, order: str) -> None:
        assert self.approve(client, order, created(client)["key"]) == (403, "self-approval")

    def test_refuses_the_successor_of_the_ordering_key(self, client: TestClient, order: str) -> None:
        made = client.post(f"/v1/keys/{own_id(client)}/rotate").json()

        assert self.approve(client, order, made["key"]) == (403, "self-approval")

    def test_refuses_a_key_that_the_orderer_rotated(
        self, client: TestClient, order: str, colleague: str
    ) -> None:
        taken = client.post(f"/v1/keys/{colleague.split('_')[1]}/rotate").json()

        assert self.approve(client, order, taken["key"]) == (403, "self-approval")

    def test_takes_a_key_made_on_the_servers_machine(
        self, client: TestClient, order: str, colleague: str
    ) -> None:
        assert self.approve(client, order, colleague) == (200, "")


class TestCommands:
    """`loupe keys` on the database of the server."""

    @pytest.fixture
    def run(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
        monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
        return CliRunner()

    def test_rotate_prints_a_key_of_the_same_holder(self, run: CliRunner, client: TestClient) -> None:
        old = own_id(client)
        done = run.invoke(app, ["keys", "rotate", old])
        made = done.stdout.strip()

        assert done.stderr.startswith('A key for the workspace "default", known to the database ')
        assert made not in done.stderr

        assert client.get("/v1/keys").status_code == 401
        items = client.get("/v1/keys", headers=bearer(made)).json()["items"]
        assert {item["holder"] for item in items} == {old}

    @pytest.mark.parametrize("name", ["", "two\nlines", "x" * 101], ids=["empty", "control", "long"])
    def test_create_refuses_a_name_that_http_refuses(
        self, run: CliRunner, client: TestClient, name: str
    ) -> None:
        assert client.post("/v1/keys", json={"name": name}).status_code == 422
        refused = run.invoke(app, ["keys", "create", name])

        assert (refused.exit_code, refused.stdout) == (2, "")
        assert len(client.get("/v1/keys").json()["items"]) == 1

    def test_list_shows_no_secret(self, run: CliRunner, client: TestClient) -> None:
        made = created(client)
        listed = run.invoke(app, ["keys", "list"]).stdout

        assert made["id"] in listed
        assert made["key"] not in listed

    def test_revoke_refuses_the_last_key_unless_confirmed(self, run: CliRunner, client: TestClient) -> None:
        key_id = own_id(client)
        refused = run.invoke(app, ["keys", "revoke", key_id])
        assert refused.exit_code == 3
        assert "--last" in refused.stderr

        assert run.invoke(app, ["keys", "revoke", key_id, "--last"]).exit_code == 0
        assert client.get("/v1/keys").status_code == 401
