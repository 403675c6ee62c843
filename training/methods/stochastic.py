"""The paper's Stochastic baseline: the nearer a patch to the centre, the likelier it survives.

The paper gives no formula. Ours follows stochastic depth: w = 1 - 0.9 d / d_max with d the distance
of the patch's centre from the image's, and Gumbel-top-S on log w draws exactly S without replacement.
"""

import torch
from torch import Tensor

from models.grid import GRID, PATCHES, row_col
from training.methods.masks import top_masks


def survival_weights() -> Tensor:
    """w of each patch (16,): 0.7 at the centre, 0.1 in the corners."""
    middle = (GRID - 1) / 2
    places = (row_col(index) for index in range(PATCHES))
    distance = torch.tensor([((row - middle) ** 2 + (col - middle) ** 2) ** 0.5 for row, col in places])
    return 1 - 0.9 * distance / distance.max()


def stochastic_masks(size: int, count: int, seed: int | None) -> Tensor:
    """`size` random patches for each of `count` tiles, bool (count, 16); no seed: torch's own generator."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    uniform = torch.rand(count, PATCHES, generator=generator, dtype=torch.float64).clamp_min(1e-12)
    keys = survival_weights().double().log() - torch.log(-torch.log(uniform))
    return top_masks(keys, size)
