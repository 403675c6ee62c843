"""The orders in which methods buy patches: the scene policy and its rivals.

A preference is a number per patch, float64 (N, 16); larger is bought earlier. Fixed orders prefer the same
patches in every tile: tiles were turned at random when they were cut, so that none profits from framing.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from models.fixed_orders import FIXED_H, FIXED_V
from models.grid import PATCHES
from training.methods.baselines import survival_weights
from training.objects.tiles import ObjectTiles

Preference = Callable[[ObjectTiles, int], Tensor]
"""Function of the tiles to buy from and a seed to float64 (N, 16)."""


def _fixed(order: tuple[int, ...]) -> Preference:
    def prefer(tiles: ObjectTiles, _seed: int) -> Tensor:
        values = torch.empty(PATCHES, dtype=torch.float64)
        values[list(order)] = torch.arange(PATCHES, 0, -1, dtype=torch.float64)
        return values.repeat(len(tiles), 1)

    return prefer


def _stochastic(tiles: ObjectTiles, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(tiles), PATCHES, generator=generator, dtype=torch.float64).clamp_min(1e-12)
    # Gumbel noise on log weights: any number of the largest is a draw without replacement.
    return survival_weights().double().log() - torch.log(-torch.log(uniform))


def _learnt_fixed(tiles: ObjectTiles, _seed: int) -> Tensor:
    return tiles.learnt_counts.expand(len(tiles), PATCHES)


ORDERS: dict[str, Preference] = {
    "Fixed-H": _fixed(FIXED_H),
    "Fixed-V": _fixed(FIXED_V),
    "Stochastic": _stochastic,
    "Learnt fixed order": _learnt_fixed,
    "LR texture": lambda tiles, _seed: tiles.texture,
    "Presence from LR": lambda tiles, _seed: tiles.presence,
    "Loupe: variance from LR, for counts": lambda tiles, _seed: tiles.variance,
    "Loupe: expected count from LR": lambda tiles, _seed: tiles.mean,
    "Oracle: true count": lambda tiles, _seed: tiles.counts,
}
"""Every order by its name in tables."""

OURS = "Loupe: expected count from LR"
ORACLE = "Oracle: true count"
FIXED = ("Fixed-H", "Fixed-V", "Stochastic", "Learnt fixed order")
"""Orders that do not look at the tile: one budget over all tiles changes nothing for them."""
RIVALS = (*FIXED, "LR texture")
"""Orders that need no network."""


def buy_per_tile(preference: Tensor, patches: int) -> Tensor:
    """Buy the same number of patches of every tile: bool (N, 16). Equal values go by patch index."""
    rank = preference.argsort(dim=1, descending=True, stable=True).argsort(1)
    return rank < patches


def buy_portfolio(preference: Tensor, patches: float) -> Tensor:
    """Buy `patches` per tile on average, wherever they are preferred most: bool (N, 16)."""
    flat = preference.flatten()
    bought = torch.zeros(len(flat), dtype=torch.bool)
    bought[flat.argsort(descending=True, stable=True)[: round(patches * len(preference))]] = True
    return bought.reshape(preference.shape)
