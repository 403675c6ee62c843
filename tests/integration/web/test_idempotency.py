"""Idempotency keys: a request has one effect and one answer, however often it is sent."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from service.access.repository import create_workspace
from service.database.engine import Database
from service.errors import ConflictError
from service.web.idempotency import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyInvalidError,
    IdempotencyKeyReusedError,
    StoredAnswer,
    fingerprint,
    parse_key,
    remember,
    replay_or_claim,
)

KEY, PRINT = "order-2026-11-22", fingerprint("POST", "/v1/orders", b"{}")


def answer_once(session: Session, workspace_id: UUID, body: object = None) -> StoredAnswer | None:
    """Claim KEY and store an answer, or return the stored answer."""
    stored = replay_or_claim(session, workspace_id, KEY, PRINT)
    if stored is None:
        remember(session, workspace_id, KEY, 201, body)
    return stored


def test_replay_or_claim_replays_the_first_answer(database: Database, workspace_id: UUID) -> None:
    body = {"zebra": 1, "aardvark": [1.5, None, "é"]}  # keys stay in the order they were sent
    with database.sessions.begin() as session:
        first = answer_once(session, workspace_id, body)
    with database.sessions.begin() as session:
        second = answer_once(session, workspace_id)

    assert first is None
    assert second == StoredAnswer(201, body)
    assert second.response().body == b'{"zebra":1,"aardvark":[1.5,null,"\xc3\xa9"]}'
    assert second.response().headers["idempotency-replayed"] == "true"


def test_replay_or_claim_refuses_the_key_of_another_request(database: Database, workspace_id: UUID) -> None:
    with database.sessions.begin() as session:
        answer_once(session, workspace_id)

    with database.sessions.begin() as session, pytest.raises(IdempotencyKeyReusedError):
        replay_or_claim(session, workspace_id, KEY, fingerprint("POST", "/v1/orders", b"{ }"))


def test_replay_or_claim_separates_workspaces(database: Database, workspace_id: UUID) -> None:
    with database.sessions.begin() as session:
        answer_once(session, workspace_id)
        elsewhere = create_workspace(session, "elsewhere").id

        assert answer_once(session, elsewhere) is None


def test_replay_or_claim_leaves_no_claim_of_a_failed_request(database: Database, workspace_id: UUID) -> None:
    def fail() -> None:
        with database.sessions.begin() as session:
            replay_or_claim(session, workspace_id, KEY, PRINT)
            raise ConflictError("The effect failed.")

    with pytest.raises(ConflictError):
        fail()

    with database.sessions.begin() as session:
        assert answer_once(session, workspace_id) is None


def test_replay_or_claim_gives_duplicates_one_effect(database: Database, workspace_id: UUID) -> None:
    start = Barrier(8)

    def send(_number: int) -> StoredAnswer | None:
        start.wait(timeout=30)
        with database.sessions.begin() as session:
            return answer_once(session, workspace_id, "the answer")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    assert answers.count(None) == 1
    assert answers.count(StoredAnswer(201, "the answer")) == 7


def test_replay_or_claim_waits_a_bounded_time(database: Database, workspace_id: UUID) -> None:
    with database.sessions.begin() as first:
        answer_once(first, workspace_id)

        with pytest.raises(IdempotencyKeyInFlightError) as caught, database.sessions.begin() as second:
            answer_once(second, workspace_id)

    assert caught.value.headers == {"Retry-After": "2"}


def test_open_budget_opens_one_budget_per_key(client: TestClient) -> None:
    body = {"name": "Harvest", "limit": {"amount": "500.00", "currency": "USD"}}
    headers = {"Idempotency-Key": '"open-harvest-1"'}

    first, second = (client.post("/v1/budgets", json=body, headers=headers) for _ in range(2))

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["idempotency-replayed"] == "true"
    assert len(client.get("/v1/budgets").json()["items"]) == 1


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("bare-token-1", "bare-token-1"),
        ('"quoted string"', "quoted string"),  # a structured-field string
        (r'"with \" and \\ inside"', r'with " and \ inside'),
        ("x" * 255, "x" * 255),
    ],
)
def test_parse_key_reads_quoted_and_bare_keys(header: str, key: str) -> None:
    assert parse_key(header) == key


@pytest.mark.parametrize("header", ["", "short", '"short"', "x" * 256, "tab\tinside", "naïve-key-1"])
def test_parse_key_refuses_a_key_that_cannot_be_stored(header: str) -> None:
    with pytest.raises(IdempotencyKeyInvalidError):
        parse_key(header)


def test_fingerprint_separates_its_parts() -> None:
    assert fingerprint("a", "bc") != fingerprint("ab", "c")
    assert fingerprint("a", b"bc") == fingerprint("a", "bc")
