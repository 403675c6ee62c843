"""Tiles per second of the starter bundle's policy beside busy neighbours, by how torch's threads wait.

    python tests/benchmarks/inference_under_load.py

One spinning process for each core is the load. Every round asks a fresh process with OMP_WAIT_POLICY=ACTIVE,
then one with PASSIVE, as the service sets it, then both without the load: medians, and their ratio.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from training.run.provenance import git_revision, hardware

BUNDLE = Path(__file__).parents[2] / "models" / "bundles" / "starter"
POLICIES = ("ACTIVE", "PASSIVE")
ASK = """
import sys, time
from pathlib import Path
import numpy as np
from service.bundles.registry import open_bundles
bundle = Path(sys.argv[1])
predictor = open_bundles(bundle.parent, bundle.name, "cpu").default
size = predictor.manifest.lr_size
tiles = np.random.default_rng(0).integers(0, 256, (int(sys.argv[2]), 3, size, size), dtype=np.uint8)
predictor.utilities(tiles[:64])
begun = time.perf_counter()
predictor.utilities(tiles)
print(len(tiles) / (time.perf_counter() - begun))
"""


def speed(policy: str, tiles: int) -> float:
    """Tiles per second in a process of its own: the runtime reads its environment once."""
    command = [sys.executable, "-c", ASK, str(BUNDLE), str(tiles)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_WAIT_POLICY": policy}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Run `count` processes that spin."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def compared(tiles: int, repeats: int) -> dict[str, float]:
    """Median tiles per second by policy, and the ratio."""
    rounds = [[speed(policy, tiles) for policy in POLICIES] for _ in range(repeats)]
    active, passive = (median(column) for column in zip(*rounds, strict=True))
    return {"active": round(active, 1), "passive": round(passive, 1), "ratio": round(passive / active, 2)}


def main() -> None:
    """Compare, and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with neighbours(os.cpu_count() or 1):
        loaded = compared(options.tiles, options.repeats)
    idle = compared(options.tiles, options.repeats)
    facts = {"hardware": hardware(torch.device("cpu")), "commit": git_revision(), "torch": torch.__version__}
    print(json.dumps({**facts, "tiles_per_second": {"loaded": loaded, "idle": idle}}, indent=1))


if __name__ == "__main__":
    main()
