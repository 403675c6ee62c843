"""Idempotency keys: a request has one effect, however often it is sent.

An effect and its answer are stored in one transaction, so a key has an answer exactly if its request had its
effect. `store_once` serves requests that are one short transaction; `compute_once` serves those that compute
first. Decision record 15 gives the reasons.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from fastapi import Depends, Header
from fastapi.responses import JSONResponse
from psycopg.errors import LockNotAvailable
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.errors import ConflictError, InvalidInputError, LoupeError
from service.metrics import REPLAYS
from service.web.claims import claim_key, has_claim, keep_claim
from service.web.openapi import REQUIRED
from service.web.tables import IdempotentAnswer

Computed = TypeVar("Computed")


class IdempotencyKeyMissingError(LoupeError):
    """A request that spends money came without an Idempotency-Key."""

    code = "idempotency-key-missing"
    title = "An Idempotency-Key is needed"


class IdempotencyKeyInvalidError(LoupeError):
    """The Idempotency-Key is too short, too long or not printable."""

    code = "idempotency-key-invalid"
    title = "The Idempotency-Key cannot be used"


class IdempotencyKeyReusedError(InvalidInputError):
    """The key was used before with another request."""

    code = "idempotency-key-reused"
    title = "This Idempotency-Key belongs to another request"


class IdempotencyKeyInFlightError(ConflictError):
    """The first request with this key has not been answered yet."""

    code = "idempotency-key-in-flight"
    title = "The first request with this Idempotency-Key is still running"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


@dataclass(frozen=True)
class StoredAnswer:
    """The answer to the first request with a key."""

    status: int
    body: Any

    def response(self) -> JSONResponse:
        """Send the answer again, marked as a replay."""
        REPLAYS.inc()
        return JSONResponse(self.body, self.status, headers={"Idempotency-Replayed": "true"})


@dataclass(frozen=True)
class Answer:
    """An answer to send and, under a key, to store. A replay repeats `status` and `body`."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        """Send the answer for the first time."""
        return JSONResponse(self.body, self.status, headers=dict(self.headers))


@dataclass(frozen=True)
class KeyedRequest:
    """A request with its Idempotency-Key, or None, and the SHA-256 that tells it from other requests."""

    database: Database
    workspace_id: UUID
    key: str | None
    fingerprint: bytes


def store_once(request: KeyedRequest, store: Callable[[Session], Answer]) -> JSONResponse:
    """Answer a request whose whole work is one short transaction.

    A duplicate waits for the first request at most for the lock time-out (2 s).
    Errors: IdempotencyKeyInFlightError, IdempotencyKeyReusedError, and those of `store`.
    """
    with request.database.sessions.begin() as session:
        if request.key is None:
            return store(session).response()
        workspace_id, key = request.workspace_id, request.key
        if stored := replay_or_claim(session, workspace_id, key, request.fingerprint):
            return stored.response()
        answer = store(session)
        remember(session, workspace_id, key, answer.status, answer.body)
    return answer.response()


def compute_once(
    request: KeyedRequest, compute: Callable[[], Computed], store: Callable[[Session, Computed], Answer]
) -> JSONResponse:
    """Answer a request that computes: `compute` runs without a session, `store` in one transaction.

    A duplicate is refused at once while the first request computes. A request that fails gives up its claim,
    so that a repeat is a fresh attempt. The claim of a killed server lapses within a minute.
    Errors: IdempotencyKeyInFlightError, IdempotencyKeyReusedError, and those of `compute` and `store`.
    """

    def compute_and_store() -> JSONResponse:
        computed = compute()
        return store_once(request, lambda session: store(session, computed))

    if request.key is None:
        return compute_and_store()
    if stored := _claim(request, request.key):
        return stored.response()
    with keep_claim(request.database, request.workspace_id, request.key):
        return compute_and_store()


def _claim(request: KeyedRequest, key: str) -> StoredAnswer | None:
    """Return the stored answer, or claim the key until the computation has ended and return None."""
    with request.database.sessions.begin() as session:
        stored = _find_answer(session, request.workspace_id, key, request.fingerprint)
        if stored is None and not claim_key(session, request.workspace_id, key):
            raise _in_flight(key)
        return stored


def replay_or_claim(
    session: Session, workspace_id: UUID, key: str, request_fingerprint: bytes
) -> StoredAnswer | None:
    """Return the stored answer of `key`, or claim the key for this transaction and return None.

    A concurrent duplicate waits for the first to end, at most the session's lock time-out.
    Errors: IdempotencyKeyInFlightError, IdempotencyKeyReusedError.
    """
    claim = insert(IdempotentAnswer).values(
        workspace_id=workspace_id, key=key, fingerprint=request_fingerprint
    )
    try:
        claimed = session.execute(claim.on_conflict_do_nothing().returning(IdempotentAnswer.key)).first()
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise _in_flight(key) from error
        raise
    return None if claimed else _find_answer(session, workspace_id, key, request_fingerprint)


def remember(session: Session, workspace_id: UUID, key: str, status: int, body: Any) -> None:
    """Store the answer of a key that this transaction claimed; `body` is JSON as it was sent."""
    session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.workspace_id == workspace_id, IdempotentAnswer.key == key)
        .values(status=status, body=body)
    )


def is_repeated(session: Session, workspace_id: UUID, key: str) -> bool:
    """Return whether the key was used before: its request has an answer, or is computing it."""
    answer = session.get(IdempotentAnswer, (workspace_id, key))
    return answer is not None or has_claim(session, workspace_id, key)


def stored_answer(session: Session, workspace_id: UUID, key: str) -> StoredAnswer | None:
    """Return the answer that was stored under a key, whatever the request was; None without one."""
    row = session.get(IdempotentAnswer, (workspace_id, key))
    return None if row is None or row.status is None else StoredAnswer(row.status, row.body)


def fingerprint(*parts: str | bytes) -> bytes:
    """Return the SHA-256 of the parts that make two requests the same: method, path, query, body."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)  # lengths keep ("a", "bc") from being ("ab", "c")
    return digest.digest()


