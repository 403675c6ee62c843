"""The data of Fig. 5: LR of other sizes, averaged from the same HR."""

from pathlib import Path

import torch

from tests.support.training import tiny_run
from training.data.images import Images
from training.paper.sweeps import at_lr_size, coarser


def test_coarser_and_at_lr_size_change_lr_and_the_inputs_that_read_it(tmp_path: Path) -> None:
    tiny = tiny_run(tmp_path, lr_input=8)  # LR of 4 px, upsampled to twice its size
    finer, recipe = coarser(tiny.splits, 8), at_lr_size(tiny.recipe, 8)
    assert (recipe.lr_size, recipe.policy_input, recipe.lr_input) == (8, 8, 16)
    assert isinstance(finer.images, Images)
    assert isinstance(finer.test, Images)
    assert isinstance(tiny.splits.images, Images)
    assert finer.images.lr.shape[-1] == finer.test.lr.shape[-1] == 8
    blocks = tiny.splits.images.hr.float().reshape(-1, 3, 8, 2, 8, 2).mean((3, 5))
    assert torch.allclose(finer.images.lr.float(), blocks, atol=0.5)
