"""Random choices of patches, for training classifiers and for asking them what patches are worth."""

import torch
from torch import Tensor

from models.grid import GRID, PATCHES

_INDEX = torch.arange(PATCHES)
CENTRES = torch.stack((_INDEX % GRID, _INDEX // GRID), dim=1).float()
"""Row and column of each patch (16, 2)."""


def top_masks(values: Tensor, sizes: Tensor | int) -> Tensor:
    """The patches with the largest values (B, 16), sizes (B,) of them or the same number of each tile.

    The lower index first where equal. bool (B, 16).
    """
    rank = values.argsort(dim=1, descending=True, stable=True).argsort(1)
    return rank < torch.as_tensor(sizes, device=values.device).reshape(-1, 1)


def masks_of_sizes(sizes: Tensor, clustered: Tensor) -> Tensor:
    """Choose sizes (B,) patches: uniformly, or near a random spot where clustered (B,). bool (B, 16)."""
    count = len(sizes)
    noise = -torch.log(-torch.log(torch.rand(count, PATCHES).clamp(1e-9, 1 - 1e-7)))  # Gumbel
    spot = torch.rand(count, 1, 2) * (GRID - 1)
    nearness = -((CENTRES - spot) ** 2).sum(2) * clustered.float().unsqueeze(1)
    return top_masks(noise + nearness, sizes)


def training_masks(count: int, unmasked: float = 1 / 3) -> Tensor:
    """A third full, so that S = 16 stays as good as the plain HR network; small S more often than large."""
    weights = 1.0 / (torch.arange(1.0, PATCHES) + 3)  # of S = 1 .. 15
    sizes = 1 + torch.multinomial(weights, count, replacement=True)
    sizes[torch.rand(count) < unmasked] = PATCHES
    return masks_of_sizes(sizes, torch.rand(count) < 0.5)


def asking_masks(count: int, masks: int) -> Tensor:
    """bool (count, masks, 16): the empty choice, then sizes 1 to 10, where the policy will operate."""
    sizes = torch.randint(1, 11, (count * masks,))
    chosen = masks_of_sizes(sizes, torch.rand(count * masks) < 0.5).reshape(count, masks, PATCHES)
    chosen[:, 0] = False
    return chosen
