"""Fig. 5's labs: LR of other sizes, made from the same HR."""

import torch

from tests.support.training import tiny_run
from training.paper.sweeps import at_lr_size, coarser


def test_another_ratio_changes_lr_and_what_looks_at_it(tmp_path):
    """The LR stream's input too: shrunk back to the recipe's, every finer LR would be the same."""
    lab = tiny_run(tmp_path, lr_input=8)  # LR of 4 px, seen at twice its size
    finer, recipe = coarser(lab.splits, 8), at_lr_size(lab.recipe, 8)
    assert (recipe.lr_size, recipe.policy_input, recipe.lr_input) == (8, 8, 16)
    assert finer.images.lr.shape[-1] == finer.test.lr.shape[-1] == 8
    blocks = lab.splits.images.hr.float().unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
    assert torch.allclose(finer.images.lr.float(), blocks, atol=0.5)
