"""The 4 x 4 patch grid of a tile, numbered column-major as in the paper's Fig. 3.

0  4  8 12
1  5  9 13
2  6 10 14
3  7 11 15
"""

import torch
from torch import Tensor

GRID = 4
PATCHES = GRID * GRID


def row_col(index: int) -> tuple[int, int]:
    """Row and column of a patch: row = index % 4, col = index // 4. ValueError outside 0..15."""
    if not 0 <= index < PATCHES:
        raise ValueError(f"patch index {index} is not in 0..{PATCHES - 1}")
    return index % GRID, index // GRID


def patch_slices(index: int, size: int) -> tuple[slice, slice]:
    """Row slice and column slice, in pixels, of a patch in a size x size tile."""
    row, col = row_col(index)
    step = _step(size)
    return slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step)


def mask_image(selected: Tensor, size: int) -> Tensor:
    """Spread a choice of patches (B, 16) over the pixels of its tile: (B, 1, size, size), 1 = bought."""
    step = _step(size)
    values = selected if selected.is_floating_point() else selected.to(torch.float32)
    grid = values.reshape(-1, 1, GRID, GRID).transpose(2, 3)  # (B, 1, col, row) -> (B, 1, row, col)
    return grid.repeat_interleave(step, 2).repeat_interleave(step, 3)


def _step(size: int) -> int:
    if size <= 0 or size % GRID:
        raise ValueError(f"tile size {size} px is not a positive multiple of {GRID}")
    return size // GRID
