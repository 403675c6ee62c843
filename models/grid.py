"""The 4 x 4 patch grid of a tile, numbered column-major as in the paper's Fig. 3.

0  4  8 12
1  5  9 13
2  6 10 14
3  7 11 15

The module is plain Python without torch, because the planner and the command line import it too.
"""

GRID = 4
PATCHES = GRID * GRID


def row_col(index: int) -> tuple[int, int]:
    """Return the row (index % 4) and column (index // 4) of a patch. Raise ValueError outside 0..15."""
    if not 0 <= index < PATCHES:
        raise ValueError(f"The patch index {index} is not in 0..{PATCHES - 1}.")
    return index % GRID, index // GRID


def patch_slices(index: int, size: int) -> tuple[slice, slice]:
    """Return the row slice and the column slice, in pixels, of a patch in a size x size tile."""
    row, col = row_col(index)
    step = patch_side(size)
    return slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step)


def patch_side(size: int) -> int:
    """Return a patch's side in pixels in a size x size tile. Raise ValueError unless 4 divides size."""
    if size <= 0 or size % GRID:
        raise ValueError(f"The tile size of {size} px is not a positive multiple of {GRID}.")
    return size // GRID
