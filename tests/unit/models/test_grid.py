import pytest
import torch

from models.grid import PATCHES, patch_slices, row_col
from models.preprocess import mask_image

FIGURE_3 = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
]


def test_row_col_counts_down_the_columns_as_figure_3_does() -> None:
    for index in range(PATCHES):
        row, col = row_col(index)
        assert FIGURE_3[row][col] == index


@pytest.mark.parametrize("index", [-1, 16])
def test_row_col_refuses_an_index_outside_the_grid(index: int) -> None:
    with pytest.raises(ValueError, match=str(index)):
        row_col(index)


def test_patch_slices_cut_where_figure_3_draws_the_patch() -> None:
    assert patch_slices(4, 160) == (slice(0, 40), slice(40, 80))
    assert patch_slices(3, 160) == (slice(120, 160), slice(0, 40))


@pytest.mark.parametrize("size", [0, 10, -4])
def test_patch_slices_refuse_a_size_that_4_does_not_divide(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        patch_slices(0, size)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
@pytest.mark.parametrize("index", range(PATCHES))
def test_mask_image_covers_exactly_the_pixels_of_the_patch(index: int, dtype: torch.dtype) -> None:
    selected = torch.zeros(2, PATCHES, dtype=dtype)
    selected[1, index] = 1
    expected = torch.zeros(2, 1, 8, 8)
    rows, cols = patch_slices(index, 8)
    expected[1, 0, rows, cols] = 1
    assert torch.equal(mask_image(selected, 8), expected)
