"""`service/ledger/schema.sql` describes what the migrations make, and migrations never change."""

import hashlib
from collections.abc import Iterator

import pytest
from sqlalchemy import text

import service.app  # noqa: F401  (imports every module that declares tables)
from service.database.engine import MIGRATIONS, Database, connect
from service.database.tables import Base
from tests.support.catalogs import catalog_of
from tests.support.databases import administer, url_of

SCHEMA = MIGRATIONS.parent / "service" / "ledger" / "schema.sql"
FROZEN = {
    "2026-11-22-1700_first_schema.py": "7e5a67b7f3c06069",
    "2026-11-22-1700_ledger.sql": "94be312b067fdd07",
    "2026-11-24-1700_price_rules.py": "88e75ce4273e8aeb",
    "2026-11-24-1800_superseded_plans.py": "060a7a92b967accb",
    "2026-11-24-2200_budget_terms.py": "afb52edfc222f0a9",
    "2026-11-24-2200_budget_terms.sql": "1d67fb0eb9e7c80e",
    "2026-11-24-2300_roles.py": "d3ffdc4671988d85",
    "2026-11-24-2300_roles.sql": "7472164c63e945aa",
    "2026-11-28-1000_idempotency_claims.py": "4cb7e5aebe7ccb79",
    "2026-11-28-1030_key_holders.py": "79f6e220198054ed",
    "2026-11-28-1100_refusal_codes.py": "b1a7e67f8443d297",
    "2026-11-28-1100_refusal_codes.sql": "615d2654d200bbd5",
    "2026-11-28-1400_delivery_bands.py": "287f4654e698300a",
    "2026-11-28-1410_delivered_files.py": "28076d515d2f0c2d",
    "2026-11-28-1420_reused_ground.py": "89a1515e31a40ad2",
    "2026-11-28-1730_currency_decimals.py": "6e9951b4a1b84d0a",
    "2026-11-28-1740_delivered_parts.py": "46155b6bc20806dc",
    "2026-11-28-2100_plans_that_count.py": "3e21d8bd89ca1dcb",
    "2026-11-28-2330_next_rounds.py": "e56198580cf0e130",
    "2026-11-29-0330_evidence.py": "6d0e2d55e18b04c8",
    "2026-11-29-0330_evidence.sql": "77d1269bff7aaeb5",
    "2026-11-29-0400_final_bills.py": "40a30675ce94787a",
    "2026-11-29-0400_final_bills.sql": "103eb965943f35c2",
    "2026-11-29-0500_invoices.py": "1e8cefae637cf779",
    "2026-11-29-0500_invoices.sql": "5a168d90feed28b4",
    "2026-11-29-1200_order_labels.py": "4c8a9eb8cecc1561",
    "2026-11-29-1200_order_labels.sql": "78bf8d544afd6f52",
    "2026-11-29-1220_deadlines.py": "8b8ff6aaad54c8e5",
    "2026-11-29-1220_deadlines.sql": "9311eca1244970a3",
    "2026-11-29-1330_true_labels.py": "95ac74598cbf31b3",
    "2026-11-29-1330_true_labels.sql": "d583d11cf1729f6a",
    "2026-11-29-1340_proposals.py": "b021252cbb775b6e",
    "2026-11-29-1340_proposals.sql": "f8638fae0ed8494d",
    "2026-11-29-1400_late_bills.py": "945b069899a3e3f3",
    "2026-11-29-1400_late_bills.sql": "afc761a4564b6ba6",
    "2026-11-29-1420_unapproved_window.py": "b66bfcc73f4d8768",
    "2026-11-29-1420_unapproved_window.sql": "987df03b947116f8",
    "2026-11-29-1430_closed_months.py": "119640dfa8ff5220",
    "2026-11-29-1430_closed_months.sql": "246dd798dd49ca4b",
    "2026-11-29-1500_late_approvals.py": "56180b011a809526",
    "2026-11-29-1500_late_approvals.sql": "e054023cc0f3c489",
    "2026-11-29-1830_key_roles.py": "743fcab3fd91d65b",
    "2026-11-29-1830_key_roles.sql": "bf81cdb6dbcccd5d",
    "2026-11-29-1850_audit_events.py": "0496e2b951825e77",
    "2026-11-29-1900_dashboard_sessions.py": "75df159a2c3dde0f",
    "2026-11-29-1900_jobs.py": "bd3bfffb3e2ec73b",
    "2026-11-29-1910_queue.py": "da15c29f1c6c840b",
    "2026-11-29-1910_queue.sql": "acd1b4e730967146",
    "2026-11-29-1930_delegations.py": "7085bf06606ca271",
    "2026-11-29-1930_delegations.sql": "a432c8d7229d456a",
    "2026-11-29-1940_row_security.py": "0c88c085c76ea3a4",
    "2026-11-29-1940_row_security.sql": "577d895ee5ca80d3",
    "2026-11-29-2005_final_answers.py": "21c7f702b71a8f8c",
    "2026-11-29-2005_final_answers.sql": "275ae58be19a74ed",
    "2026-11-29-2235_ended_jobs.py": "f3f303d551ce16cd",
    "2026-11-29-2235_ended_jobs.sql": "3172eb1a3548d9f6",
    "2026-11-29-2310_deleted_pixels.py": "d9cba5435bfb728c",
    "2026-11-29-2310_deleted_pixels.sql": "f30280762c851130",
    "2026-11-29-2345_people.py": "736bdcdd0218da6a",
    "2026-11-29-2345_people.sql": "eca38dd352bf4118",
    "2026-11-30-0355_ways_around.py": "67328207e5946872",
    "2026-11-30-0355_ways_around.sql": "db847d019510bfbf",
    "2026-11-30-0430_indexes.py": "5d651eba7bdc6b09",
    "2026-11-30-0450_names.py": "073cd70c746936fd",
    "2026-11-30-0450_names.sql": "983cfce1f5684ff4",
    "2026-11-30-0500_order_limits.py": "438c98fc5efa9405",
    "2026-11-30-0900_history_of_orders.py": "e8f374e9a3d631fc",
    "2026-11-30-0900_history_of_orders.sql": "eb0246b3af508011",
    "2026-11-30-0920_evidence_of_orders.py": "0bc1141fd49e7da0",
    "2026-11-30-0930_text_search.py": "fd825e97324bd387",
    "2026-11-30-0930_text_search.sql": "7270d8d82dce644f",
    "2026-11-30-1530_plans_of_scenes.py": "8466f0d12d5d0d82",
    "2026-11-30-1545_plans_that_buy_nothing.py": "5fd7829a2b895217",
    "2026-11-30-2300_plans_that_can_be_ordered.py": "af565293b9979247",
}
"""SHA-256 of every migration file, its first 16 digits. A new file gets a line; an old one never changes."""


