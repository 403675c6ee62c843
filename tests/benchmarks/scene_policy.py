"""Tiles per second of one policy of whole scenes, as ratios to five networks for each tile.

    OMP_NUM_THREADS=1 python tests/benchmarks/scene_policy.py

Five networks per tile are those of the starter bundle: its policy in four views, and its LR stream. The
policy of scenes has the same backbone, and random weights, which take the same time; it is measured in one
view, in two and in all eight. Every round asks each of them in turn, in this process, for the same number of
tiles. Prints medians of tiles per second of CPU time, and their ratios to the starter bundle.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from models.bundle import build_bundle
from models.grid import GRID
from models.manifest import ClassifyManifest
from service.bundles.counting import CountPredictor
from service.bundles.predictor import Pixels, Predictor
from service.bundles.registry import open_bundles
from tests.support.bundles import make_count_manifest
from training.run.provenance import git_revision, hardware

STARTER = Path(__file__).parents[2] / "models" / "bundles" / "starter"


def scene_policy(backbone: str, patch_px: int, views: int) -> CountPredictor:
    """Return a bundle that counts, with random weights, ready to use."""
    manifest = make_count_manifest(policy_backbone=backbone, lr_size=patch_px * GRID, views=views)
    predictor = CountPredictor(manifest, "0" * 64, torch.device("cpu"), lambda: build_bundle(manifest))
    predictor.prepare()
    return predictor


def judge(predictor: Predictor, side: int) -> Callable[[], object]:
    """Return the work of judging a scene of side x side tiles at once."""
    pixels, eligible = _scene(predictor, side), np.ones(side * side, np.bool_)
    return lambda: predictor.judge(pixels, eligible, side)


def _scene(predictor: Predictor, side: int) -> Pixels:
    size = predictor.manifest.lr_size
    return np.random.default_rng(0).integers(0, 256, (side * side, 3, size, size), dtype=np.uint8)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time that one call takes in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Judge, and print JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=8, help="tiles along a side of the scene")
    parser.add_argument("--patch-px", type=int, default=19, help="LR pixels along a patch")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    bundles = open_bundles(STARTER.parent, STARTER.name, "cpu")
    manifest = bundles.default.manifest
    if not isinstance(manifest, ClassifyManifest):
        raise TypeError(f"the starter bundle is of kind {manifest.kind}")
    backbone = manifest.backbones["policy"]
    one, two, eight = (scene_policy(backbone, options.patch_px, views) for views in (1, 2, 8))
    ways = {
        "five networks per tile": judge(bundles.default, options.side),
        "once per scene": judge(one, options.side),
        "once per scene, two views": judge(two, options.side),
        "once per scene, eight views": judge(eight, options.side),
    }
    judge(one, 2)()  # the first call is slower
    rounds = [{name: cpu_seconds(work) for name, work in ways.items()} for _ in range(options.repeats)]
    speeds = {name: options.side**2 / median(one[name] for one in rounds) for name in ways}
    first = speeds["five networks per tile"]
    facts = {"hardware": hardware(torch.device("cpu")), "commit": git_revision(), "torch": torch.__version__}
    found = {
        name: {"tiles_per_s": round(speed, 1), "ratio": round(speed / first, 2)}
        for name, speed in speeds.items()
    }
    print(json.dumps({**facts, "tiles": options.side**2, "backbone": backbone, **found}, indent=1))


if __name__ == "__main__":
    main()
