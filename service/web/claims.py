"""Claims on idempotency keys: who computes the answer, for as long as its server lives.

Only the answer's own row decides which effect counts, so a claim that lapses too early costs a second
computation and never a second effect.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.web.tables import IdempotencyClaim

LEASE = timedelta(seconds=60)
"""Time until a claim lapses that nobody renews: how long the claim of a killed server blocks its key."""
RENEWAL_S = 15.0
"""Seconds between renewals, so that three may fail."""

logger = logging.getLogger(__name__)


def claim_key(session: Session, workspace_id: UUID, key: str) -> bool:
    """Claim a key that nobody claims, or whose claim has lapsed; return False while another claim stands."""
    until = func.clock_timestamp() + LEASE
    claim = insert(IdempotencyClaim).values(workspace_id=workspace_id, key=key, claimed_until=until)
    claim = claim.on_conflict_do_update(
        index_elements=[IdempotencyClaim.workspace_id, IdempotencyClaim.key],
        set_={"claimed_until": claim.excluded.claimed_until},
        where=~_stands(),
    )
    return session.execute(claim.returning(IdempotencyClaim.key)).first() is not None


def has_claim(session: Session, workspace_id: UUID, key: str) -> bool:
    """Return whether a request with this key is computing its answer."""
    claim = select(IdempotencyClaim.key).where(
        IdempotencyClaim.workspace_id == workspace_id,
        IdempotencyClaim.key == key,
        _stands(),
    )
    return session.scalar(claim) is not None


def _stands() -> ColumnElement[bool]:
    """Whether a claim has not lapsed.

    One that ends later than a new one would was made by a clock that was ahead, and binds nobody.
    """
    now = func.clock_timestamp()
    return IdempotencyClaim.claimed_until.between(now, now + LEASE)


@contextmanager
def keep_claim(database: Database, workspace_id: UUID, key: str) -> Iterator[None]:
    """Renew a claim while the block runs, without holding a connection, and give it up afterwards."""
    ended = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(database, workspace_id, key, ended), name="claim", daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()  # else a late renewal could follow the end of the claim
        _set_end(database, workspace_id, key, timedelta())


def _renew(database: Database, workspace_id: UUID, key: str, ended: threading.Event) -> None:
    while not ended.wait(RENEWAL_S):
        _set_end(database, workspace_id, key, LEASE)


def _set_end(database: Database, workspace_id: UUID, key: str, after: timedelta) -> None:
    """Let the claim end `after` now; a database that is away is logged, for the claim lapses by itself."""
    change = update(IdempotencyClaim).where(
        IdempotencyClaim.workspace_id == workspace_id, IdempotencyClaim.key == key
    )
    try:
        with database.sessions.begin() as session:
            session.execute(change.values(claimed_until=func.clock_timestamp() + after))
    except SQLAlchemyError as error:
        logger.warning("cannot renew or end a claim: %s", type(error).__name__)
