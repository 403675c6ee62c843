"""Fig. 5's labs: LR of other sizes, made from the same HR."""

import torch

from tests.support.lab import tiny_lab
from training.paper.sweeps import coarser


def test_another_ratio_changes_lr_and_what_looks_at_it(tmp_path):
    """The LR stream's input too: shrunk back to the recipe's, every finer LR would be the same."""
    lab = tiny_lab(tmp_path, lr_input=8)  # LR of 4 px, seen at twice its size
    finer = coarser(lab, 8)
    assert (finer.recipe.lr_size, finer.recipe.policy_input, finer.recipe.lr_input) == (8, 8, 16)
    assert finer.images.lr.shape[-1] == finer.test.lr.shape[-1] == 8
    blocks = lab.images.hr.float().unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
    assert torch.allclose(finer.images.lr.float(), blocks, atol=0.5)
