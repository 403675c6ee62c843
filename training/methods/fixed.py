"""The paper's fixed orders (section 5.2), patches numbered column-major."""

import torch
from torch import Tensor

from models.grid import PATCHES

FIXED_H = (5, 6, 9, 10, 13, 14, 1, 2, 0, 3, 4, 7, 8, 11, 12, 15)
"""The centre, then the two middle rows outwards. The paper prints 15 ids; 12, paired with 15, is ours."""

FIXED_V = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3)
"""The two middle columns, then the right one, then the left one."""


def fixed_masks(order: tuple[int, ...], size: int, count: int) -> Tensor:
    """The first `size` patches of the order for each of `count` tiles: bool (count, 16)."""
    mask = torch.zeros(PATCHES, dtype=torch.bool)
    mask[list(order[:size])] = True
    return mask.repeat(count, 1)


def in_fixed_order(scores: Tensor, order: tuple[int, ...]) -> Tensor:
    """Each tile's scores (B, 16) handed out anew, the largest to the order's first patch.

    Any threshold then buys as many patches of a tile as before, but the first ones of the order.
    """
    ordered = scores.sort(dim=1, descending=True).values
    return torch.empty_like(ordered).index_copy_(1, torch.tensor(order), ordered)
