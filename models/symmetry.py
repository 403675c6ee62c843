"""The eight symmetries of a square, applied alike to tiles and to values of their patches.

Overhead images have no up: every symmetry of one is as good an image.
"""

import torch
from torch import Tensor

from models.grid import GRID

SYMMETRIES = 8


def dihedral(images: Tensor, k: int) -> Tensor:
    """Turn (B, C, H, H) by k % 4 quarters, then mirror if k >= 4."""
    turned = torch.rot90(images, k % 4, (2, 3))
    return turned.flip(3) if k >= 4 else turned


def inverse(k: int) -> int:
    """The symmetry that undoes k: a mirrored turn undoes itself."""
    return k if k >= 4 else -k % 4


def dihedral_patches(values: Tensor, k: int) -> Tensor:
    """Move values (..., 16) of patches as `dihedral` moves the pixels of those patches."""
    grids = values.reshape(-1, 1, GRID, GRID).transpose(2, 3)  # column-major -> (B, 1, row, col)
    return dihedral(grids, k).transpose(2, 3).reshape(values.shape)
