"""Run migrations in one transaction that waits at most five seconds for a table."""

from importlib import import_module

from alembic import context
from sqlalchemy import ForeignKeyConstraint, Index, create_engine, text
from sqlalchemy.pool import NullPool

from service.database.engine import database_url
from service.database.tables import Base
from service.settings import Settings

# Every module that declares tables: importing them makes `Base.metadata` complete.
for module in (
    "service.access.tables",
    "service.web.tables",
    "service.pricing.tables",
    "service.plans.tables",
    "service.orders.tables",
    "service.invoices.tables",
    "service.classification.tables",
    "service.truth.tables",
    "service.dashboard.tables",
):
    import_module(module)


def is_ours(item: object, name: str | None, _kind: str, _reflected: bool, _compared: object) -> bool:
    """Leave out what rests on the schema `ledger`, which is defined in SQL and not in tables.py."""
    if isinstance(item, ForeignKeyConstraint):
        return item.elements[0].target_fullname.split(".")[0] != "ledger"
    return not (isinstance(item, Index) and (name or "").endswith("_grams"))


def run() -> None:
    url = context.config.attributes.get("url") or database_url(Settings())
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, include_object=is_ours)
        with context.begin_transaction():
            # Two processes that start together take turns.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('loupe.migrations'))"))
            # A migration that waits for a table makes everybody behind it wait too.
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            # Row-level security holds for the owner of the tables too.
            connection.execute(text("SET LOCAL loupe.workspace = '*'"))
            context.run_migrations()
    engine.dispose()


run()
