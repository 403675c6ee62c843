"""Orders a second over HTTP, from one server process, as a ratio to requests that read one budget.

    python -m tests.benchmarks.orders --connections 1 8 32 --orders 96

Every order buys a plan of its own: of ground that no other order has, or with `--same-ground` of the same
ground bought again and again. Prints for each number of connections the orders a second, the ratio, the
median and the longest answer in seconds, and how many orders were refused.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx
import torch

from tests.proofs.duplicates import clients, make_plan, new_budget, send, served
from tests.support.server import ServerProcess
from training.run.provenance import git_revision, hardware

METRES_APART = 5_000
SCENES = f"""
    INSERT INTO scene SELECT (jsonb_populate_record(s, jsonb_build_object(
        'id', gen_random_uuid(), 'sha256', encode(sha256(n::text::bytea), 'hex'),
        'reading', jsonb_set(s.reading, '{{grid,transform,5}}',
            to_jsonb((s.reading #>> '{{grid,transform,5}}')::float - {METRES_APART} * n))))).*
    FROM scene s, generate_series(1, %(orders)s) AS n
"""
PLANS = """
    INSERT INTO plan SELECT (jsonb_populate_record(p, jsonb_build_object(
        'id', gen_random_uuid(), 'scene_id', s.id))).*
    FROM plan p, scene s, generate_series(1, %(copies)s)
    WHERE (s.id = p.scene_id) = %(same)s
    RETURNING id
"""


def main() -> None:
    """Measure orders at every number of connections in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--orders", type=int, default=96, help="orders for each number of connections")
    parser.add_argument("--same-ground", action="store_true")
    options = parser.parse_args()
    print(git_revision(), hardware(torch.device("cpu")))
    with served() as server, clients(server, max(options.connections)) as crowd:
        limit = new_budget("orders", "1000000.00")
        budget = str(send(crowd[0], "/v1/budgets", "open-the-budget", limit).json()["id"])
        make_plan(crowd[0], 0)
        plans = copy_plans(server, options.orders * len(options.connections), same=options.same_ground)
        for connections in options.connections:
            chosen = [plans.pop() for _ in range(options.orders)]
            print(measure(crowd[:connections], chosen, budget), flush=True)


def copy_plans(server: ServerProcess, orders: int, *, same: bool) -> list[str]:
    """Copy the one plan for each order, either on its own scene or on scenes that lie apart."""
    copies = {"copies": orders if same else 1, "same": same}
    with server.connect() as database:
        if not same:
            database.execute(SCENES, {"orders": orders})
        return [str(row[0]) for row in database.execute(PLANS, copies).fetchall()]


def measure(crowd: Sequence[httpx.Client], plans: Sequence[str], budget: str) -> str:
    """Read the budget as often as there are plans, then order every plan, from all clients at once."""

    def read(client: httpx.Client, _plan: str) -> int:
        return client.get(f"/v1/budgets/{budget}").status_code

    def order(client: httpx.Client, plan: str) -> int:
        body = {"plan": plan, "budget": budget}
        return client.post("/v1/orders", json=body, headers={"Idempotency-Key": plan}).status_code

    yardstick, _, _ = rate(crowd, plans, read, 200)
    orders, seconds, refused = rate(crowd, plans, order, 201)
    return (
        f"{len(crowd):3} connections: {orders:.1f} orders/s, {orders / yardstick:.3f} of the "
        f"{yardstick:.0f} reads/s, median {median(seconds):.2f} s, longest {max(seconds):.2f} s, "
        f"refused {refused}"
    )


def rate(
    crowd: Sequence[httpx.Client], plans: Sequence[str], act: Callable[[httpx.Client, str], int], good: int
) -> tuple[float, list[float], int]:
    """Return the answers of status `good` a second, the seconds of every answer, and the number of others."""
    waiting, seconds = list(plans), list[float]()

    def run(client: httpx.Client) -> int:
        answered = 0
        while waiting:
            try:
                plan = waiting.pop()
            except IndexError:  # another client took the last one
                break
            begun = time.perf_counter()
            answered += act(client, plan) == good
            seconds.append(time.perf_counter() - begun)
        return answered

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(crowd)) as pool:
        good_answers = sum(pool.map(run, crowd))
    return good_answers / (time.perf_counter() - begun), seconds, len(plans) - good_answers


if __name__ == "__main__":
    main()
