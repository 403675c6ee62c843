"""Guards of the ledger and the statement that removes each: constraints, indexes, triggers, function code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.proofs.catalog import Connection, Table, money_tables

CONSTRAINTS = """
    SELECT conname, CASE contype WHEN 'c' THEN 'check' WHEN 'u' THEN 'unique key' WHEN 'p' THEN 'primary key'
        WHEN 'f' THEN 'foreign key' WHEN 'n' THEN 'not null' WHEN 'x' THEN 'exclusion' END
    FROM pg_constraint c WHERE conrelid = %s AND contype <> 't' AND NOT (contype = 'n' AND EXISTS (
        SELECT FROM pg_constraint k
        WHERE k.conrelid = c.conrelid AND k.contype = 'p' AND k.conkey @> c.conkey
    )) AND NOT (contype = 'n' AND EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1] AND attidentity <> ''
    )) ORDER BY contype, conname
"""
UNIQUE_INDEXES = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = %s AND indisunique
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
"""
TRIGGERS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s AND NOT tgisinternal ORDER BY 1"
FUNCTIONS = """
    SELECT proname, pg_get_functiondef(oid), oid::regprocedure::text, proconfig IS NOT NULL FROM pg_proc
    WHERE pronamespace = 'ledger'::regnamespace AND prokind = 'f' ORDER BY proname
"""
BRACKETS = r"\((?:[^()]|\([^()]*\))*\)"
TERM = rf"(?:{BRACKETS}|[\w.:]+(?:{BRACKETS})?)"
CONDITION = rf"{TERM}(?:\s*(?:[-+=]|[<>]=?|<>)\s*{TERM})*"
OPERATORS: tuple[tuple[str, str, str], ...] = (
    ("lock", r"\s+FOR (?:NO KEY |KEY )?(?:UPDATE|SHARE)(?: OF \w+)?", ""),
    ("refusal", r"\bIF\s+(?:(?!\bIF\b|\bTHEN\b)[^;])+?\s+THEN(?=\s+RAISE\b)", "IF false THEN"),
    ("condition", rf"\s+AND\s+{CONDITION}", ""),
    ("strictness", r"\bINTO STRICT\b", "INTO"),
    ("conflict clause", r"\s+ON CONFLICT DO NOTHING", ""),
    ("boundary", r">=", ">"),
    ("boundary", r"<=", "<"),
    ("boundary", r"(?<![<>-])>(?![>=])", ">="),
)


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A guard and the statement that removes it."""

    kind: str
    name: str
    statement: str
    in_code: bool = False


def mutations(connection: Connection) -> list[Mutation]:
    """Return every guard of the money tables and of the functions that write them."""
    tables = money_tables(connection)
    return [*(found for table in tables for found in of_table(connection, table)), *of_functions(connection)]


def of_table(connection: Connection, table: Table) -> Iterator[Mutation]:
    """Yield the table's constraints (with what depends on them), unique indexes and triggers."""
    for name, kind in connection.execute(CONSTRAINTS, (table.oid,)).fetchall():
        drop = f'ALTER TABLE {table.name} DROP CONSTRAINT "{name}" CASCADE'
        yield Mutation(kind=kind, name=name, statement=drop)
    for (name,) in connection.execute(UNIQUE_INDEXES, (table.oid,)).fetchall():
        yield Mutation(kind="unique index", name=name, statement=f"DROP INDEX {name}")
    for (name,) in connection.execute(TRIGGERS, (table.oid,)).fetchall():
        drop = f"DROP TRIGGER {name} ON {table.name}"
        yield Mutation(kind="trigger", name=f"{name} of {table.name}", statement=drop)


def of_functions(connection: Connection) -> Iterator[Mutation]:
    """Yield each lock, refusal, condition and boundary in each function, removed or moved by one."""
    for function, source, signature, has_path in connection.execute(FUNCTIONS).fetchall():
        if has_path:  # without pg_temp at its end, a session's temporary tables come first
            change = f"ALTER FUNCTION {signature} SET search_path TO ledger"
            yield Mutation(kind="search path", name=function, statement=change, in_code=True)
        for kind, pattern, replacement in OPERATORS:
            for found in re.finditer(pattern, source):
                words = " ".join(found[0].split())
                changed = source[: found.start()] + replacement + source[found.end() :]
                name = f"{function}: {context(source, found) if len(words) < 4 else words}"
                yield Mutation(kind=kind, name=name, statement=changed, in_code=True)


def context(source: str, found: re.Match[str]) -> str:
    """Return the line that contains a short guard."""
    start, end = source.rfind("\n", 0, found.start()) + 1, source.find("\n", found.end())
    return " ".join(source[start:end].split())
