"""People: added on the server's machine or by a claim, listed, given roles and removed."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from service.access.repository import create_workspace
from service.access.roles import Role
from service.app import create_app
from service.cli import app
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.issuer import CLIENT, LocalIssuer
from tests.support.ordering import Json, code
from tests.support.people import let_in

Loupe = Callable[..., str]


@pytest.fixture
def client(signing_in: Settings) -> Iterator[TestClient]:
    """Connect to an application that trusts the issuer, with a key."""
    with TestClient(create_app(signing_in), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def loupe(database_url: str, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> Loupe:
    """Return a runner of `loupe people` on the server's machine, which returns its output."""
    monkeypatch.setenv("LOUPE_DATABASE_URL", database_url)
    monkeypatch.setenv("LOUPE_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("LOUPE_OIDC_AUDIENCE", CLIENT)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["people", *words])
        return result.output

    return run


def listed(client: TestClient) -> list[Json]:
    items: list[Json] = client.get("/v1/people").json()["items"]
    return items


def role_of(client: TestClient, headers: dict[str, str]) -> tuple[int, str | None]:
    """Return the status of a request and the role that it has."""
    answer = client.get("/v1/me", headers=headers)
    return answer.status_code, answer.json().get("key", {}).get("role")


def events(client: TestClient, kind: str) -> list[Json]:
    items: list[Json] = client.get("/v1/audit", params={"kind": kind}).json()["items"]
    return items


class TestTheCommandLine:
    """`loupe people`, for people whom the operator decides on."""

    def test_person_is_added_listed_and_removed(
        self, client: TestClient, loupe: Loupe, issuer: LocalIssuer
    ) -> None:
        said = loupe("add", "ada", "--name", "Ada Lovelace", "--role", "buyer")
        person = said.rpartition(" ")[2].strip()
        opened = role_of(client, issuer.bearer())
        shown = loupe("list")
        removed = loupe("remove", person)

        assert "Ada Lovelace is in the workspace default as buyer." in said
        assert opened == (200, "buyer")
        assert ("Ada Lovelace" in shown, person in shown) == (True, True)
        assert removed == "Ada Lovelace is removed.\n"
        assert role_of(client, issuer.bearer()) == (403, None)
        assert ["key" in event for event in events(client, "person-removed")] == [False]

    def test_removed_person_comes_back_as_the_same_holder(
        self, client: TestClient, loupe: Loupe, issuer: LocalIssuer
    ) -> None:
        first = loupe("add", "ada").rpartition(" ")[2].strip()
        loupe("remove", first)
        again = loupe("add", "ada", "--role", "planner").rpartition(" ")[2].strip()

        assert again == first
        assert role_of(client, issuer.bearer()) == (200, "planner")
        assert len(listed(client)) == 1

    def test_role_is_changed(self, client: TestClient, loupe: Loupe, issuer: LocalIssuer) -> None:
        person = loupe("add", "ada").rpartition(" ")[2].strip()

        assert loupe("role", person, "finance") == "ada is finance now.\n"
        assert role_of(client, issuer.bearer()) == (200, "finance")

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("add", "a b"), "A subject has 1 to 255 ASCII characters"),
            (("add", "ada", "--role", "king"), "Input should be"),
            (("add", "ada", "--name", "\u202eada"), "A name has 1 to 100 characters"),
            (("add", "ada", "--workspace", "nowhere"), "There is no workspace nowhere"),
            (("remove", "nobodyxx"), "There is no person nobodyxx"),
            (
                ("remove", "nobody"),
                'No person has an id that begins with "nobody". `loupe people list` shows',
            ),
        ],
    )
    def test_wrong_words_end_in_a_sentence(self, loupe: Loupe, words: tuple[str, ...], sentence: str) -> None:
        assert sentence in " ".join(loupe(*words).replace("│", " ").split())

    def test_person_is_in_one_workspace_at_a_time(self, database: Database, loupe: Loupe) -> None:
        with database.sessions.begin() as session:
            create_workspace(session, "north")
        loupe("add", "ada")

        assert "ada is ada of the workspace default" in loupe("add", "ada", "--workspace", "north")

    def test_without_an_issuer_nobody_is_added(self, loupe: Loupe, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("LOUPE_OIDC_ISSUER")

        assert "Set LOUPE_OIDC_ISSUER" in loupe("add", "ada")


class TestTheApi:
    """What an admin of the workspace does over HTTP."""

    def test_people_are_listed_with_role_and_end(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer
    ) -> None:
        key = let_in(database, workspace_id, issuer, Role.BUYER)
        (ada,) = listed(client)
        answer = client.post(f"/v1/people/{ada['id']}/remove").json()

        assert (ada["id"], ada["key"], ada["subject"], ada["role"]) == (key.holder, key.id, "ada", "buyer")
        assert (ada["role_from"], ada["removed_at"]) == ("server", None)
        assert datetime.fromisoformat(answer["removed_at"])
        assert [one["removed_at"] for one in listed(client)] == [answer["removed_at"]]

    def test_another_role_holds_from_the_next_request_on_and_is_logged(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer
    ) -> None:
        key = let_in(database, workspace_id, issuer, Role.BUYER)
        answer = client.post(f"/v1/people/{key.holder}/role", json={"role": "viewer"}).json()
        (event,) = events(client, "person-changed")

        assert (answer["id"], answer["role"], answer["key"] == key.id) == (key.holder, "viewer", False)
        assert role_of(client, issuer.bearer()) == (200, "viewer")
        assert (event["subject"], event["detail"]["role"]) == (key.holder, "viewer")

    def test_same_role_changes_nothing(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer
    ) -> None:
        key = let_in(database, workspace_id, issuer)

        assert client.post(f"/v1/people/{key.holder}/role", json={"role": "viewer"}).json()["key"] == key.id

    @pytest.mark.parametrize("end", ["role", "remove"])
    def test_keys_that_a_person_made_end_with_their_rights(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer, end: str
    ) -> None:
        key = let_in(database, workspace_id, issuer, Role.ADMIN)
        made: dict[str, Json] = {
            role: client.post("/v1/keys", json={"name": role, "role": role}, headers=issuer.bearer()).json()
            for role in ("admin", "viewer")
        }
        sent: dict[str, Any] = {"json": {"role": "buyer"}} if end == "role" else {}
        client.post(f"/v1/people/{key.holder}/{end}", **sent).raise_for_status()
        left = {
            role: client.get("/v1/me", headers={"Authorization": f"Bearer {one['key']}"}).status_code
            for role, one in made.items()
        }

        assert left == {"admin": 401, "viewer": 200 if end == "role" else 401}

    def test_last_admin_stays_unless_confirmed(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer
    ) -> None:
        key = let_in(database, workspace_id, issuer, Role.ADMIN)
        bearer = issuer.bearer()
        own = client.get("/v1/me").json()["key"]["id"]
        client.post("/v1/keys", json={"name": "mine", "role": "admin"}, headers=bearer).raise_for_status()
        client.post(f"/v1/keys/{own}/revoke").raise_for_status()
        refused = [
            client.post(f"/v1/people/{key.holder}/remove", headers=bearer),
            client.post(f"/v1/people/{key.holder}/role", json={"role": "viewer"}, headers=bearer),
        ]
        done = client.post(f"/v1/people/{key.holder}/remove?allow_last=true", headers=bearer)

        assert [code(answer) for answer in refused] == [(409, "last-key")] * 2
        assert done.status_code == 200
        assert role_of(client, bearer) == (403, None)

    def test_removed_person_is_not_found_again(
        self, client: TestClient, database: Database, workspace_id: UUID, issuer: LocalIssuer
    ) -> None:
        key = let_in(database, workspace_id, issuer)
        client.post(f"/v1/people/{key.holder}/remove").raise_for_status()

        assert code(client.post(f"/v1/people/{key.holder}/remove")) == (404, "not-found")


class TestRolesOfTheIssuer:
    """A claim of the token gives workspace and role."""

    @pytest.fixture
    def client(self, signing_in: Settings, database: Database) -> Iterator[TestClient]:
        """Connect to an application that reads roles from the claim `groups`."""
        with database.sessions.begin() as session:
            create_workspace(session, "north")
        roles = {
            "oidc_roles_claim": "groups",
            "oidc_roles": "buyers=default/buyer,readers=default/viewer,northern=north/buyer,lost=south/buyer",
        }
        settings = signing_in.model_copy(update=roles)
        with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
            yield client

    def test_first_token_lets_a_person_in_and_further_ones_write_nothing(
        self, client: TestClient, issuer: LocalIssuer
    ) -> None:
        found = [role_of(client, issuer.bearer(groups=["buyers"])) for _ in range(3)]

        assert found == [(200, "buyer")] * 3
        assert [(one["name"], one["role_from"]) for one in listed(client)] == [("Ada Lovelace", "issuer")]
        assert len(events(client, "person-added")) == 1

    def test_newer_token_changes_the_role_and_an_older_one_does_not_change_it_back(
        self, client: TestClient, issuer: LocalIssuer
    ) -> None:
        now = issuer.claims()["iat"]
        old, new = (
            issuer.bearer(groups=[group], iat=at) for group, at in (("buyers", now), ("readers", now + 1))
        )
        before, after = role_of(client, old), role_of(client, new)
        stale = client.get("/v1/me", headers=old)

        assert (before, after) == ((200, "buyer"), (200, "viewer"))
        assert (code(stale), stale.json()["detail"].split(". ")[1]) == (
            (401, "token-refused"),
            "A newer one has given the person another role or workspace",
        )
        assert role_of(client, new) == (200, "viewer")

    def test_person_moves_to_another_workspace_as_another_holder(
        self, client: TestClient, issuer: LocalIssuer
    ) -> None:
        now = issuer.claims()["iat"]
        client.get("/v1/me", headers=issuer.bearer(groups=["buyers"], iat=now)).raise_for_status()
        moved = client.get("/v1/me", headers=issuer.bearer(groups=["northern"], iat=now + 1)).json()
        (left,) = listed(client)

        assert (moved["workspace"]["name"], left["removed_at"] is None) == ("north", False)
        assert moved["key"]["holder"] != left["id"]

    @pytest.mark.parametrize("groups", [None, [], ["staff"], ["lost"]])
    def test_token_without_a_role_opens_nothing(
        self, client: TestClient, issuer: LocalIssuer, groups: list[str] | None
    ) -> None:
        answer = client.get("/v1/me", headers=issuer.bearer(groups=groups))

        assert code(answer) == (403, "person-unknown")
        assert listed(client) == []

    def test_removed_person_stays_out_although_the_issuer_gives_a_role(
        self, client: TestClient, issuer: LocalIssuer, loupe: Loupe
    ) -> None:
        bearer = issuer.bearer(groups=["buyers"])
        client.get("/v1/me", headers=bearer).raise_for_status()
        (ada,) = listed(client)
        client.post(f"/v1/people/{ada['id']}/remove").raise_for_status()
        refused = client.get("/v1/me", headers=bearer)
        loupe("add", "ada", "--role", "viewer")

        assert (code(refused), "You were removed" in refused.json()["detail"]) == (
            (403, "person-unknown"),
            True,
        )
        assert role_of(client, bearer) == (200, "buyer")

    def test_role_is_changed_at_the_issuer_only(self, client: TestClient, issuer: LocalIssuer) -> None:
        client.get("/v1/me", headers=issuer.bearer(groups=["buyers"])).raise_for_status()
        (ada,) = listed(client)
        refused = client.post(f"/v1/people/{ada['id']}/role", json={"role": "viewer"})

        assert code(refused) == (409, "role-from-issuer")
        assert "groups" in refused.json()["detail"]
