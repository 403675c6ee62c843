"""How long the dashboard's views and the lists of the API take with many plans, beside few, in one run.

    make seed N=10000 SEED=build/small && make seed N=1000000 SEED=build/large
    python -m tests.benchmarks.views build/small build/large

Two servers run on the two states; each address is asked from both in turns. Prints for each the medians in
milliseconds, their ratio, and the bytes of the answer as they travel.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import httpx
import torch

from examples.demo.process import Server, running_server
from training.run.provenance import git_revision, hardware

VIEWS = (
    "/dashboard",
    "/dashboard?period=all",
    "/dashboard/orders",
    "/dashboard/orders?status=accepted",
    "/dashboard/plans",
    "/dashboard/plans?standing=open",
    "/dashboard/plans?text=starter",
    "/dashboard/map",
    "/dashboard/ledger",
    "/dashboard/budgets",
    "/dashboard/models",
    "/dashboard/operations",
    "/dashboard/changes",
    "/v1/plans",
    "/v1/orders",
    "/v1/ledger",
    "/v1/reports/savings",
)


def main() -> None:
    """Measure both states in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("small", type=Path, help="LOUPE_HOME with few plans")
    parser.add_argument("large", type=Path, help="LOUPE_HOME with many plans")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--view", action="append", help="address to ask; default: all")
    options = parser.parse_args()
    print(git_revision(), hardware(torch.device("cpu")))
    with ExitStack() as stack:
        homes = (options.small.absolute(), options.large.absolute())
        servers = [stack.enter_context(running_server(home)) for home in homes]
        browsers = [stack.enter_context(signed_in(server)) for server in servers]
        for view in options.view or VIEWS:
            few, many = measure(browsers, view, options.rounds)
            print(
                f"{view:45} {1000 * few[0]:8.1f} ms {1000 * many[0]:8.1f} ms {many[0] / few[0]:6.2f} times "
                f"{many[1]:8,} bytes",
                flush=True,
            )


@contextmanager
def signed_in(server: Server) -> Iterator[httpx.Client]:
    """Open a client with a session of the dashboard and the key of the API."""
    headers = {"Authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False, headers=headers) as client:
        client.post("/dashboard/login", data={"key": server.key, "to": "/dashboard"})
        yield client


def measure(browsers: list[httpx.Client], view: str, rounds: int) -> list[tuple[float, int]]:
    """Return for each browser the median in seconds of asking for a view, and the bytes that travelled."""
    took: list[list[float]] = [[] for _ in browsers]
    sizes = [0 for _ in browsers]
    for number in range(rounds + 1):  # the first answers warm caches up
        for place, browser in enumerate(browsers):
            begun = time.perf_counter()
            answer = browser.get(view)
            elapsed = time.perf_counter() - begun
            if answer.status_code != 200:
                raise SystemExit(f"{view} answers {answer.status_code}: {answer.text[:300]}")
            sizes[place] = answer.num_bytes_downloaded
            if number:
                took[place].append(elapsed)
    return [(median(times), size) for times, size in zip(took, sizes, strict=True)]


if __name__ == "__main__":
    main()
