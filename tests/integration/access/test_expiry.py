"""Keys that end: expiry, overlap after a rotation, and when a key was last used."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from service.access.keys import id_of
from service.access.notes import Notes
from service.access.tables import ApiKey
from service.app import create_app
from service.database.engine import Database
from service.settings import Settings
from tests.support.databases import KEY
from tests.support.ordering import code

TOMORROW = timedelta(days=1)
Passes = Callable[[str, str], None]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def in_a(span: timedelta) -> str:
    """Return the time after a span from now, as the API reads it."""
    return (datetime.now(UTC) + span).isoformat()


@pytest.fixture
def passes(database: Database) -> Passes:
    """Let the time in a column of a key pass."""

    def pass_(key_id: str, column: str) -> None:
        with database.engine.begin() as connection:
            change = text(f"UPDATE api_key SET {column} = now() - interval '1 s' WHERE id = :id")
            connection.execute(change, {"id": key_id})

    return pass_


def created(client: TestClient, **wanted: Any) -> dict[str, Any]:
    answer = client.post("/v1/keys", json={"name": "temporary", "role": "admin"} | wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_expired_key_is_told_so(client: TestClient, passes: Passes) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    assert client.get("/v1/me", headers=bearer(made["key"])).status_code == 200

    passes(made["id"], "expires_at")
    answer = client.get("/v1/me", headers=bearer(made["key"]))

    assert code(answer) == (401, "key-expired")
    assert answer.headers["www-authenticate"] == 'Bearer realm="loupe"'
    assert f"The key {made['id']} expired at" in answer.json()["detail"]


def test_expired_key_with_another_secret_is_refused_like_any(client: TestClient, passes: Passes) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    passes(made["id"], "expires_at")

    answer = client.get("/v1/me", headers=bearer(made["key"][:-1] + "_"))

    assert code(answer) == (401, "unauthenticated")


def test_expired_key_signs_nobody_in(client: TestClient, passes: Passes) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    client.post("/dashboard/login", data={"key": made["key"]})
    assert client.get("/dashboard/ledger.json").status_code == 200

    passes(made["id"], "expires_at")

    assert client.get("/dashboard/ledger.json").status_code == 401
    assert client.post("/dashboard/login", data={"key": made["key"]}).status_code == 401


@pytest.mark.parametrize(
    ("expires_at", "refusal"),
    [
        ("2020-01-01T00:00:00Z", "expiry-passed"),
        ("2030-01-01", "invalid-request"),
        ("2030-01-01T00:00:00", "invalid-request"),
        ("2030-13-01T00:00:00Z", "invalid-request"),
        (1900000000, "invalid-request"),
        (True, "invalid-request"),
    ],
)
def test_create_refuses_an_impossible_expiry(client: TestClient, expires_at: object, refusal: str) -> None:
    answer = client.post("/v1/keys", json={"name": "x", "expires_at": expires_at})

    assert code(answer) == (422, refusal)
    assert len(client.get("/v1/keys").json()["items"]) == 1


@pytest.mark.parametrize("span", [None, 2 * TOMORROW])
def test_key_that_expires_makes_no_key_that_outlives_it(client: TestClient, span: timedelta | None) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    wanted = {"name": "longer", "expires_at": None if span is None else in_a(span)}

    assert code(client.post("/v1/keys", json=wanted, headers=bearer(made["key"]))) == (403, "key-authority")
    sooner = wanted | {"expires_at": in_a(TOMORROW / 2)}
    assert client.post("/v1/keys", json=sooner, headers=bearer(made["key"])).status_code == 201


def test_rotation_keeps_the_expiry(client: TestClient) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    path, own = f"/v1/keys/{made['id']}/rotate", bearer(made["key"])

    assert code(client.post(path, json={"expires_at": in_a(2 * TOMORROW)}, headers=own)) == (
        403,
        "key-authority",
    )
    assert client.post(path, headers=own).json()["expires_at"] == made["expires_at"]


def test_rotation_refuses_an_expired_key(client: TestClient, passes: Passes) -> None:
    made = created(client, expires_at=in_a(TOMORROW))
    passes(made["id"], "expires_at")

    assert code(client.post(f"/v1/keys/{made['id']}/rotate")) == (409, "key-revoked")


class TestOverlap:
    """A replaced key stays valid for the hours that the rotation gives it."""

    def test_old_and_new_key_are_valid_until_the_overlap_ends(
        self, client: TestClient, passes: Passes
    ) -> None:
        old = created(client)
        new = client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_hours": 24}).json()

        for key in (old, new):
            assert client.get("/v1/me", headers=bearer(key["key"])).status_code == 200
        items = {item["id"]: item for item in client.get("/v1/keys").json()["items"]}
        left = datetime.fromisoformat(items[old["id"]]["revoked_at"]) - datetime.now(UTC)
        assert timedelta(hours=23) < left < timedelta(hours=25)

        passes(old["id"], "revoked_at")
        assert code(client.get("/v1/me", headers=bearer(old["key"]))) == (401, "unauthenticated")

    def test_replaced_key_is_not_replaced_again(self, client: TestClient) -> None:
        old = created(client)
        path = f"/v1/keys/{old['id']}/rotate"

        assert client.post(path, json={"overlap_hours": 1}).status_code == 201
        assert code(client.post(path, json={"overlap_hours": 1})) == (409, "key-revoked")

    def test_revoking_ends_the_overlap(self, client: TestClient) -> None:
        old = created(client)
        client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_hours": 1})

        assert client.post(f"/v1/keys/{old['id']}/revoke").status_code == 200
        assert client.get("/v1/me", headers=bearer(old["key"])).status_code == 401

    @pytest.mark.parametrize("path", ["/v1/keys", "/v1/keys/{other}/rotate"])
    def test_replaced_key_makes_no_key_that_outlives_the_overlap(self, client: TestClient, path: str) -> None:
        """Who has found the old key of an admin would otherwise stay for ever."""
        old, other = created(client), created(client)
        client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_hours": 1})
        path, own = path.format(other=other["id"]), bearer(old["key"])
        wanted = {"name": "longer"} if path == "/v1/keys" else {}

        assert code(client.post(path, json=wanted, headers=own)) == (403, "key-authority")
        sooner = {"expires_at": in_a(timedelta(minutes=30))}
        assert client.post(path, json=wanted | sooner, headers=own).status_code == 201

    def test_replaced_admin_key_does_not_count_as_another(self, client: TestClient) -> None:
        own = client.get("/v1/me").json()["key"]["id"]
        old = created(client)
        new = client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_hours": 1}).json()
        assert client.post(f"/v1/keys/{new['id']}/revoke").status_code == 200

        assert code(client.post(f"/v1/keys/{own}/revoke")) == (409, "last-key")

    def test_expired_admin_key_does_not_count_as_another(self, client: TestClient, passes: Passes) -> None:
        own = client.get("/v1/me").json()["key"]["id"]
        passes(created(client, expires_at=in_a(TOMORROW))["id"], "expires_at")

        assert code(client.post(f"/v1/keys/{own}/revoke")) == (409, "last-key")

    @pytest.mark.parametrize("hours", [-1, 721, "soon", True])
    def test_refuses_an_impossible_overlap(self, client: TestClient, hours: object) -> None:
        answer = client.post(f"/v1/keys/{created(client)['id']}/rotate", json={"overlap_hours": hours})

        assert code(answer) == (422, "invalid-request")


class TestLastUse:
    """The time of the newest request with a key."""

    def test_is_written_when_the_server_stops_and_not_by_a_request(
        self, settings: Settings, database: Database
    ) -> None:
        def last_use() -> datetime | None:
            with database.sessions() as session:
                return session.get_one(ApiKey, id_of(KEY)).last_used_at

        before = datetime.now(UTC)
        with TestClient(create_app(settings), headers=bearer(KEY)) as client:
            assert client.get("/v1/me").status_code == 200
            assert last_use() is None
        written = last_use()

        assert written is not None
        assert before <= written <= datetime.now(UTC)

    def test_is_not_noted_for_a_refused_key(self, client: TestClient, database: Database) -> None:
        notes = Notes()
        client.get("/v1/me", headers=bearer("nobody-has-this-key"))
        notes.write(database)

        with database.sessions() as session:
            assert session.get_one(ApiKey, id_of(KEY)).last_used_at is None

    def test_is_kept_while_the_database_is_away(self, database: Database) -> None:
        notes = Notes()
        notes.use(id_of(KEY))
        with pytest.raises(AttributeError):
            notes.write(None)  # type: ignore[arg-type]
        notes.write(database)

        with database.sessions() as session:
            assert session.get_one(ApiKey, id_of(KEY)).last_used_at is not None
