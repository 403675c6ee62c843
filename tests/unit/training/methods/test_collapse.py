import pytest
import torch

from training.methods.collapse import collapse


def test_says_in_words_what_collapsed():
    nothing, everything = torch.zeros(200, 16).bool(), torch.ones(200, 16).bool()
    assert "buys nothing" in collapse(nothing)
    assert "buys every patch" in collapse(everything)
    same = nothing.clone()
    same[:, [5, 6]] = True
    assert "[5, 6]" in collapse(same)


@pytest.mark.parametrize("different", [0, 2])
def test_one_tile_in_a_hundred_may_differ(different):
    masks = torch.zeros(200, 16).bool()
    masks[:, 3] = True
    masks[:different, 4] = True
    assert collapse(masks) is not None


def test_a_policy_that_looks_is_left_alone():
    masks = torch.zeros(200, 16).bool()
    masks[:, 3] = True
    masks[:3, 4] = True
    assert collapse(masks) is None
