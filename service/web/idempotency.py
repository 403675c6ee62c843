"""Idempotency keys: a request that spends money has one effect however often it is sent.

The key is claimed in the transaction of its effect: a request that fails leaves no claim, and
repeating it is a fresh attempt. After success the stored answer is replayed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Depends, Header
from fastapi.responses import JSONResponse
from psycopg.errors import LockNotAvailable
from sqlalchemy import JSON, CheckConstraint, ForeignKey, LargeBinary, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from service.database.tables import Base
from service.errors import ConflictError, InvalidInputError, LoupeError


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


class IdempotentAnswer(Base):
    """What a key was answered; `status` and `body` are set in the transaction that claims the key."""

    __tablename__ = "idempotency"
    __table_args__ = (CheckConstraint("length(key) BETWEEN 8 AND 255", name="key_length"),)

    workspace_id: Mapped[UUID] = mapped_column(
        ForeignKey("workspace.id", ondelete="RESTRICT"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of the request
    status: Mapped[int | None]
    body: Mapped[Any | None] = mapped_column(JSON)  # text, so that a replay has the same order
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class StoredAnswer:
    """The answer that a key was given the first time."""

    status: int
    body: Any

    def response(self) -> JSONResponse:
        """Send it again, marked as a replay."""
        return JSONResponse(self.body, self.status, headers={"Idempotency-Replayed": "true"})


def fingerprint(*parts: str | bytes) -> bytes:
    """SHA-256 of the parts that make two requests the same: method, path, query, body."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)  # lengths keep ("a", "bc") from being ("ab", "c")
    return digest.digest()


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
            raise IdempotencyKeyInFlightError("Ask again in a moment.", key=key) from error
        raise
    return None if claimed else _stored(session, workspace_id, key, request_fingerprint)


def _stored(session: Session, workspace_id: UUID, key: str, request_fingerprint: bytes) -> StoredAnswer:
    row = session.execute(
        select(IdempotentAnswer.fingerprint, IdempotentAnswer.status, IdempotentAnswer.body).where(
            IdempotentAnswer.workspace_id == workspace_id, IdempotentAnswer.key == key
        )
    ).one()
    if row.fingerprint != request_fingerprint:
        raise IdempotencyKeyReusedError("Choose a new key for a new request.", key=key)
    return StoredAnswer(row.status, row.body)


def remember(session: Session, workspace_id: UUID, key: str, status: int, body: Any) -> None:
    """Store the answer of a claimed key; `body` is JSON as it was sent."""
    session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.workspace_id == workspace_id, IdempotentAnswer.key == key)
        .values(status=status, body=body)
    )


def parse_key(header: str) -> str:
    """Read an Idempotency-Key: a structured-field string ("abc...", quoted) or a bare token."""
    quoted = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', header.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header.strip()
    if not re.fullmatch(r"[\x20-\x7e]{8,255}", key):
        raise IdempotencyKeyInvalidError("The key is 8 to 255 printable ASCII characters long.")
    return key


_KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key", description="8 to 255 characters")]


def optional_key(idempotency_key: _KeyHeader = None) -> str | None:
    """Return the request's key, if it has one."""
    return None if idempotency_key is None else parse_key(idempotency_key)


def required_key(idempotency_key: _KeyHeader = None) -> str:
    """Return the request's key; IdempotencyKeyMissingError (400) without one."""
    if idempotency_key is None:
        raise IdempotencyKeyMissingError("Send an Idempotency-Key header; this request spends money.")
    return parse_key(idempotency_key)


OptionalKeyDep = Annotated[str | None, Depends(optional_key)]
RequiredKeyDep = Annotated[str, Depends(required_key)]
