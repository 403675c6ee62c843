"""Metrics for Prometheus on a port of their own: those of the process, and the state of the database."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from shutil import disk_usage
from typing import Any

import torch
from fastapi.concurrency import run_in_threadpool
from prometheus_client import start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.database.engine import Database
from service.ledger.publishing import published_files
from service.ledger.repository import violations
from service.metrics import LEDGER_CHECKED, LEDGER_VIOLATIONS, REGISTRY
from service.settings import Settings

logger = logging.getLogger(__name__)

CHECK_S = 600.0
"""Seconds between two checks of the ledger."""
_ASKED = "SET LOCAL statement_timeout = '5s'"
_CHECKING = "SET LOCAL statement_timeout = '300s'"
_MOVED = """
    SELECT kind, currency, count(*) AS transfers, sum(amount) AS minor, extract(epoch FROM max(at)) AS last
    FROM ledger.transfer GROUP BY kind, currency
"""
_BALANCES = "SELECT kind, currency, sum(balance) AS minor FROM ledger.account GROUP BY kind, currency"
_ORDERS = """
    SELECT status, count(*) AS orders, extract(epoch FROM min(created_at)) AS oldest
    FROM public."order" GROUP BY status
"""
_JOBS = "SELECT status, count(*) AS jobs, sum(attempts) AS attempts FROM public.job GROUP BY status"
_OPEN = frozenset({"held", "accepted", "processing"})
"""Statuses of an order that holds money."""


@contextmanager
def metrics_server(settings: Settings) -> Iterator[None]:
    """Answer scrapes during the block, if the settings name a port. OSError if it is not free."""
    if settings.metrics_port is None:
        yield
        return
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host, REGISTRY)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def showing_state(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Let scrapes see database, disk and device during the block, and check the ledger now and then."""
    if settings.metrics_port is None:
        yield
        return
    collector = StateCollector(database, settings)
    REGISTRY.register(collector)
    checking = asyncio.create_task(_check_again_and_again(database))
    try:
        yield
    finally:
        checking.cancel()
        REGISTRY.unregister(collector)


@dataclass(frozen=True)
class StateCollector(Collector):
    """The state of the service at the moment of a scrape. `database` sees all workspaces."""

    database: Database
    settings: Settings

    def describe(self) -> Iterable[Metric]:
        """Name nothing: registering asks no database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read everything once. Without the database only what needs none is left."""
        yield _gauge("loupe_disk_free_bytes", "Free bytes of the state's disk.", self._free())
        in_use: Any = self.database.engine.pool
        yield _gauge(
            "loupe_database_pool_in_use", "Connections of the pool that are taken.", in_use.checkedout()
        )
        yield from self._heads()
        if torch.cuda.is_available() and self.settings.device != "cpu":
            reserved = float(torch.cuda.memory_reserved())
            yield _gauge("loupe_gpu_memory_bytes", "GPU memory that this process has reserved.", reserved)
        try:
            with self.database.sessions() as session:
                session.execute(text(_ASKED))
                found = [*_moved(session), *_balances(session), *_orders(session), *_jobs(session)]
        except SQLAlchemyError:
            logger.warning("A scrape of metrics found no database.")
            found = []
        yield _gauge("loupe_database_up", "Whether the database answered the scrape.", float(bool(found)))
        yield from found

    def _free(self) -> float:
        return float(disk_usage(self.settings.state).free)

    def _heads(self) -> Iterator[Metric]:
        files = published_files(self.settings.published_heads)
        if files:
            yield _gauge(
                "loupe_ledger_heads_published_timestamp_seconds",
                "Time at which heads of the ledger were last published.",
                files[-1].stat().st_mtime,
            )


def check_ledger(database: Database) -> None:
    """Count the broken invariants of the ledger, as `loupe_ledger_violations`."""
    with database.sessions() as session:
        session.execute(text(_CHECKING))
        found = violations(session)
    LEDGER_VIOLATIONS.set(len(found))
    LEDGER_CHECKED.set(time.time())


async def _check_again_and_again(database: Database) -> None:
    while True:
        try:
            await run_in_threadpool(check_ledger, database)
        except SQLAlchemyError:
            logger.warning(
                "The ledger could not be checked for its metrics; the next try is in %g s.", CHECK_S
            )
        await asyncio.sleep(CHECK_S)


def _moved(session: Session) -> Iterator[Metric]:
    transfers = CounterMetricFamily(
        "loupe_ledger_transfers", "Transfers of the ledger.", labels=("kind", "currency")
    )
    minor = CounterMetricFamily(
        "loupe_ledger_moved_minor", "Minor units that transfers moved.", labels=("kind", "currency")
    )
    last = 0.0
    for row in session.execute(text(_MOVED)):
        transfers.add_metric((row.kind, row.currency), row.transfers)
        minor.add_metric((row.kind, row.currency), int(row.minor))
        last = max(last, float(row.last))
    yield from (transfers, minor)
    if last:
        yield _gauge("loupe_ledger_last_transfer_timestamp_seconds", "Time of the newest transfer.", last)


def _balances(session: Session) -> Iterator[Metric]:
    balances = GaugeMetricFamily(
        "loupe_ledger_balance_minor",
        "Minor units on the accounts of all budgets.",
        labels=("account", "currency"),
    )
    for row in session.execute(text(_BALANCES)):
        balances.add_metric((row.kind, row.currency), int(row.minor))
    yield balances


def _orders(session: Session) -> Iterator[Metric]:
    orders = GaugeMetricFamily("loupe_orders", "Orders by stored status.", labels=("status",))
    oldest = None
    for row in session.execute(text(_ORDERS)):
        orders.add_metric((row.status,), row.orders)
        if row.status in _OPEN:
            oldest = min(float(row.oldest), oldest or float(row.oldest))
    yield orders
    if oldest is not None:
        yield _gauge(
            "loupe_reservations_open_oldest_timestamp_seconds",
            "Time at which the oldest order that holds money was placed.",
            oldest,
        )


def _jobs(session: Session) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("loupe_jobs", "Jobs by status.", labels=("status",))
    attempts = 0
    for row in session.execute(text(_JOBS)):
        jobs.add_metric((row.status,), row.jobs)
        attempts += int(row.attempts)
    yield jobs
    yield CounterMetricFamily("loupe_job_attempts", "Attempts that jobs took.", value=attempts)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
