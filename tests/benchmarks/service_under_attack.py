"""How long a stranger waits while another workspace attacks, beside how long he waits on an idle server.

    python -m tests.benchmarks.service_under_attack

The real server with a tiny bundle and 1,024 open files. Every round reads a list and plans a small scene; the
figures are the median and the longest of some rounds in seconds, and the peak of the server's memory in MiB.
"""

import argparse
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import torch

from service.connections import raise_file_limit
from tests.support.bundles import make_geotiff, make_pixels, write_bundle
from tests.support.server import KEY, ServerProcess, running_server
from training.run.provenance import git_revision, hardware

TIFF = {"Content-Type": "image/tiff"}
SLOW = make_geotiff(np.tile(make_pixels(height=48, width=48), (1, 50, 50)), compress="zstd")
"""A scene of 90,000 tiles, which takes minutes under rules for shapes."""
LARGE = make_geotiff(make_pixels(height=1650, width=1650))
"""A legal file of 8 MB."""
Attack = Callable[[ServerProcess, ExitStack], None]


def connected(server: ServerProcess, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=600, trust_env=False)


def rounds(client: httpx.Client, count: int) -> dict[str, list[float]]:
    """Return median and longest time of reading and of planning in some rounds."""
    took: dict[str, list[float]] = {"read": [], "plan": []}
    for _ in range(count):
        for name, path in (("read", "/v1/budgets"), ("plan", "/v1/plans")):
            begun = time.perf_counter()
            if name == "read":
                answer = client.get(path)
            else:
                answer = client.post(path, content=make_geotiff(), headers=TIFF)
            answer.raise_for_status()
            took[name].append(time.perf_counter() - begun)
    return {name: [round(median(times), 3), round(max(times), 3)] for name, times in took.items()}


def uploading(body: bytes, count: int) -> Attack:
    """Return the attack of so many uploads at the same time, all of one workspace."""

    def attack(server: ServerProcess, held: ExitStack) -> None:
        pool = ThreadPoolExecutor(count)
        held.callback(pool.shutdown)
        clients = [connected(server, KEY) for _ in range(count)]
        for one in clients:
            held.callback(one.close)
            query = {"price_list": "example-30cm-tasking"}
            pool.submit(one.post, "/v1/plans", content=body, headers=TIFF, params=query, timeout=60)

    return attack


def silent(server: ServerProcess, held: ExitStack) -> None:
    """Open 1,100 connections that say nothing."""
    url = urlsplit(server.url)
    for _ in range(1_100):
        held.enter_context(socket.create_connection((url.hostname, url.port), timeout=30))


@contextmanager
def peak_memory(server: ServerProcess) -> Iterator[list[float]]:
    """Watch the memory of the server's process; the list holds its peak in MiB."""
    process, peak, ended = psutil.Process(server.pid), [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss / 2**20)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def measure(bundle: Path, attack: Attack, count: int) -> dict[str, object]:
    """Serve a stranger on an idle server, then beside an attack."""
    with running_server(bundle, files=1_024, LOUPE_REQUEST_TILES="1000000") as server:
        stranger = connected(server, server.add_workspace("stranger"))
        rounds(stranger, 3)  # connections and networks are made once
        idle = rounds(stranger, count)
        with ExitStack() as held, peak_memory(server) as peak:
            attack(server, held)
            time.sleep(1)
            beside = rounds(stranger, count)
        return {"idle": idle, "attacked": beside, "peak_mib": round(peak[0])}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    count = parser.parse_args().rounds
    raise_file_limit()
    attacks = {"16 slow scenes": uploading(SLOW, 16), "1,100 silent sockets": silent}
    attacks["60 uploads of 8 MB"] = uploading(LARGE, 60)
    with TemporaryDirectory() as folder:
        bundle = write_bundle(Path(folder) / "bundles" / "tiny")
        found: dict[str, object] = {
            "revision": git_revision(),
            "hardware": hardware(torch.device("cpu")),
        }
        found |= {name: measure(bundle, attack, count) for name, attack in attacks.items()}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
