"""Two patches, four choices, every quantity written out."""

import pytest
import torch
from torch import Tensor

from models.policy import utilities
from training.methods.reinforce import alpha_at, greedy_actions, log_probability, self_critical_loss, temper
from training.methods.reward import bought_share, reward

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
def test_reward_of_each_choice(correct, expected):
    assert reward(torch.full((4,), correct), CHOICES, SIGMA).tolist() == expected


def test_priced_reward_counts_money():
    prices = torch.tensor([1.0, 3.0])
    assert reward(torch.ones(4), CHOICES, SIGMA, prices).tolist() == [1.0, 0.9375, 0.4375, 0.0]


def test_equal_prices_give_the_papers_reward_in_any_order():
    correct, prices = torch.tensor([1.0, 0.0, 0.3, 1.0]), torch.full((2,), 7.0)
    plain = reward(correct, CHOICES, SIGMA)
    assert torch.equal(reward(correct, CHOICES, SIGMA, prices), plain)
    assert torch.equal(reward(correct, CHOICES.flip(1), SIGMA, prices), plain)
    assert bought_share(CHOICES, prices).tolist() == [0.0, 0.5, 0.5, 1.0]


def test_log_probability_sums_over_patches():
    s = torch.tensor([0.8, 0.3], dtype=torch.float64)
    expected = [0.2 * 0.7, 0.8 * 0.7, 0.2 * 0.3, 0.8 * 0.3]
    assert log_probability(CHOICES, s.expand(4, 2)).exp().tolist() == pytest.approx(expected)


def enumerated(logits: Tensor, rewards: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
    probabilities = temper(utilities(logits), alpha).expand(4, 2)
    chances = log_probability(CHOICES, probabilities).exp()
    return probabilities, chances, (chances * rewards).sum()


@pytest.mark.parametrize("alpha", [0.8, 1.0])
@pytest.mark.parametrize("greedy_reward", [0.0, 0.75])
def test_gradient_estimate_is_exact_on_average_whatever_the_baseline(alpha, greedy_reward):
    rewards = reward(torch.tensor([0.1, 0.9, 0.4, 1.0]), CHOICES, SIGMA).double()
    exact = torch.tensor([0.4, -0.7], dtype=torch.float64, requires_grad=True)
    enumerated(exact, rewards, alpha)[2].backward()

    logits = exact.detach().clone().requires_grad_()
    probabilities, chances, _ = enumerated(logits, rewards, alpha)
    baseline = torch.full((1,), greedy_reward, dtype=torch.float64)
    loss = sum(
        chances[i].detach()
        * self_critical_loss(rewards[i : i + 1], baseline, CHOICES[i : i + 1], probabilities[i : i + 1])
        for i in range(4)
    )
    loss.backward()
    assert torch.allclose(-logits.grad, exact.grad)
    assert exact.grad.abs().min() > 1e-3


def test_a_sample_better_than_greedy_becomes_likelier():
    logits = torch.zeros(1, 2, requires_grad=True)
    action = torch.tensor([[True, False]])
    self_critical_loss(torch.ones(1), torch.zeros(1), action, utilities(logits)).backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 1]


def test_rewards_carry_no_gradient():
    earned = torch.ones(1, requires_grad=True)
    s = torch.full((1, 2), 0.4, requires_grad=True)
    self_critical_loss(earned, torch.zeros(1), CHOICES[:1], s).backward()
    assert earned.grad is None


def test_greedy_buys_from_one_half():
    assert greedy_actions(torch.tensor([0.49, 0.5, 0.51])).tolist() == [False, True, True]


@pytest.mark.parametrize(("progress", "alpha"), [(0.0, 0.7), (0.4, 0.825), (0.8, 0.95), (1.0, 0.95)])
def test_alpha_rises_then_holds(progress, alpha):
    assert alpha_at(progress, 0.7, 0.95) == pytest.approx(alpha)


def test_a_sample_as_good_as_greedy_teaches_nothing():
    s = torch.full((1, 2), 0.4, requires_grad=True)
    self_critical_loss(torch.full((1,), 0.75), torch.full((1,), 0.75), CHOICES[1:2], s).backward()
    assert s.grad.abs().max() == 0


@pytest.mark.parametrize("alpha", [0.51, 0.7, 0.95, 1.0])
def test_alpha_never_changes_the_greedy_choice(alpha):
    probabilities = torch.tensor([0.0, 0.2, 0.4999, 0.5, 0.5001, 0.8, 1.0], dtype=torch.float64)
    tempered = temper(probabilities, alpha)
    assert torch.equal(tempered >= 0.5, probabilities >= 0.5)
    assert tempered.min().item() == pytest.approx(1 - alpha)
    assert tempered.max().item() == pytest.approx(alpha)
