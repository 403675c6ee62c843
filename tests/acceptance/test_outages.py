"""Attacks that shut every workspace out of earlier versions, against the real server.

Each asserts that a stranger, who has a workspace of his own, is served while the attack holds: a round of two
requests within a second, or ten times as long as before the attack where that is more. The middle one of
three rounds counts, since a neighbour on the machine can hold up any one, and none may take as long as a
workspace that is shut out would wait.
"""

import re
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.support.bundles import make_geotiff, make_pixels
from tests.support.server import KEY, ServerProcess, running_server
from tests.support.waiting import eventually

TIFF = {"Content-Type": "image/tiff"}
SLOW_PX = 2_400
"""Side of a scene of 90,000 tiles, which arranging by shapes keeps busy for minutes."""
FILES = 1_024
SOCKETS = 1_100
UPLOADS = 60
MOST_GROWTH = 2**30
"""Bytes by which 60 uploads may make the server larger; their files alone are half of that."""
AT_ONCE_OF_A_KEY = 64
ROUNDS = 3
PROMPT_S = 1.0
"""Seconds within which others are served on a machine that does nothing else."""
MOST_TIMES_IDLE = 10
"""A busy machine gives this many times the longest round on the idle server."""
SHUT_OUT_S = 20
"""No round takes so long on a busy machine either; the attacks once kept others waiting for minutes."""


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    """Run a server that may open as few files as many systems allow."""
    # Nothing becomes a job: jobs have a worker of their own. No upload that stalls ends by itself.
    own = {"LOUPE_REQUEST_TILES": "1000000", "LOUPE_BODY_SECONDS": "3600"}
    with running_server(bundle_folder, files=FILES, **own) as process:
        yield process


@pytest.fixture(scope="module")
def stranger(server: ServerProcess) -> Iterator[httpx.Client]:
    """Connect with the key of a workspace that takes no part in the attack."""
    with connected(server, server.add_workspace("stranger")) as client:
        times_of_rounds(client, 1)  # connections and networks are made once
        yield client


@pytest.fixture
def prompt(stranger: httpx.Client) -> float:
    """Return the seconds within which a round is answered promptly, measured before the attack."""
    return max(PROMPT_S, MOST_TIMES_IDLE * max(times_of_rounds(stranger, ROUNDS)))


