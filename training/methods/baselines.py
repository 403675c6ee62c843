"""Baselines that choose patches without looking at the tile: Fixed-H, Fixed-V, Stochastic (section 5.2)."""

import torch
from torch import Tensor

from models.fixed_orders import FIXED_H, FIXED_V
from models.grid import GRID, PATCHES, row_col
from training.methods.masks import top_masks

STOCHASTIC_SEEDS = 5


def blind_choices(name: str, size: int, count: int) -> list[Tensor]:
    """Return what fixed_h, fixed_v or stochastic buy: one mask bool (count, 16) for each draw."""
    if name == "stochastic":
        # One draw would measure luck: its accuracy is a mean over seeds.
        return [stochastic_masks(size, count, seed) for seed in range(STOCHASTIC_SEEDS)]
    return [fixed_masks(FIXED_H if name == "fixed_h" else FIXED_V, size, count)]


def fixed_masks(order: tuple[int, ...], size: int, count: int) -> Tensor:
    """Return the first `size` patches of the order for each of `count` tiles: bool (count, 16)."""
    mask = torch.zeros(PATCHES, dtype=torch.bool)
    mask[list(order[:size])] = True
    return mask.repeat(count, 1)


def in_fixed_order(scores: Tensor, order: tuple[int, ...]) -> Tensor:
    """Reassign each tile's scores (B, 16) so that the largest goes to the order's first patch."""
    # Any threshold then buys as many patches of a tile as before, but the first ones of the order.
    ordered = scores.sort(dim=1, descending=True).values
    return torch.empty_like(ordered).index_copy_(1, torch.tensor(order), ordered)


def survival_weights() -> Tensor:
    """Return Stochastic's weight of each patch, (16,): 0.7 at the centre, 0.1 in the corners.

    The paper gives no formula. Ours follows stochastic depth: w = 1 - 0.9 d / d_max with d the distance of
    the patch's centre from the image's.
    """
    middle = (GRID - 1) / 2
    places = (row_col(index) for index in range(PATCHES))
    distance = torch.tensor([((row - middle) ** 2 + (col - middle) ** 2) ** 0.5 for row, col in places])
    return 1 - 0.9 * distance / distance.max()


def stochastic_masks(size: int, count: int, seed: int | None) -> Tensor:
    """Draw `size` patches for each of `count` tiles: bool (count, 16).

    Without a seed they come from torch's own generator.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    uniform = torch.rand(count, PATCHES, generator=generator, dtype=torch.float64).clamp_min(1e-12)
    # Gumbel-top-S: the S largest of log w + Gumbel noise are S draws without replacement, weighted by w.
    keys = survival_weights().double().log() - torch.log(-torch.log(uniform))
    return top_masks(keys, size)
