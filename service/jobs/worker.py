"""The worker: takes jobs from procrastinate's queue, beside the server or in a process of its own.

A worker writes a heartbeat. Jobs of one that has been silent too long are put back into the queue by any
other, and so by the next one that starts.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi.concurrency import run_in_threadpool
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Turn
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from sqlalchemy import Engine

from service.jobs.repository import QUEUE, TASK
from service.jobs.running import AgainError, Office, run_job
from service.jobs.uploads import drop_forgotten
from service.settings import Settings

logger = logging.getLogger(__name__)

BEATS = 3
"""Heartbeats that a worker writes in the time after which it would count as dead."""
POLL_S = 5.0
"""Most seconds between two looks for jobs; notifications of the database usually come first."""
RESTART_S = 5.0
"""Seconds until a worker starts again that has lost the database."""
DRAIN_S = 5.0
"""Seconds that a running job has to reach the end of its batch when the worker stops."""
AGAIN_S = 10.0
"""Seconds until a job is taken again whose attempt could not even be counted."""

# A clock that was ahead, and is right again, leaves times that lie hours away. A worker that died with such a
# heartbeat would keep its jobs until then, and a job with such a turn would wait for it. No turn is put off
# for longer than AGAIN_S.
_HEARTBEATS_TO_COME = """
    UPDATE procrastinate_workers SET last_heartbeat = now() WHERE last_heartbeat > now()
"""
_TURNS_TOO_FAR = """
    UPDATE procrastinate_jobs SET scheduled_at = now()
    WHERE status = 'todo' AND scheduled_at > now() + interval '1 minute'
"""


@asynccontextmanager
async def working(office: Office, settings: Settings) -> AsyncIterator[None]:
    """Run jobs in the background, and stop them between two batches at the end."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        _work_until(stop, office, settings.worker_jobs, settings.worker_silent_seconds)
    )
    try:
        yield
    finally:
        stop.set()
        office.stop()
        await running


async def _work_until(stop: asyncio.Event, office: Office, at_once: int, silent_s: float) -> None:
    """Keep a worker running until `stop` is set."""
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        working = asyncio.create_task(_one_worker(office, at_once, silent_s))
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            failure = working.exception()
            logger.error("The worker ended and starts again in %g s.", RESTART_S, exc_info=failure)
            office.interrupt()  # other workers take its jobs now
            await asyncio.wait((stopped,), timeout=RESTART_S)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _one_worker(office: Office, at_once: int, silent_s: float) -> None:
    """Run one worker until it is cancelled or loses the database."""
    await run_in_threadpool(drop_forgotten, office.database, office.blobs)
    app = _app(office)
    async with app.open_async():
        seeking = asyncio.create_task(_take_again(app, silent_s))
        try:
            await app.run_worker_async(
                queues=[QUEUE],
                concurrency=at_once,
                install_signal_handlers=False,
                fetch_job_polling_interval=min(POLL_S, silent_s / BEATS),
                update_heartbeat_interval=silent_s / BEATS,
                stalled_worker_timeout=silent_s,
                shutdown_graceful_timeout=DRAIN_S,
                delete_jobs="always",  # our own table keeps what became of them
            )
        finally:
            seeking.cancel()
            await asyncio.gather(seeking, return_exceptions=True)


async def _take_again(app: App, silent_s: float) -> None:
    """Put the jobs of dead workers back into the queue, again and again."""
    while True:
        try:
            for correction in (_HEARTBEATS_TO_COME, _TURNS_TOO_FAR):
                await app.connector.execute_query_async(correction)
            for turn in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=silent_s):
                logger.warning("The worker of job %s is silent. The job is queued again.", turn.task_kwargs)
                await app.job_manager.retry_job(turn)
        except ConnectorException as error:  # also if another worker was first
            logger.info("No jobs were queued again: %s", error)
        await asyncio.sleep(silent_s / BEATS)


class _Again(BaseRetryStrategy):
    """Take a job again after the time that its attempt names: whether it fails is decided by its own row."""

    def get_retry_decision(self, *, exception: BaseException, job: Turn) -> RetryDecision:  # noqa: ARG002
        seconds = exception.seconds if isinstance(exception, AgainError) else AGAIN_S
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=seconds))


def _app(office: Office) -> App:
    app = App(connector=_connector(office.database.engine))

    @app.task(name=TASK, queue=QUEUE, retry=_Again())
    async def run(job: str) -> None:
        await _in_thread(office, UUID(job))

    return app


async def _in_thread(office: Office, job_id: UUID) -> None:
    """Run a job in a thread that does not keep the process from ending."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            run_job(office, job_id)
        except BaseException as error:  # handed to the worker, which takes the job again
            failures.append(error)
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=attempt, name=f"job {job_id}", daemon=True).start()
    await ended.wait()
    for failure in failures:
        raise failure


def _connector(engine: Engine) -> PsycopgConnector:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = "-c search_path=procrastinate -c lock_timeout=5000 -c statement_timeout=30000 -c timezone=UTC"
    bounded = {"options": options, "connect_timeout": 5}
    return PsycopgConnector(conninfo=url, min_size=1, max_size=3, kwargs=bounded)
