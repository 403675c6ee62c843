"""Faults that a server lives through, each a function that strikes once and heals."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.faults import clock
from tests.faults.proxy import Relay
from tests.support.server import ServerProcess
from tests.support.waiting import eventually


class World:
    """A server, and the relay through which clients reach it."""

    def __init__(self, server: ServerProcess, relay: Relay) -> None:
        self.server, self.relay = server, relay
        self.against: list[str] = []

    @property
    def url(self) -> str:
        return self.relay.url

    def start(self) -> None:
        self.server.start()
        self.aim()

    def aim(self) -> None:
        host, _, port = self.server.url.removeprefix("http://").partition(":")
        self.relay.aim(host, int(port))

    def processes(self, name: str) -> list[psutil.Process]:
        """Return the processes of the server, and of its database, whose command line has `name`."""
        found = []
        for root in (self.server.pid, self.server.database_pid):
            for one in (psutil.Process(root), *psutil.Process(root).children(recursive=True)):
                with suppress(psutil.NoSuchProcess):  # it has ended, or is a zombie
                    found += [one] if name in " ".join(one.cmdline()) else []
        return found


def kill_server(world: World, _chance: random.Random) -> None:
    world.server.kill()
    world.start()


def kill_database(world: World, _chance: random.Random) -> None:
    """Kill the database alone, which the server starts again by itself."""
    world.server.kill_database()
    eventually(lambda: is_ready(world))


def cut_the_power(world: World, _chance: random.Random) -> None:
    world.server.kill_database()
    world.server.kill()
    world.start()


def stop_and_start(world: World, _chance: random.Random) -> None:
    """Stop the server as a deployment does: it answers what it has begun, and ends with status 0."""
    status = world.server.stop()
    if status != 0:
        world.against.append(f"SIGTERM ended the server with status {status}")
    world.start()


def cut_connections(world: World, chance: random.Random) -> None:
    for _ in range(chance.randint(3, 8)):
        world.relay.cut()
        time.sleep(chance.uniform(0.02, 0.3))


def slow_connections(world: World, chance: random.Random) -> None:
    world.relay.delay_s = chance.uniform(0.05, 0.3)
    time.sleep(2)
    world.relay.delay_s = 0


def fill_the_disk(world: World, _chance: random.Random) -> None:
    """Let no file of the server grow: the kernel answers EFBIG, which is handled as ENOSPC is."""
    with limited(world.server.pid, resource.RLIMIT_FSIZE, 0):
        time.sleep(1.5)


def end_sessions(world: World, chance: random.Random) -> None:
    """End the database sessions under work, as an administrator or a pooler does."""
    for _ in range(chance.randint(2, 5)):
        world.server.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        time.sleep(chance.uniform(0.05, 0.3))


def block_the_ledger(world: World, chance: random.Random) -> None:
    """Hold the lock that every movement of money needs, for longer than a request waits."""
    with world.server.connect() as connection:
        connection.execute("LOCK TABLE ledger.chain IN ACCESS EXCLUSIVE MODE")
        time.sleep(chance.uniform(1.0, 4.0))
        connection.rollback()


def hang_the_database(world: World, chance: random.Random) -> None:
    stopped = world.processes("postgres")
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 3.0))
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def jump_the_clock(world: World, chance: random.Random) -> None:
    """Let the database's clock jump ahead or back at a restart, and back to the right time under work."""
    world.server.kill()
    world.server.kill_database()
    clock.start_database(world.server.home, chance.choice((-1, 1)) * chance.randint(60, 6 * 3600))
    world.start()
    time.sleep(chance.uniform(0.5, 2.0))
    clock.set_clock(world.server.home, 0)
    time.sleep(2 * clock.NOTICED_S)


def kill_decoders(world: World, chance: random.Random) -> None:
    """Kill the decoding processes, as the kernel does when memory is short."""
    for _ in range(chance.randint(3, 10)):
        for process in world.processes("decoder.py"):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(chance.uniform(0.02, 0.2))


def hang_the_server(world: World, chance: random.Random) -> None:
    """Suspend the server, as a virtual machine that is moved."""
    os.kill(world.server.pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 3.0))
    os.kill(world.server.pid, signal.SIGCONT)


@contextmanager
def limited(pid: int, limit: int, soft: int) -> Iterator[None]:
    """Set a soft limit of another process until the block ends."""
    before = resource.prlimit(pid, limit)
    resource.prlimit(pid, limit, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, limit, before)


def is_ready(world: World) -> bool:
    return world.server.is_ready()


FAULTS: dict[str, Callable[[World, random.Random], None]] = {
    "kill the server": kill_server,
    "kill the database": kill_database,
    "cut the power": cut_the_power,
    "stop and start": stop_and_start,
    "cut connections": cut_connections,
    "slow connections": slow_connections,
    "fill the disk": fill_the_disk,
    "end database sessions": end_sessions,
    "block the ledger": block_the_ledger,
    "hang the database": hang_the_database,
    "hang the server": hang_the_server,
    "kill the decoders": kill_decoders,
    "jump the clock": jump_the_clock,
}
