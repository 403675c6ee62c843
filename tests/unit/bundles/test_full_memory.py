"""Prediction when the machine runs out of memory: in a process of its own with a real limit of the kernel."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import torch

from tests.support.bundles import LR_SIZE, hold, make_bundle

ROOT = Path(__file__).parent.parent.parent.parent
TILES = 8_192
MIB = 2**20


def test_smaller_batches_answer_the_same_in_less_memory() -> None:
    command = [sys.executable, "-m", "tests.unit.bundles.test_full_memory", "24"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == f"all {TILES} tiles as before\n"


def main(room_mib: int) -> None:
    """Predict all tiles in one batch while the process may grow by `room_mib`, and compare with before."""
    torch.set_num_threads(1)
    predictor = hold(make_bundle())
    tiles = np.random.default_rng(0).integers(0, 256, (TILES, 3, LR_SIZE, LR_SIZE), dtype=np.uint8)
    predictor.batch = 64
    before = predictor.utilities(tiles)
    predictor.batch = TILES
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + room_mib * MIB, resource.RLIM_INFINITY))
    after = predictor.utilities(tiles)
    same = np.isclose(before, after, atol=1e-5).all(axis=1)
    sys.stdout.write(f"all {same.sum()} tiles as before\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
