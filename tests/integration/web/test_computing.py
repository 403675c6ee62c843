"""Requests that compute under an idempotency key: claim, compute without a connection, store once."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.access.tables import Workspace
from service.database.engine import Database
from service.errors import ConflictError
from service.web import claims
from service.web.idempotency import (
    Answer,
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    KeyedRequest,
    compute_once,
    fingerprint,
    store_once,
)
from service.web.tables import IdempotencyClaim
from tests.support.connections import checked_out
from tests.support.waiting import eventually


@pytest.fixture
def request_(database: Database, workspace_id: UUID) -> KeyedRequest:
    return KeyedRequest(database, workspace_id, "a-key-for-a-plan", fingerprint("POST /v1/plans"))


def store(session: Session, name: str) -> Answer:
    """Create a workspace: an effect that can be counted."""
    create_workspace(session, name)
    return Answer(201, {"made": name}, {"Location": f"/{name}"})


def returning(name: str) -> Callable[[], str]:
    return lambda: name


def effects(database: Database) -> set[str]:
    with database.sessions() as session:
        return set(session.scalars(select(Workspace.name))) - {"default"}


def claimed_until(database: Database) -> float:
    with database.sessions() as session:
        return session.scalars(select(IdempotencyClaim.claimed_until)).one().timestamp()


def test_compute_once_replays_the_first_answer(request_: KeyedRequest, database: Database) -> None:
    first = compute_once(request_, returning("one"), store)
    second = compute_once(request_, returning("two"), store)

    assert (first.status_code, first.headers["location"]) == (201, "/one")
    assert (second.status_code, second.body) == (first.status_code, first.body)
    assert second.headers["idempotency-replayed"] == "true"
    assert effects(database) == {"one"}


@pytest.mark.parametrize("key", ["a-key-for-a-plan", None])
def test_compute_once_computes_without_a_connection(
    database: Database, workspace_id: UUID, key: str | None
) -> None:
    request_ = KeyedRequest(database, workspace_id, key, b"")
    connections: list[int] = []

    compute_once(request_, lambda: connections.append(checked_out(database)), lambda *_: Answer(200, 0))

    assert connections == [0]


def test_compute_once_refuses_a_duplicate_while_the_first_computes(
    request_: KeyedRequest, database: Database
) -> None:
    def compute() -> str:
        with pytest.raises(IdempotencyKeyInFlightError) as refused:
            compute_once(request_, returning("duplicate"), store)
        return refused.value.headers["Retry-After"]

    compute_once(request_, compute, store)

    assert effects(database) == {"2"}


def test_compute_once_refuses_another_request_under_an_answered_key(
    request_: KeyedRequest, database: Database, workspace_id: UUID
) -> None:
    compute_once(request_, returning("one"), store)
    other = KeyedRequest(database, workspace_id, request_.key, fingerprint("POST /v1/orders"))

    with pytest.raises(IdempotencyKeyReusedError):
        compute_once(other, returning("two"), store)
    assert effects(database) == {"one"}


def test_failed_computation_leaves_the_key_free(request_: KeyedRequest, database: Database) -> None:
    def fail() -> str:
        raise ConflictError("The computation failed.")

    with pytest.raises(ConflictError):
        compute_once(request_, fail, store)

    assert compute_once(request_, returning("again"), store).status_code == 201
    assert effects(database) == {"again"}


def test_failed_store_leaves_no_effect_and_the_key_free(request_: KeyedRequest, database: Database) -> None:
    def fail(session: Session, name: str) -> Answer:
        store(session, name)
        raise ConflictError("The effect failed.")

    with pytest.raises(ConflictError):
        compute_once(request_, returning("failed"), fail)

    compute_once(request_, returning("again"), store)
    assert effects(database) == {"again"}


@pytest.mark.parametrize("later", [-claims.LEASE, timedelta(hours=6)], ids=["lapsed", "by a clock ahead"])
def test_claim_that_nobody_renews_lapses(
    request_: KeyedRequest, database: Database, workspace_id: UUID, later: timedelta
) -> None:
    """The claim of a killed server blocks the key only until it lapses, however the clock was moved."""
    with database.sessions.begin() as session:
        assert claims.claim_key(session, workspace_id, "a-key-for-a-plan")
    with pytest.raises(IdempotencyKeyInFlightError):
        compute_once(request_, returning("too early"), store)

    with database.sessions.begin() as session:
        session.execute(update(IdempotencyClaim).values(claimed_until=IdempotencyClaim.claimed_until + later))

    assert compute_once(request_, returning("later"), store).status_code == 201
    assert effects(database) == {"later"}


def test_claim_is_renewed_while_its_request_computes(
    request_: KeyedRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWAL_S", 0.01)

    def compute() -> str:
        first = claimed_until(database)
        eventually(lambda: claimed_until(database) > first)
        return "renewed"

    compute_once(request_, compute, store)

    assert effects(database) == {"renewed"}


def test_only_one_of_two_computations_has_an_effect(request_: KeyedRequest, database: Database) -> None:
    """The claim of a server that hung for a minute lapses, and another request answers first."""

    def compute() -> str:
        with database.sessions.begin() as session:
            session.execute(
                update(IdempotencyClaim).values(
                    claimed_until=IdempotencyClaim.claimed_until - timedelta(hours=1)
                )
            )
        compute_once(request_, returning("first"), store)
        return "late"

    answer = compute_once(request_, compute, store)

    assert answer.body == b'{"made":"first"}'
    assert answer.headers["idempotency-replayed"] == "true"
    assert effects(database) == {"first"}


def test_store_once_without_a_key_stores_every_time(database: Database, workspace_id: UUID) -> None:
    request_ = KeyedRequest(database, workspace_id, None, b"")

    store_once(request_, lambda session: store(session, "one"))
    store_once(request_, lambda session: store(session, "two"))

    assert effects(database) == {"one", "two"}
