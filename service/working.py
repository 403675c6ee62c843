"""Run a worker in a process of its own, until a signal."""

import asyncio
import signal

from service.app import bundles_of, office_of, open_state
from service.database.engine import check_ready
from service.database.roles import check_role
from service.errors import UnavailableError
from service.geotiff import gdal_lock
from service.jobs.worker import working
from service.logs import logging_to
from service.serving import end_children, say
from service.settings import Settings


def run(settings: Settings) -> int:
    """Run jobs until SIGINT or SIGTERM; return the process's exit status."""
    try:
        with logging_to(settings.log):
            asyncio.run(work(settings))
    except UnavailableError as error:
        say(f"Cannot work. {error.detail}")
        return 1
    finally:
        end_children(settings)  # the embedded database goes on while the server uses it
    return 0


async def work(settings: Settings) -> None:
    """Open database and networks, and run jobs until a signal. UnavailableError if something is missing."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gdal_lock.assert_locked()
    state = open_state(settings, bundles_of(settings))
    try:
        check_ready(state["database"])
        check_role(state["database"].engine, settings.role_check)
        async with working(office_of(state), settings):
            say("Loupe works on jobs.")
            await stop.wait()
    finally:
        state["database"].engine.dispose()
