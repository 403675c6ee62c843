"""Measured, not proved: money calls per second at 1, 8 and 32 connections against a single-row insert.

A money call does what a request does: claim the key, reserve, store the answer, commit, and flush as a
`DurableConnection` does. pgbench sends both, so that the client costs almost nothing, and they take turns, so
that both run under the same load. The first second of a run is not counted: its backends are new.
"""

import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from statistics import mean, median
from tempfile import NamedTemporaryFile

from sqlalchemy import text

from service.database.engine import Database
from service.ledger.audit import audit_ledger
from tests.proofs.books import open_books, open_budget
from tests.proofs.proof import Laboratory, Proof
from tests.support.databases import connected

CONNECTIONS, REPEATS = (1, 8, 32), 5
WARM_UP, SECONDS = 1, 2
INSERT = "INSERT INTO single (kind, amount, payload) VALUES ('purchase', 125, '{}');"
CALL = """
\\set lane :client_id * :apart
SELECT workspace, budget, gen_random_uuid() AS key FROM lane WHERE client = :lane \\gset
BEGIN;
INSERT INTO idempotency (workspace_id, key, fingerprint) VALUES (:workspace, :key, '') ON CONFLICT DO NOTHING;
SELECT ledger.reserve(:workspace, :budget, 1, :key);
UPDATE idempotency SET status = 201, body = '{}' WHERE workspace_id = :workspace AND key = :key;
\\startpipeline
SELECT set_config('synchronous_commit', 'off', true) WHERE current_setting('synchronous_standby_names') = '';
COMMIT;
\\endpipeline
SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn() AS unwritten \\gset
\\if :unwritten
SELECT pg_logical_emit_message(true, 'loupe', '');
\\endif
"""
RUNS = {"insert": (INSERT, 0), "one workspace": (CALL, 0), "a workspace each": (CALL, 1)}


def measure_rates(laboratory: Laboratory, repeats: int = REPEATS) -> Proof:
    """Measure every load at every number of connections in turns; report medians and ratios to the insert."""
    pgbench = laboratory.setting("setting FROM pg_config WHERE name = 'BINDIR'") + "/pgbench"
    rates: dict[tuple[int, str], list[float]] = defaultdict(list)
    with laboratory.database() as url, connected(url, 1) as (database,):
        prepare(database)
        for repeat, connections, name in product(range(repeats), CONNECTIONS, RUNS):
            laboratory.tell(f"repeat {repeat + 1} of {repeats}, {connections} connections, {name}")
            rates[connections, name].append(run(pgbench, url, name, connections))
        with database.sessions() as session:
            broken = [f"{finding.rule}: {finding.subject}" for finding in audit_ledger(session)]
            calls = session.execute(text("SELECT count(*) FROM idempotency")).scalar_one()
    return Proof(
        claim="money calls per second against single-row inserts in the same run",
        figures={"repeats": repeats, "seconds each": SECONDS, "calls": calls, "violations": len(broken)},
        against=tuple(broken),
        titles=("connections", *(f"{name}/s" for name in RUNS), "ratio", "ratio, a workspace each"),
        details=tuple(row(connections, rates) for connections in CONNECTIONS),
    )


def prepare(database: Database) -> None:
    """Make a plain table, and a workspace with a budget for every connection."""
    with database.sessions.begin() as session:
        session.execute(
            text("CREATE TABLE single (id bigserial PRIMARY KEY, kind text, amount bigint, payload jsonb)")
        )
        session.execute(text("CREATE TABLE lane (client integer PRIMARY KEY, workspace uuid, budget uuid)"))
    for client in range(max(CONNECTIONS)):
        books = open_books(database, f"lane {client}")
        with database.sessions.begin() as session:
            budget = open_budget(session, books.workspace, "lane", 10**12)
            lane = {"client": client, "workspace": books.workspace, "budget": budget}
            session.execute(text("INSERT INTO lane VALUES (:client, :workspace, :budget)"), lane)


def run(pgbench: str, url: str, name: str, connections: int) -> float:
    """Return the transactions per second after the warm-up. A failing statement raises an error."""
    script, apart = RUNS[name]
    target = url.replace("postgresql+psycopg://", "postgresql://")
    with NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [pgbench, "-n", "-M", "prepared", "-D", f"apart={apart}", "-c", str(connections), "-j", "2",
             "-T", str(WARM_UP + SECONDS), "-P", str(WARM_UP), "-f", file.name, target],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    _, *rates = re.findall(r"progress: .* s, ([\d.]+) tps", done.stderr)
    return mean(map(float, rates))


def row(connections: int, rates: Mapping[tuple[int, str], list[float]]) -> tuple[str, ...]:
    """Return the medians for one number of connections and their ratios to the insert's."""
    insert, *calls = (median(rates[connections, name]) for name in RUNS)
    ratios = (f"{rate / insert:.3f}" for rate in calls)
    return (str(connections), *(f"{rate:.0f}" for rate in (insert, *calls)), *ratios)
