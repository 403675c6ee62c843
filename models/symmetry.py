"""The eight symmetries of a square, for tiles and for the values of their patches.

An overhead image has no upper side, so each of its symmetries is an equally valid image.
"""

import torch
from torch import Tensor

from models.grid import GRID

SYMMETRIES = 8


def dihedral(images: Tensor, k: int) -> Tensor:
    """Turn images (B, C, H, H) by k % 4 quarter turns, then mirror them if k >= 4."""
    turned = torch.rot90(images, k % 4, (2, 3))
    return turned.flip(3) if k >= 4 else turned


def inverse(k: int) -> int:
    """Return the symmetry that undoes k."""
    return k if k >= 4 else -k % 4  # a turn followed by a mirror is its own inverse


def dihedral_patches(values: Tensor, k: int) -> Tensor:
    """Move the values (..., 16) of patches as `dihedral` moves the pixels of those patches."""
    grids = values.reshape(-1, 1, GRID, GRID).transpose(2, 3)  # (..., 16), column-major -> (B, 1, row, col)
    # The inverse of that reshape: transpose back to (B, 1, col, row) before flattening.
    return dihedral(grids, k).transpose(2, 3).reshape(values.shape)
