"""Random choices of patches: for training classifiers, and for querying what patches are worth."""

import torch
from torch import Tensor

from models.grid import GRID, PATCHES

_INDEX = torch.arange(PATCHES)
# Column-major, as everywhere: the row is the id's remainder.
CENTRES = torch.stack((_INDEX % GRID, _INDEX // GRID), dim=1).float()
"""Row and column of each patch (16, 2)."""


def top_masks(values: Tensor, sizes: Tensor | int) -> Tensor:
    """Select the patches with the largest values (B, 16): bool (B, 16).

    `sizes` (B,) says how many of each tile; a number selects as many of every tile. Among equal values the
    lower index comes first.
    """
    # argsort of argsort is the rank: unlike a threshold it selects exactly as many among equals.
    rank = values.argsort(dim=1, descending=True, stable=True).argsort(1)
    return rank < torch.as_tensor(sizes, device=values.device).reshape(-1, 1)  # (B, 16) < (B, 1)


def masks_of_sizes(sizes: Tensor, clustered: Tensor) -> Tensor:
    """Draw sizes (B,) patches of each tile: uniformly, or near a random spot where clustered (B,) is true.

    Returns bool (B, 16).
    """
    count = len(sizes)
    # Clamped from above more widely than from below: 1 - 1e-9 is 1 in float32, and its log would be 0.
    noise = -torch.log(-torch.log(torch.rand(count, PATCHES).clamp(1e-9, 1 - 1e-7)))  # Gumbel
    spot = torch.rand(count, 1, 2) * (GRID - 1)
    nearness = -((CENTRES - spot) ** 2).sum(2) * clustered.float().unsqueeze(1)  # (B, 16)
    return top_masks(noise + nearness, sizes)


def training_masks(count: int, unmasked: float = 1 / 3) -> Tensor:
    """Draw the choices that a mask-trained classifier learns from: bool (count, 16)."""
    weights = 1.0 / (torch.arange(1.0, PATCHES) + 3)  # for S = 1 .. 15: small S more often than large
    sizes = 1 + torch.multinomial(weights, count, replacement=True)
    # A third is full, so that S = 16 stays as good as the plain HR network.
    sizes[torch.rand(count) < unmasked] = PATCHES
    return masks_of_sizes(sizes, torch.rand(count) < 0.5)


def query_masks(count: int, masks: int) -> Tensor:
    """Draw the choices that an ensemble is queried about: bool (count, masks, 16), the first one empty."""
    # Sizes 1 to 10, where the policy will operate; the empty choice says what the LR stream alone loses.
    sizes = torch.randint(1, 11, (count * masks,))
    chosen = masks_of_sizes(sizes, torch.rand(count * masks) < 0.5).reshape(count, masks, PATCHES)
    chosen[:, 0] = False
    return chosen
