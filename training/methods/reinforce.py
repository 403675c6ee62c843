"""Policy gradient over independent patches with a self-critical baseline (eqs. 5, 8 to 11). Pure."""

import torch
from torch import Tensor


def log_probability(actions: Tensor, probabilities: Tensor) -> Tensor:
    """log pi(a | x) of eq. 5, *summed* over patches: (B, P), (B, P) -> (B,).

    The authors' code averages over patches instead; eq. 9 sums.
    """
    likelihood = torch.where(actions.bool(), probabilities, 1 - probabilities)
    return likelihood.clamp_min(1e-8).log().sum(-1)


def temper(probabilities: Tensor, alpha: float) -> Tensor:
    """Eq. 11: alpha s + (1 - alpha)(1 - s), shape kept. For alpha > 0.5 the greedy choice stays the same."""
    return alpha * probabilities + (1 - alpha) * (1 - probabilities)


def greedy_actions(probabilities: Tensor) -> Tensor:
    """The served decision, from probabilities without exploration: bool, shape kept."""
    return probabilities >= 0.5


def self_critical_loss(
    sampled_reward: Tensor, greedy_reward: Tensor, actions: Tensor, probabilities: Tensor
) -> Tensor:
    """-mean of A * log pi, A = R(sampled) - R(greedy) (eqs. 9, 10); its gradient is minus eq. 8's estimate.

    Rewards (B,) are constants; `probabilities` (B, P) are those that `actions` were drawn from (eq. 11).
    """
    advantage = (sampled_reward - greedy_reward).detach()
    return -(advantage * log_probability(actions, probabilities)).mean()


def alpha_at(progress: float, start: float, end: float) -> float:
    """Eq. 11's alpha: linear from start to end over the first four fifths of a stage, then held."""
    return start + (end - start) * min(1.0, progress / 0.8)
