"""CPU seconds to plan 40,000 tiles (640,000 patches), as a ratio to sorting the same array.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/planning.py

Measures ranking, pricing and deciding under each objective, from arrays to a decision with its bill and
explanation; then deciding again, as the curve does. Every round sorts first and then plans. Prints medians of
CPU seconds and their ratio.
"""

import argparse
import json
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median

import numpy as np
import torch

from service.money import Money
from service.planner import decider, plan_purchases
from service.planner.objectives import (
    CostWeight,
    MaxCost,
    MaxPatches,
    Objective,
    Policy,
    TargetAccuracy,
)
from service.pricing.billing import PriceTerms
from service.pricing.charge_rules import Tier
from training.run.provenance import git_revision, hardware

PATCH_M2 = 6_400.0
TERMS = PriceTerms(
    currency="USD",
    tiers=(
        Tier(above_km2=Decimal(0), price_per_km2=Decimal("8.50")),
        Tier(above_km2=Decimal(500), price_per_km2=Decimal("7.00")),
        Tier(above_km2=Decimal(2000), price_per_km2=Decimal("5.00")),
    ),
    minimum_km2=Decimal(25),
    minimum_charge=Decimal(100),
)
OBJECTIVES: dict[str, Objective] = {
    "policy": Policy(threshold=0.5),
    "lambda": CostWeight(per_unit=0.05),
    "max_cost": MaxCost(limit=Money.parse("10000.00", "USD")),
    "max_patches": MaxPatches(patches=100_000),
    "target_accuracy": TargetAccuracy(accuracy=0.95, threshold=0.4, measured=0.96),
}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time that one call takes in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Plan, and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=40_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    utilities = random.random((options.tiles, 16)).astype(np.float32)
    areas = PATCH_M2 * (1 + 1e-5 * random.random(utilities.shape))
    scene = utilities, np.ones(len(utilities), dtype=bool), areas
    ready = decider(*scene, TERMS)
    found = {}
    for name, objective in OBJECTIVES.items():
        rounds = [
            (
                cpu_seconds(lambda: np.sort(utilities, axis=None)),
                cpu_seconds(lambda: plan_purchases(*scene, TERMS, objective)),  # noqa: B023 - called at once
                cpu_seconds(lambda: ready(objective)),  # noqa: B023 - called at once
            )
            for _ in range(options.repeats)
        ]
        sort, plan, decide = (median(column) for column in zip(*rounds, strict=True))
        found[name] = {
            "sort_s": round(sort, 4),
            "plan_s": round(plan, 4),
            "decide_s": round(decide, 4),
            "plan_over_sort": round(plan / sort, 1),
        }
    facts = {"hardware": hardware(torch.device("cpu")), "commit": git_revision(), "numpy": np.__version__}
    print(json.dumps({**facts, "patches": utilities.size, **found}, indent=1))


if __name__ == "__main__":
    main()
