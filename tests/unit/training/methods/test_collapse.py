"""Policy collapse: when it is reported, and when not."""

import pytest
import torch

from training.methods.reinforce import collapse


def test_collapse_names_the_choice_that_every_tile_gets() -> None:
    nothing, everything = torch.zeros(200, 16).bool(), torch.ones(200, 16).bool()
    assert "buys nothing" in (collapse(nothing) or "")
    assert "buys every patch" in (collapse(everything) or "")
    same = nothing.clone()
    same[:, [5, 6]] = True
    assert "[5, 6]" in (collapse(same) or "")


@pytest.mark.parametrize("different", [0, 2])
def test_collapse_is_reported_although_one_tile_in_a_hundred_differs(different: int) -> None:
    masks = torch.zeros(200, 16).bool()
    masks[:, 3] = True
    masks[:different, 4] = True
    assert collapse(masks) is not None


def test_collapse_ignores_a_policy_whose_choices_differ() -> None:
    masks = torch.zeros(200, 16).bool()
    masks[:, 3] = True
    masks[:3, 4] = True
    assert collapse(masks) is None
