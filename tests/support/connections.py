"""Connections that an application has taken from its pool."""

from sqlalchemy import QueuePool

from service.database.engine import Database


def checked_out(database: Database) -> int:
    """Return how many connections are in use at this moment."""
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()
