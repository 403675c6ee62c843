"""How long the dashboard's views and the lists of the API take with many plans, beside few, in one run.

    make seed N=10000 SEED=build/small && make seed N=1000000 SEED=build/large
    python -m tests.benchmarks.views build/small build/large

Two servers run on the two states; each address is asked from both in turns. Prints for each the medians in
milliseconds, their ratio, the times of the first answers, which warm caches up, and the bytes that travel.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
    "/dashboard/plans/{plan}",
    "/dashboard/plans/{plan}/what-if",
    "/dashboard/plans/new",
    "/dashboard/plans/price-lists",
    "/dashboard/orders/{order}",
    "/dashboard/map",
    "/dashboard/map?kind=planned",
    "/dashboard/ledger",
    "/dashboard/ledger?by=orders",
    "/dashboard/ledger/invoices",
    "/dashboard/budgets",
    "/dashboard/budgets/{budget}",
    "/dashboard/reports",
    "/dashboard/reports/{month}",
    "/dashboard/models",
    "/dashboard/operations",
    "/dashboard/changes",
    "/dashboard/words",
    "/v1/plans",
    "/v1/orders",
    "/v1/ledger",
    "/v1/reports/savings",
)


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The answers of one server to one address."""

    first_s: float
    median_s: float
    size: int
    """Bytes that travelled."""


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
        ids = [newest(browser) for browser in browsers]
        for view in options.view or VIEWS:
            few, many = measure(browsers, [view.format(**one) for one in ids], options.rounds)
            print(
                f"{view:35} {1000 * few.median_s:7.1f} ms {1000 * many.median_s:7.1f} ms "
                f"{many.median_s / few.median_s:6.2f} times, first {1000 * few.first_s:7.1f} ms "
                f"{1000 * many.first_s:8.1f} ms, {many.size:8,} bytes",
                flush=True,
            )


@contextmanager
def signed_in(server: Server) -> Iterator[httpx.Client]:
    """Open a client with a session of the dashboard and the key of the API."""
    headers = {"Authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False, headers=headers) as client:
        client.post("/dashboard/login", data={"key": server.key, "to": "/dashboard"})
        yield client


def newest(browser: httpx.Client) -> dict[str, str]:
    """Return the ids of the newest order, of its plan and budget, and its month."""
    order = browser.get("/v1/orders", params={"limit": 1}).json()["items"][0]
    return {
        "order": order["id"],
        "plan": order["plan"],
        "budget": order["budget"],
        "month": order["created_at"][:7],
    }


def measure(browsers: list[httpx.Client], addresses: list[str], rounds: int) -> list[Timed]:
    """Ask each browser for its address in turns, after a first answer that warms caches up."""
    took: list[list[float]] = [[] for _ in browsers]
    sizes = [0 for _ in browsers]
    for _ in range(rounds + 1):
        for place, (browser, address) in enumerate(zip(browsers, addresses, strict=True)):
            begun = time.perf_counter()
            answer = browser.get(address)
            took[place].append(time.perf_counter() - begun)
            if answer.status_code != 200:
                raise SystemExit(f"{address} answers {answer.status_code}: {answer.text[:300]}")
            sizes[place] = answer.num_bytes_downloaded
    return [
        Timed(first_s=first, median_s=median(later), size=size)
        for (first, *later), size in zip(took, sizes, strict=True)
    ]


if __name__ == "__main__":
    main()
