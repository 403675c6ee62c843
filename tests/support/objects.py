"""Hand-made scenes with objects, as networks would see them."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.grid import GRID, PATCHES
from training.objects.maps import FACTORS, SceneMap


def scene_map(
    counts: NDArray[np.float64],
    *,
    mean: NDArray[np.float64] | None = None,
    name: str = "a",
    site: str = "",
    turns: tuple[int, ...] | None = None,
) -> SceneMap:
    """Return a scene of these true counts (R, C), read without error; LR expects `mean`, or the truth."""
    true = torch.from_numpy(np.asarray(counts, np.float64))
    expected = true.clamp_min(0.01) if mean is None else torch.from_numpy(np.asarray(mean, np.float64))
    layers = {
        "counts": true,
        "mean": expected,
        "variance": 1.5 * expected,
        "presence": 1 - torch.exp(-expected),
        "read": true,
        "read_variance": torch.zeros_like(true),
        "texture": expected,
        "brightness": expected,
    }
    tiles = true.numel() // PATCHES
    learnt = {factor: torch.zeros(PATCHES, dtype=torch.float64) for factor in FACTORS}
    return SceneMap(name=name, site=site or name, turns=turns or (0,) * tiles, layers=layers, learnt=learnt)


def random_scenes(number: int, side: int = GRID, seed: int = 0) -> tuple[SceneMap, ...]:
    """Return scenes of `side` tiles a side at as many sites, with clustered objects and a noisy LR."""
    random = np.random.default_rng(seed)
    maps = []
    for at in range(number):
        rates = np.zeros((GRID * side, GRID * side))
        for row, column in random.integers(0, GRID * side - 1, (side, 2)):
            rates[row : row + 2, column : column + 2] += random.gamma(2.0, 3.0)
        counts = random.poisson(rates).astype(np.float64)
        noisy = rates * random.uniform(0.7, 1.4, rates.shape) + random.uniform(0.01, 0.3, rates.shape)
        turns = tuple(random.integers(0, 8, side * side).tolist())
        maps.append(scene_map(counts, mean=noisy, name=f"s{at}", turns=turns))
    return tuple(maps)