def parse_key(header: str) -> str:
    """Read an Idempotency-Key: a structured-field string ("abc...", quoted) or a bare token."""
    quoted = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', header.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header.strip()
    if not re.fullmatch(r"[\x20-\x7e]{8,255}", key):
        raise IdempotencyKeyInvalidError("The key must be 8 to 255 printable ASCII characters long.")
    return key


_ABOUT = (
    "A key of your choice, 8 to 255 printable ASCII characters. A repeated request with the same key has no "
    "second effect and gets the first answer."
)
_PATTERN = r'^([!#-~][ -~]{6,253}[!-~]|"[ !#-\[\]-~]{8,255}")$'
"""A bare key, or one in double quotes."""
_OptionalKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description=_ABOUT, json_schema_extra={"pattern": _PATTERN}),
]
_RequiredKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", description=_ABOUT, json_schema_extra={"pattern": _PATTERN, REQUIRED: True}
    ),
]


def optional_key(idempotency_key: _OptionalKey = None) -> str | None:
    """Return the request's key, or None without one."""
    return None if idempotency_key is None else parse_key(idempotency_key)


def required_key(idempotency_key: _RequiredKey = None) -> str:
    """Return the request's key; IdempotencyKeyMissingError (400) without one."""
    if idempotency_key is None:
        raise IdempotencyKeyMissingError("Send an Idempotency-Key header; this request spends money.")
    return parse_key(idempotency_key)


OptionalKeyDep = Annotated[str | None, Depends(optional_key)]
RequiredKeyDep = Annotated[str, Depends(required_key)]


def _find_answer(
    session: Session, workspace_id: UUID, key: str, request_fingerprint: bytes
) -> StoredAnswer | None:
    row = session.execute(
        select(IdempotentAnswer.fingerprint, IdempotentAnswer.status, IdempotentAnswer.body).where(
            IdempotentAnswer.workspace_id == workspace_id, IdempotentAnswer.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != request_fingerprint:
        raise IdempotencyKeyReusedError("Choose a new key for a new request.", key=key)
    return StoredAnswer(row.status, row.body)


def _in_flight(key: str) -> IdempotencyKeyInFlightError:
    return IdempotencyKeyInFlightError("Send the request again in a moment.", key=key)
