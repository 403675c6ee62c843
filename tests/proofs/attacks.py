"""Attacks on the tables as their owner, which only constraints and triggers can refuse.

The attacks are searched, not listed, so that a new constraint needs no new line here. Each attack takes a
valid new row or an existing row of a table and makes one value hostile. Of the attacks that are refused for
the same reason, the first is kept.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.proofs.catalog import Connection, Table, money_tables

ACCEPTED = "accepted"
Row = dict[str, Any]

HOSTILE: dict[str, tuple[Any, ...]] = {
    "bigint": (-1, 0, 1, 10**15, 2 * 10**18),
    "integer": (-1, 0, 1, 999),
    "numeric": (-1, 0, 1),
    "text": ("", "nonsense", "usd", "EUR", "x" * 300),
    "character varying": ("", "nonsense", "usd", "x" * 300),
    "uuid": ("00000000-0000-0000-0000-000000000000",),
    "date": ("1900-01-01", "1900-01-02"),
    "jsonb": ([], {}),
    "integer[]": ([-1], [999]),
}
FRESH = {
    "uuid": "gen_random_uuid()",
    "bytea": "sha256(uuid_send(gen_random_uuid()))",
    "bigint": "(SELECT max({column}) + 1000 FROM {table})",
    "date": "(SELECT max({column}) + interval '1 month' FROM {table})",
    "integer": "(SELECT max({column}) + 1000 FROM {table})",
    "text": "md5(random()::text)",
    "character varying": "md5(random()::text)",
}
"""Expression for a value that no row has, by type."""
PARTNER = "(SELECT {there} FROM {other} WHERE {there} NOT IN (SELECT {column} FROM {table}) LIMIT 1)"
"""Expression for a row that no other row refers to yet."""
NEEDS_A_PARTNER = {
    ("ledger.account", "budget_id"),  # all four kinds of a budget's accounts exist
    ("ledger.month_balance", "account_id"),
}
NEXT = "(SELECT max({column}) + 1 FROM {table} WHERE {counted} = '{value}')"
"""Expression for the next number of a column that counts."""
NUMBERED = {("public.order_status_change", "seq"): "order_id"}
"""Columns that count from 1 without a gap, and the column that says of what."""
WITH_A_STEP = """WITH placed AS ({insert} RETURNING *)
    INSERT INTO public.order_status_change (order_id, seq, status, reason_code, expires_at)
    SELECT id, 1, status, 'placed', expires_at FROM placed"""
COMPANIONS = {'public."order"': WITH_A_STEP}
"""Statement that inserts a row together with another one, without which it is refused."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A statement against a table and the reason why it is refused, or `accepted` for a valid new row."""

    name: str
    query: str
    values: tuple[Any, ...]
    outcome: str


def attempt(connection: Connection, query: str, values: tuple[Any, ...] = ()) -> str:
    """Return why a statement is refused, or `accepted`, and undo the statement."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(query, values)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        return reason(error)
    return ACCEPTED


def reason(error: psycopg.Error) -> str:
    """Return the constraint, the column that may not be null, the trigger's table, or the message."""
    if error.diag.constraint_name:
        return error.diag.constraint_name
    if error.sqlstate == "23502":
        return f"{error.diag.table_name}.{error.diag.column_name} is not null"
    words = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "#", error.diag.message_primary or str(error))
    return f"{error.diag.table_name} is {words}" if words == "append-only" else words


def find_attacks(connection: Connection) -> list[Attack]:
    """Search for attacks in a database that has a few valid rows of every table."""
    return [attack for table in money_tables(connection) for attack in attacks_on(connection, table)]


def attacks_on(connection: Connection, table: Table) -> Iterator[Attack]:
    """Yield one attack for every reason for which the table refuses something, and one valid new row."""
    known = set()
    for name, query, values in statements(connection, table):
        outcome = attempt(connection, query, values)
        verb = name.split()[0]
        if (verb, outcome) not in known and (outcome != ACCEPTED or name.endswith("a valid row")):
            known.add((verb, outcome))
            yield Attack(name=name, query=query, values=values, outcome=outcome)


