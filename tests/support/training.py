"""Tiny data sets, generated."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_data(folder: Path, *, classes: int = 3, train: int = 8, test: int = 4, size: int = 20) -> Path:
    """train/ and test/ of coloured noise: the class is the brightest band, so that it can be learnt."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for label in range(classes):
            place = folder / split / f"class{label}"
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (size, size, 3), dtype=np.uint8)
                pixels[..., label % 3] += 100
                Image.fromarray(pixels).save(place / f"{number:02}.png")
    return folder