@pytest.fixture
def written(server: str) -> Iterator[Database]:
    """Make a database from the declared tables and schema.sql, without a migration."""
    name = "written_schema"
    administer(server, f"CREATE DATABASE {name}")
    database = connect(url_of(server, name))
    with database.engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execution_options(no_parameters=True).exec_driver_sql(SCHEMA.read_text())
    yield database
    database.engine.dispose()
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def test_schema_file_describes_what_migrations_make(written: Database, database: Database) -> None:
    with written.sessions() as one, database.sessions() as other:
        described, migrated = catalog_of(one), catalog_of(other)

    assert described - migrated == set()
    assert migrated - described == set()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ledger.hold ADD COLUMN note text",
        "ALTER TABLE ledger.hold ALTER COLUMN settled SET DEFAULT 1",
        "ALTER TABLE ledger.hold ALTER COLUMN settled DROP NOT NULL",
        "ALTER TABLE ledger.hold DROP CONSTRAINT hold_never_exceeded",
        'ALTER TABLE "order" DROP CONSTRAINT fk_order_hold',
        "DROP INDEX ledger.transfer_hold",
        "DROP TRIGGER append_only ON plan",
        "ALTER TABLE plan DISABLE TRIGGER append_only",
        "ALTER VIEW ledger.order_money OWNER TO postgres",
        "CREATE OR REPLACE VIEW ledger.violations (invariant, subject) AS SELECT ''::text, ''::text",
        "ALTER FUNCTION ledger.post SECURITY DEFINER",
        "ALTER FUNCTION ledger.post RESET search_path",
        "ALTER FUNCTION ledger.today OWNER TO postgres",
        "GRANT EXECUTE ON FUNCTION ledger.post TO loupe_app",
        "GRANT DELETE ON scene TO loupe_app",
        "GRANT UPDATE (tiles) ON plan TO loupe_app",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "INSERT INTO ledger.movement VALUES ('gift', 'funding', 'spent')",
        "CREATE OR REPLACE FUNCTION ledger.today() RETURNS date LANGUAGE sql STABLE AS 'SELECT current_date'",
    ],
)
def test_catalog_shows_every_kind_of_difference(database: Database, change: str) -> None:
    with database.sessions() as session:
        before = catalog_of(session)
        session.execute(text(change))

        assert catalog_of(session) != before
        session.rollback()


def test_migrations_never_change() -> None:
    files = sorted((MIGRATIONS / "versions").glob("*.*"))

    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files} == FROZEN
