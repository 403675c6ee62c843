"""REINFORCE with two patches and four choices, every quantity written out."""

import pytest
import torch
from torch import Tensor

from models.policy import utilities
from training.methods.reinforce import (
    alpha_at,
    bought_share,
    greedy_actions,
    log_probability,
    reward,
    self_critical_loss,
    temper,
)

CHOICES = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]]).bool()
SIGMA = 0.5


@pytest.mark.parametrize(
    ("correct", "expected"),
    [
        (1.0, [1.0, 0.75, 0.75, 0.0]),  # 1 - (S / 2)^2
        (0.0, [-0.5, -0.5, -0.5, -0.5]),
        (0.5, [0.25, 0.125, 0.125, -0.25]),  # the mean of the two
    ],
)
def test_reward_of_each_choice(correct: float, expected: list[float]) -> None:
    assert reward(torch.full((4,), correct), CHOICES, SIGMA).tolist() == expected


def test_reward_with_prices_counts_money() -> None:
    prices = torch.tensor([1.0, 3.0])
    assert reward(torch.ones(4), CHOICES, SIGMA, prices).tolist() == [1.0, 0.9375, 0.4375, 0.0]


def test_reward_with_equal_prices_is_the_papers_in_any_order() -> None:
    correct, prices = torch.tensor([1.0, 0.0, 0.3, 1.0]), torch.full((2,), 7.0)
    plain = reward(correct, CHOICES, SIGMA)
    assert torch.equal(reward(correct, CHOICES, SIGMA, prices), plain)
    assert torch.equal(reward(correct, CHOICES.flip(1), SIGMA, prices), plain)
    assert bought_share(CHOICES, prices).tolist() == [0.0, 0.5, 0.5, 1.0]


def test_log_probability_sums_over_patches() -> None:
    s = torch.tensor([0.8, 0.3], dtype=torch.float64)
    expected = [0.2 * 0.7, 0.8 * 0.7, 0.2 * 0.3, 0.8 * 0.3]
    assert log_probability(CHOICES, s.expand(4, 2)).exp().tolist() == pytest.approx(expected)


def enumerated(logits: Tensor, rewards: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities and chances of the four choices, and the expected reward."""
    probabilities = temper(utilities(logits), alpha).expand(4, 2)
    chances = log_probability(CHOICES, probabilities).exp()
    return probabilities, chances, (chances * rewards).sum()


@pytest.mark.parametrize("alpha", [0.8, 1.0])
@pytest.mark.parametrize("greedy_reward", [0.0, 0.75])
def test_self_critical_gradient_is_exact_on_average_for_any_baseline(
    alpha: float, greedy_reward: float
) -> None:
    rewards = reward(torch.tensor([0.1, 0.9, 0.4, 1.0]), CHOICES, SIGMA).double()
    exact = torch.tensor([0.4, -0.7], dtype=torch.float64, requires_grad=True)
    torch.autograd.backward(enumerated(exact, rewards, alpha)[2])

    logits = exact.detach().clone().requires_grad_()
    probabilities, chances, _ = enumerated(logits, rewards, alpha)
    baseline = torch.full((1,), greedy_reward, dtype=torch.float64)
    losses = [
        chances[i].detach()
        * self_critical_loss(rewards[i : i + 1], baseline, CHOICES[i : i + 1], probabilities[i : i + 1])
        for i in range(4)
    ]
    torch.autograd.backward(torch.stack(losses).sum())
    assert logits.grad is not None
    assert exact.grad is not None
    assert torch.allclose(-logits.grad, exact.grad)
    assert exact.grad.abs().min() > 1e-3


def test_self_critical_loss_makes_a_sample_better_than_greedy_likelier() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    action = torch.tensor([[True, False]])
    torch.autograd.backward(self_critical_loss(torch.ones(1), torch.zeros(1), action, utilities(logits)))
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]


def test_self_critical_loss_sends_no_gradient_to_rewards() -> None:
    earned = torch.ones(1, requires_grad=True)
    s = torch.full((1, 2), 0.4, requires_grad=True)
    torch.autograd.backward(self_critical_loss(earned, torch.zeros(1), CHOICES[:1], s))
    assert earned.grad is None


def test_self_critical_loss_learns_nothing_from_a_sample_as_good_as_greedy() -> None:
    s = torch.full((1, 2), 0.4, requires_grad=True)
    earned = torch.full((1,), 0.75)
    torch.autograd.backward(self_critical_loss(earned, earned.clone(), CHOICES[1:2], s))
    assert s.grad is not None
    assert s.grad.abs().max() == 0


def test_greedy_actions_buy_from_one_half() -> None:
    assert greedy_actions(torch.tensor([0.49, 0.5, 0.51])).tolist() == [False, True, True]


@pytest.mark.parametrize(("progress", "alpha"), [(0.0, 0.7), (0.4, 0.825), (0.8, 0.95), (1.0, 0.95)])
def test_alpha_rises_then_holds(progress: float, alpha: float) -> None:
    assert alpha_at(progress, 0.7, 0.95) == pytest.approx(alpha)


@pytest.mark.parametrize("alpha", [0.51, 0.7, 0.95, 1.0])
def test_temper_keeps_the_greedy_choice(alpha: float) -> None:
    probabilities = torch.tensor([0.0, 0.2, 0.4999, 0.5, 0.5001, 0.8, 1.0], dtype=torch.float64)
    tempered = temper(probabilities, alpha)
    assert torch.equal(tempered >= 0.5, probabilities >= 0.5)
    assert tempered.min().item() == pytest.approx(1 - alpha)
    assert tempered.max().item() == pytest.approx(alpha)
