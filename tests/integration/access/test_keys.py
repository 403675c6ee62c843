"""Keys: who holds one is let in, and nobody else learns anything."""

import logging
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from service.access.ending import Rotation, close_key, replace_key
from service.access.keys import digest, id_of, new_key
from service.access.operator_key import FirstKey, ensure_first_key
from service.access.repository import (
    Caller,
    authenticate,
    create_key,
    create_workspace,
    issue_key,
)
from service.access.roles import Role
from service.access.tables import ApiKey, Workspace
from service.database.engine import Database
from service.errors import UnauthenticatedError
from service.pricing.tables import PriceList

PROTECTED = "/v1/budgets"


def make_key(session: Session, workspace: str = "other") -> tuple[str, UUID]:
    """Create a key of a new workspace; return both."""
    row = create_workspace(session, workspace)
    return create_key(session, row, "test"), row.id


def test_authenticate_returns_the_workspace_of_a_key(database: Database) -> None:
    with database.sessions.begin() as session:
        key, workspace_id = make_key(session)

        assert authenticate(session, key) == Caller(workspace_id, key[6:14], key[6:14], Role.ADMIN)


def test_authenticate_refuses_a_revoked_key(database: Database) -> None:
    with database.sessions.begin() as session:
        key, workspace_id = make_key(session)
        close_key(session, workspace_id, key[6:14], None, allow_last=True)

    with database.sessions.begin() as session, pytest.raises(UnauthenticatedError):
        authenticate(session, key)


def test_authenticate_refuses_another_secret(database: Database) -> None:
    with database.sessions.begin() as session:
        key, _ = make_key(session)

        with pytest.raises(UnauthenticatedError):
            authenticate(session, key[:15] + new_key()[15:])


def test_create_key_stores_only_the_digest(database: Database) -> None:
    with database.sessions.begin() as session:
        key, _ = make_key(session)
        row = session.get_one(ApiKey, key[6:14])

        assert row.digest == digest(key)
        assert key[15:] not in repr(vars(row))


def test_every_refusal_of_a_key_is_the_same(client: TestClient, database: Database) -> None:
    with database.sessions.begin() as session:
        revoked, workspace_id = make_key(session)
        close_key(session, workspace_id, revoked[6:14], None, allow_last=True)
    del client.headers["Authorization"]
    given = [
        b"",
        b"Bearer ",
        b"Bearer nobody-has-this-key",
        f"Bearer {new_key()}".encode(),
        f"Bearer {revoked}".encode(),
        b"Basic dXNlcjpwYXNz",
        "Bearer clé-inconnue".encode(),
    ]

    answers = [
        client.get(PROTECTED, headers={b"X-Request-ID": b"same"} | ({b"Authorization": one} if one else {}))
        for one in given
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="loupe"'}


def test_key_is_never_logged(
    client: TestClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with database.sessions.begin() as session:
        key, _ = make_key(session)

    assert client.get(PROTECTED, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert client.get(PROTECTED, headers={"Authorization": f"Bearer {key[:-1]}"}).status_code == 401
    assert key[15:-1] not in caplog.text


class TestTheFirstKey:
    """The key of a first start; the template database already has one, so it is removed."""

    @pytest.fixture
    def session(self, database: Database) -> Session:
        with database.sessions.begin() as session:
            # Price lists are append-only and belong to the workspace; a superuser can skip both rules.
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in (PriceList, ApiKey, Workspace):
                session.execute(delete(table))
            session.execute(text("DELETE FROM ledger.evidence"))
            session.execute(text("DELETE FROM ledger.chain"))
        return database.sessions()

    def test_first_key_is_made_once(self, session: Session) -> None:
        with session.begin():
            key = ensure_first_key(session, None).made
            again = ensure_first_key(session, None).made

            assert key is not None
            assert again is None
            assert authenticate(session, key).key_id == key[6:14]

    def test_first_key_is_the_operators_if_it_is_set(self, session: Session) -> None:
        with session.begin():
            printed = [ensure_first_key(session, "an-operators-own-key") for _ in range(2)]

            assert printed == [FirstKey(), FirstKey()]
            assert session.scalar(select(func.count()).select_from(ApiKey)) == 1
            authenticate(session, "an-operators-own-key")

    def test_operators_key_joins_existing_keys(self, session: Session) -> None:
        with session.begin():
            first = ensure_first_key(session, None).made
            ensure_first_key(session, "an-operators-own-key")

            assert first is not None
            assert authenticate(session, first).workspace_id == (
                authenticate(session, "an-operators-own-key").workspace_id
            )

    def test_revoked_first_key_stays_revoked(self, session: Session) -> None:
        """Another start does not reopen a revoked key."""
        with session.begin():
            ensure_first_key(session, "an-operators-own-key")
            row = session.scalars(select(ApiKey)).one()
            close_key(session, row.workspace_id, row.id, None, allow_last=True)
            session.flush()

            assert ensure_first_key(session, "an-operators-own-key") == FirstKey(closed=row.id)
            with pytest.raises(UnauthenticatedError):
                authenticate(session, "an-operators-own-key")

    def test_another_operators_key_retires_the_former_and_keeps_its_holder(self, session: Session) -> None:
        with session.begin():
            ensure_first_key(session, "an-operators-own-key")
            former = session.get_one(ApiKey, id_of("an-operators-own-key"))
            further = Caller(former.workspace_id, former.id, former.holder, Role.ADMIN)
            kept, _ = issue_key(session, further, "operator", Role.ADMIN, None)

            assert ensure_first_key(session, "an-operators-second-key") == FirstKey(retired=(former.id,))
            with pytest.raises(UnauthenticatedError):
                authenticate(session, "an-operators-own-key")
            assert authenticate(session, kept).holder == former.id
            assert authenticate(session, "an-operators-second-key").holder == former.id

    def test_rotated_operators_key_is_retired_too(self, session: Session) -> None:
        with session.begin():
            ensure_first_key(session, "an-operators-own-key")
            old = session.get_one(ApiKey, id_of("an-operators-own-key"))
            _, new = replace_key(session, old.workspace_id, old.id, None, Rotation())

            assert ensure_first_key(session, "an-operators-second-key").retired == (new.id,)

    def test_made_key_that_becomes_the_operators_retires_the_former(self, session: Session) -> None:
        with session.begin():
            made = ensure_first_key(session, None).made
            assert made is not None
            ensure_first_key(session, "an-operators-own-key")

            assert ensure_first_key(session, made).retired == (id_of("an-operators-own-key"),)
            assert ensure_first_key(session, "an-operators-second-key").retired == (id_of(made),)

    def test_closed_operators_key_retires_nothing(self, session: Session) -> None:
        with session.begin():
            ensure_first_key(session, "an-operators-own-key")
            ensure_first_key(session, "an-operators-second-key")

            assert ensure_first_key(session, "an-operators-own-key").retired == ()
            authenticate(session, "an-operators-second-key")
