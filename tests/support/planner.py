"""How PostgreSQL would read tables of many rows, whatever it happens to know of the few rows of a test."""

from collections.abc import Mapping

from sqlalchemy import text

from service.database.engine import ALL, Database
from service.database.roles import SERVER

MANY = 1_000_000


def plan_for_many_rows(
    database: Database,
    statement: str,
    values: Mapping[str, object],
    role: str = SERVER,
) -> list[str]:
    """Return the lines of EXPLAIN for a role, as if every table that has rows had a million.

    `database` is the owner's; the role works for the workspace of `values`, for all without one. The planner
    chooses by statistics, and autovacuum may renew them at any moment of a test, so they are set in a
    transaction that is rolled back. A whole table is read only where no index helps. What is asserted must
    not hang on a table without rows.
    """
    with database.sessions() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text(WITHOUT_STATISTICS))
        session.execute(text(WITH_MANY_ROWS), {"many": MANY})
        session.execute(text(f"SET LOCAL ROLE {role}"))
        session.execute(text(f"SET LOCAL loupe.workspace = '{values.get('workspace', ALL)}'"))
        return list(session.scalars(text(f"EXPLAIN {statement}"), dict(values)))


def outside_subplans(plan: list[str]) -> list[str]:
    """Return the lines of a plan that read what is joined, without what is asked of each row."""
    kept, inside = list[str](), -1
    for line in plan:
        indent = len(line) - len(line.lstrip())
        if -1 < inside < indent:
            continue
        inside = indent if line.lstrip().startswith("SubPlan") else -1
        if inside == -1:
            kept.append(line)
    return kept


WITHOUT_STATISTICS = """
DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace IN
    ('public'::regnamespace, 'ledger'::regnamespace))
"""
# The planner multiplies the rows of a page, as counted, with the pages of now. An empty table that was never
# counted (-1) is taken to have ten pages.
WITH_MANY_ROWS = """
UPDATE pg_class SET relpages = pg_relation_size(oid) / 8192, relallvisible = 0,
    reltuples = CASE pg_relation_size(oid) WHEN 0 THEN -1 ELSE :many END
WHERE relkind IN ('r', 'i') AND relnamespace IN ('public'::regnamespace, 'ledger'::regnamespace)
"""
