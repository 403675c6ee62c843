"""CPU seconds to plan many tiles where shapes decide the price, and the cost of the shapes that are found.

    OMP_NUM_THREADS=1 python tests/benchmarks/shapes.py --tiles 10000

Prints for a minimum of 5 km2 per shape the time of a plan under each objective. For random patches it prints
the cost of shapes that were found tile by tile as a multiple of that of the shapes that are ordered.
"""

import argparse
import json
import time

import numpy as np

from service.money import Money
from service.planner import plan_purchases
from service.planner.arranging import arrange_shapes
from service.planner.objectives import CostWeight, MaxCost, MaxPatches, Objective, Policy
from service.planner.scene_orders import scene_orders
from service.planner.tile_layouts import arrange_by_tile
from tests.support.prices import PATCH_M2, terms
from training.run.provenance import git_revision

TERMS = terms(minimum="5", scope="shape")
OBJECTIVES: tuple[Objective, ...] = (
    Policy(threshold=0.9),
    CostWeight(per_unit=0.05),
    MaxCost(limit=Money.parse("5000.00", "USD")),
    MaxPatches(patches=1000),
)


def main() -> None:
    """Plan, arrange, and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=100)
    options = parser.parse_args()
    utilities = np.random.default_rng(0).random((options.tiles, 16)).astype(np.float32)
    areas, everyone = np.full(utilities.shape, PATCH_M2), np.ones(options.tiles, dtype=np.bool_)
    seconds = {}
    for objective in OBJECTIVES:
        start = time.process_time()
        plan_purchases(utilities, everyone, areas, TERMS, objective, options.columns)
        seconds[objective.kind] = round(time.process_time() - start, 1)
    orders, dearer = scene_orders(areas, options.columns, TERMS), {}
    for share in (0.02, 0.05, 0.1, 0.3):
        chosen = utilities > 1 - share
        amounts = [arrange(orders, chosen).amount.minor for arrange in (arrange_by_tile, arrange_shapes)]
        dearer[f"{share:g}"] = round(amounts[0] / amounts[1], 2)
    facts = {"commit": git_revision(), "tiles": options.tiles}
    print(json.dumps({**facts, "seconds": seconds, "by_tile_over_found": dearer}, indent=1))


if __name__ == "__main__":
    main()
