"""Tables that keep money, read from PostgreSQL's catalog, so that no proof lists them by hand."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

TABLES = """
    SELECT c.oid, n.nspname || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND (n.nspname = 'ledger' OR n.nspname = 'public' AND (
        c.relname IN ('order', 'idempotency') OR EXISTS (
            SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND p.pronamespace = 'ledger'::regnamespace)))
    ORDER BY 2
"""
COLUMNS = """
    SELECT attrelid, attname, format_type(atttypid, NULL) FROM pg_attribute
    WHERE attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
UNIQUE_KEYS = """
    SELECT i.indrelid, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indisunique GROUP BY i.indexrelid, i.indrelid
"""
FOREIGN_KEYS = """
    SELECT c.conrelid, a.attname, c.confrelid::regclass::text, f.attname
    FROM pg_constraint c, unnest(c.conkey, c.confkey) AS pair (here, there)
    JOIN pg_attribute a ON a.attnum = here JOIN pg_attribute f ON f.attnum = there
    WHERE c.contype = 'f' AND a.attrelid = c.conrelid AND f.attrelid = c.confrelid
    ORDER BY cardinality(c.conkey)
"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: types by column, columns of every unique key, and the target of each foreign column."""

    oid: int
    name: str
    types: dict[str, str]
    unique: tuple[tuple[str, ...], ...]
    foreign: dict[str, tuple[str, str]]  # column -> table, column


def money_tables(connection: Connection) -> list[Table]:
    """Return the ledger's tables, those that its triggers guard, and those that link them to requests."""
    types: dict[int, dict[str, str]] = defaultdict(dict)
    for oid, column, kind in connection.execute(COLUMNS):
        types[oid][column] = kind
    unique: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for oid, columns in connection.execute(UNIQUE_KEYS):
        unique[oid].append(tuple(columns))
    foreign: dict[int, dict[str, tuple[str, str]]] = defaultdict(dict)
    for oid, column, table, there in connection.execute(FOREIGN_KEYS):
        foreign[oid].setdefault(column, (table, there))
    return [
        Table(oid=oid, name=name, types=types[oid], unique=tuple(unique[oid]), foreign=foreign[oid])
        for oid, name in connection.execute(TABLES).fetchall()
    ]
