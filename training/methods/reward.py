"""The reward of the paper (section 3.3). Pure."""

import torch
from torch import Tensor


def reward(correct: Tensor, selected: Tensor, sigma: float, prices: Tensor | None = None) -> Tensor:
    """1 - (|a|_1 / P)^2 where the label is right, -sigma where it is wrong: (B,), (B, P) -> (B,).

    `correct` may also be the probability given to the true label: the reward is then its
    expectation over labels drawn from the classifier, with less variance than a 0/1 outcome.
    With `prices` (P,) or (B, P), |a|_1 / P becomes the bought share of the total price;
    equal prices give back the paper's reward.
    """
    right = correct.to(torch.float32)
    return right * (1 - bought_share(selected, prices) ** 2) - (1 - right) * sigma


def bought_share(selected: Tensor, prices: Tensor | None = None) -> Tensor:
    """Share of the patches, or of their total price, that is bought: (B, P) -> (B,)."""
    chosen = selected.to(torch.float32)
    if prices is None:
        return chosen.mean(-1)
    return (chosen * prices).sum(-1) / prices.expand_as(chosen).sum(-1)