def statements(connection: Connection, table: Table) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yield every attempt against a table: name, query, values."""
    name, rows = table.name, sample(connection, table)
    record = f"(jsonb_populate_record(NULL::{name}, %s))"
    insert = COMPANIONS.get(name, "{insert}").format(
        insert=f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT {record}.*"
    )
    for _, row in rows:
        # A null is in no unique key, so it needs no other value.
        fresh = freshness(connection, table, row).items()
        valid = row | {column: value for column, value in fresh if row[column] is not None}
        if attempt(connection, insert, (json.dumps(valid),)) != ACCEPTED:
            continue  # a copy of this row does not fit the partner that was found
        yield f"insert into {name} a valid row", insert, (json.dumps(valid),)
        for column, value in changes(table, valid, [row, *(other for _, other in rows)]):
            changed = json.dumps(valid | {column: value})
            yield f"insert into {name} with {column} = {brief(value)}", insert, (changed,)
    ctid, first = rows[0]
    column = next(iter(table.types))
    # Nothing but a trigger refuses a row that stays as it is.
    yield f"update {name} as it is", f'UPDATE {name} SET "{column}" = "{column}" WHERE ctid = %s', (ctid,)
    for column, value in changes(table, first, [other for _, other in rows]):
        update = f'UPDATE {name} SET "{column}" = {record}."{column}" WHERE ctid = %s'
        yield f"update {name} set {column} = {brief(value)}", update, (json.dumps({column: value}), ctid)
    yield f"delete from {name}", f"DELETE FROM {name} WHERE ctid = %s", (ctid,)
    yield f"truncate {name}", f"TRUNCATE {name} CASCADE", ()


def brief(value: Any) -> str:
    """Write a value for a report, with ids and hashes cut short."""
    return (
        "null" if value is None else re.sub(r"([0-9a-f]{8})[0-9a-f-]{10,}", r"\1..", str(value))[:40] or "''"
    )


def sample(connection: Connection, table: Table) -> list[tuple[str, Row]]:
    """Return up to 12 different rows with their ctid: one for each kind and pattern of nulls."""
    differ = "(SELECT string_agg(key, ' ') FROM jsonb_each(to_jsonb(t)) WHERE value = 'null')"
    if "kind" in table.types:
        differ = f"kind, {differ}"
    query = (
        f"SELECT DISTINCT ON ({differ}) ctid::text, to_jsonb(t) FROM {table.name} t ORDER BY {differ}, ctid"
    )
    return connection.execute(query).fetchall()[:12]


def freshness(connection: Connection, table: Table, row: Row) -> Row:
    """Return new values for one column of every unique key of a row."""
    chosen = {choose(table, key) for key in table.unique}
    terms = {
        column: expression(table, column).format(
            column=column,
            table=table.name,
            counted=NUMBERED.get((table.name, column)),
            value=row.get(NUMBERED.get((table.name, column), "")),
            **dict(zip(("other", "there"), table.foreign.get(column, ()), strict=False)),
        )
        for column in chosen
    }
    selected = ", ".join(f"{term} AS {column}" for column, term in terms.items())
    query = f"SELECT to_jsonb(f) FROM (SELECT {selected}) f"
    ((found,),) = connection.execute(query).fetchall()
    return dict(found)


def expression(table: Table, column: str) -> str:
    """Return the pattern of an expression for a new value of a column."""
    if (table.name, column) in NUMBERED:
        return NEXT
    return PARTNER if column in table.foreign else FRESH[table.types[column]]


def choose(table: Table, key: tuple[str, ...]) -> str:
    """Choose the column of a unique key that gets a new value: preferably one that is not a reference."""
    wanted = [column for column in key if (table.name, column) in NEEDS_A_PARTNER]
    own = [column for column in key if column not in table.foreign]
    return (wanted or own or list(key))[0]


def changes(table: Table, row: Row, others: Iterable[Row]) -> Iterator[tuple[str, Any]]:
    """Yield every hostile value for every column: null, extremes, other rows' and other columns' values."""
    for column, kind in table.types.items():
        tried = [None, *HOSTILE.get(kind, ()), *(other[column] for other in others)]
        tried += [row[other] for other, its in table.types.items() if its == kind and other != column]
        seen = [row[column]]
        for value in tried:
            if value not in seen:
                seen.append(value)
                yield column, value