@contextmanager
def connected(server: ServerProcess, key: str | None = KEY) -> Iterator[httpx.Client]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def slow_scene() -> bytes:
    """Make a small legal file with very many tiles."""
    repeated = make_pixels(height=48, width=48)
    return make_geotiff(np.tile(repeated, (1, SLOW_PX // 48, SLOW_PX // 48)), compress="zstd")


class Attack:
    """Requests that are sent at the same time, each on a connection of its own."""

    def __init__(self, send: Callable[[int], object], count: int) -> None:
        self._pool = ThreadPoolExecutor(count)
        self._sent: list[Future[object]] = [self._pool.submit(send, number) for number in range(count)]

    @property
    def answered(self) -> int:
        return sum(one.done() for one in self._sent)

    def results(self) -> list[object]:
        """Wait for every answer."""
        return [one.result() for one in self._sent]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def times_of_rounds(client: httpx.Client, count: int) -> list[float]:
    """Read a list and plan a scene in turn, as an ordinary user does; return the seconds of each round."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        for method, path, status in (("GET", "/v1/budgets", 200), ("POST", "/v1/plans", 201)):
            answer = client.request(
                method, path, content=None if method == "GET" else make_geotiff(), headers=TIFF
            )
            assert answer.status_code == status, answer.text
        took.append(time.perf_counter() - begun)
    return took


def assert_is_served(client: httpx.Client, prompt: float) -> None:
    """Fail unless every round is answered, and the middle one within `prompt` seconds once the attack stands.

    Its beginning, a thousand connections or half a gigabyte at once, keeps the test's own process as busy as
    the server, so the first round has no limit but the client's.
    """
    times_of_rounds(client, 1)
    took = times_of_rounds(client, ROUNDS)
    assert median(took) < prompt, took
    assert max(took) < SHUT_OUT_S, took


def test_sixteen_slow_scenes_leave_turns_for_another_workspace(
    server: ServerProcess, stranger: httpx.Client, prompt: float, slow_scene: bytes
) -> None:
    """Sixteen small files, sent at once, once kept every other workspace waiting for minutes."""
    with ExitStack() as clients:
        attackers = [clients.enter_context(connected(server)) for _ in range(16)]

        def plan(number: int) -> int:
            query = {"price_list": "example-30cm-tasking"}
            try:
                answer = attackers[number].post(
                    "/v1/plans", content=slow_scene, headers=TIFF, params=query, timeout=20
                )
            except httpx.TimeoutException:
                return 0
            return answer.status_code

        attack = Attack(plan, 16)
        clients.callback(attack.close)
        assert_is_served(stranger, prompt)
        assert attack.answered == 0
        assert set(attack.results()) == {0}
    assert_is_served(stranger, prompt)


def test_plan_that_nobody_waits_for_ends(
    server: ServerProcess, stranger: httpx.Client, prompt: float, slow_scene: bytes
) -> None:
    """A small file once kept a core busy for hours, and nobody could stop it."""
    with connected(server) as client:
        for number in range(3):  # more than one workspace has turns
            headers = TIFF | {"Idempotency-Key": f"given-up-{number}"}
            with pytest.raises(httpx.ReadTimeout):
                client.post(
                    "/v1/plans",
                    content=slow_scene,
                    headers=headers,
                    params={"price_list": "example-30cm-tasking"},
                    timeout=httpx.Timeout(30, read=3),
                )
            assert_is_served(stranger, prompt)
        times_of_rounds(client, 1)


def test_requests_whose_clients_are_gone_leave_connections_of_the_database(
    server: ServerProcess, stranger: httpx.Client, prompt: float, slow_scene: bytes
) -> None:
    """Fifteen plans with an Idempotency-Key, whose clients hung up at once, once took the whole pool."""
    url = urlsplit(server.url)
    for number in range(60):
        head = (
            f"POST /v1/plans?price_list=example-30cm-tasking HTTP/1.1\r\nHost: loupe\r\n"
            f"Authorization: Bearer {KEY}\r\nContent-Type: image/tiff\r\n"
            f"Idempotency-Key: hung-up-{number}\r\nContent-Length: {len(slow_scene)}\r\n\r\n"
        )
        with socket.create_connection((url.hostname, url.port), timeout=30) as hung_up:
            hung_up.sendall(head.encode() + slow_scene)
    assert_is_served(stranger, prompt)
    with connected(server) as client:
        times_of_rounds(client, 1)


def test_large_uploads_at_once_keep_memory_bounded(
    server: ServerProcess, stranger: httpx.Client, prompt: float
) -> None:
    """Sixty legal files of 8 MB once took 9 GiB."""
    scene = make_geotiff(make_pixels(height=1650, width=1650))
    query = {"price_list": "example-30cm-tasking"}
    with ExitStack() as clients:
        attackers = [clients.enter_context(connected(server)) for _ in range(UPLOADS)]

        def plan(number: int) -> None:
            with suppress(httpx.TransportError):  # it gives up after a while
                attackers[number].post("/v1/plans", content=scene, headers=TIFF, params=query, timeout=20)

        before = memory_of(server)
        attack = Attack(plan, UPLOADS)
        clients.callback(attack.close)
        assert_is_served(stranger, prompt)
        attack.results()

    assert memory_of(server) - before < MOST_GROWTH


def memory_of(server: ServerProcess) -> int:
    """Return the most memory that the server's process has had so far, in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak) * 1024


def answering(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Return the connections on which the server has said something."""
    return select.select(sockets, [], [], 0)[0]


@contextmanager
def silent_sockets(
    server: ServerProcess, count: int, first_bytes: bytes
) -> Iterator[Sequence[socket.socket]]:
    """Open connections that say nothing, or begin a request and stop."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * count)), hard))
    url = urlsplit(server.url)
    sockets = list[socket.socket]()
    try:
        for _ in range(count):
            sockets.append(socket.create_connection((url.hostname, url.port), timeout=30))
            sockets[-1].sendall(first_bytes)
        yield sockets
    finally:
        for one in sockets:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stalled_uploads_of_a_key_leave_memory_for_its_colleagues(
    server: ServerProcess, prompt: float
) -> None:
    """As many uploads as a key may send at once, all unfinished, once kept its workspace waiting for 29 s."""
    with connected(server) as client:
        made = client.post("/v1/keys", json={"name": "colleague", "role": "buyer"})
    begun = (
        f"POST /v1/plans HTTP/1.1\r\nHost: loupe\r\nAuthorization: Bearer {KEY}\r\n"
        "Content-Type: image/tiff\r\nContent-Length: 33554432\r\n\r\nII*"
    )
    with silent_sockets(server, AT_ONCE_OF_A_KEY + 16, begun.encode()) as uploads:
        # Nothing else is sent with the key meanwhile: it would take the place of an upload.
        eventually(lambda: len(answering(uploads)) == 16)
        assert {one.recv(12, socket.MSG_DONTWAIT) for one in answering(uploads)} == {b"HTTP/1.1 429"}
        with connected(server, made.json()["key"]) as colleague:
            assert_is_served(colleague, prompt)


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"",
        b"GET /v1/budgets HTTP/1.1\r\nHost: loupe\r\nX-Slow: ",
        b"POST /v1/budgets HTTP/1.1\r\nHost: loupe\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100000\r\n\r\n{",
    ],
    ids=["silent", "half a header", "half a body"],
)
def test_sockets_without_a_key_leave_connections_for_others(
    server: ServerProcess, stranger: httpx.Client, prompt: float, first_bytes: bytes
) -> None:
    """More connections than the server may open files once left nobody else one."""
    with silent_sockets(server, SOCKETS, first_bytes):
        assert_is_served(stranger, prompt)
        with connected(server, None) as newcomer:
            assert newcomer.get("/healthz").json() == {"status": "alive"}
    assert_is_served(stranger, prompt)
