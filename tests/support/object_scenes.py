"""Tiny scenes with objects, cut by `loupe-train data tile`, and a recipe of two steps for them."""

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from training.cli import app

RECIPE = """
name = "tiny"
objects = "pebbles"
seed = 0
pretrained = false
policy_backbone = "efficientnet_lite0"
members = 2
views = 2
policy = { epochs = 2, learning_rate = 1e-3, batch = 2 }
counter_backbone = "efficientnet_lite0"
counter_windows = 4
counter = { epochs = 1, learning_rate = 1e-3, batch = 2 }
"""


def cut_tiny_scenes(root: Path) -> Path:
    """Cut six scenes of 2 x 2 tiles of 40 m, at six sites in two folds, to root/cut; write root/tiny.toml."""
    random = np.random.default_rng(0)
    (root / "scenes").mkdir()
    boxes = ["scene,x0,y0,x1,y1"]
    for number in range(6):
        pixels = random.integers(0, 256, (80, 80, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"scenes/s{number}.png")
        boxes += [f"s{number},{x},{y},{x + 3},{y + 3}" for x, y in random.integers(0, 76, (8, 2))]
    (root / "boxes.csv").write_text("\n".join(boxes))
    (root / "tiny.toml").write_text(RECIPE)
    places = [f"s{number},{number},{number % 2}" for number in range(6)]
    (root / "sites.csv").write_text("\n".join(["scene,site,fold", *places]))
    result = CliRunner().invoke(
        app,
        [
            *["data", "tile", str(root / "scenes"), "--objects", str(root / "boxes.csv")],
            *["--out", str(root / "cut"), "--pixel-m", "1", "--tile-m", "40", "--lr-m", "5"],
            *["--classes", "1,3", "--licence", "CC BY 4.0", "--sites", str(root / "sites.csv")],
        ],
    )
    assert result.exit_code == 0, result.output
    return root
