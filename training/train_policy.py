"""Pt: the policy alone, by self-critical REINFORCE; every classifier is frozen (paper, section 3.4).

One sampled and one greedy choice per image; the reward of the first minus that of the second drives
the log-probability of the sample. Departures from the paper, each for a reason: rewards come from
classifiers that have not seen the image (crossfit.py); the reward is the expected one over the
classifier's label (reward.py); the policy starts from value regression, with its batch norm frozen,
so that sampled, greedy and served decisions share the same statistics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from models.policy import PolicyNetwork, temper, utilities
from models.symmetry import SYMMETRIES, dihedral
from training.crossfit import Jury
from training.data import Images
from training.epochs import Run, batches, learning_rate, run_epochs, set_learning_rate
from training.recipe import Stage
from training.reinforce import alpha_at, greedy_actions, self_critical_loss
from training.reward import reward
from training.train_classifier import batch_of


@dataclass(frozen=True)
class PolicyStep:
    """Loss and what to log of one batch, with the choices it was computed on."""

    loss: Tensor
    sampled: Tensor
    greedy: Tensor
    metrics: dict[str, float]


def policy_step(
    policy: PolicyNetwork,
    jury: Jury,
    batch: tuple[Tensor, Tensor, Tensor],
    chosen: Tensor,
    config: Stage,
    alpha: float,
    *,
    hr_only: bool,
) -> PolicyStep:
    """Self-critical policy gradient of one batch (hr, lr, labels), normalised and augmented."""
    hr, lr, labels = batch
    probabilities = utilities(policy(lr).float())  # (B, 16)
    greedy = greedy_actions(probabilities.detach())
    explored = temper(probabilities, alpha)
    sampled = torch.bernoulli(explored.detach()).bool()
    earned = {}
    for name, selected in (("sampled", sampled), ("greedy", greedy)):
        p = jury.true_label_probability(hr, lr, selected, labels, chosen, hr_only=hr_only)
        earned[name] = reward(p, selected, config.sigma)
    loss = self_critical_loss(earned["sampled"], earned["greedy"], sampled, explored)
    metrics = {
        "reward_sampled": float(earned["sampled"].mean()),
        "reward_greedy": float(earned["greedy"].mean()),
        "patches_sampled": float(sampled.float().sum(1).mean()),
        "patches_greedy": float(greedy.float().sum(1).mean()),
    }
    return PolicyStep(loss, sampled, greedy, metrics)


def turned_batch(images: Images, chosen: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised hr and lr under one random symmetry, and labels."""
    hr, lr, labels = batch_of(images, chosen, device)
    k = int(torch.randint(SYMMETRIES, ()))
    return dihedral(hr, k), dihedral(lr, k), labels


def add_up(sums: dict[str, float], metrics: Mapping[str, float], steps: int) -> None:
    """Add one step's share of an epoch's means, in place."""
    for name, value in metrics.items():
        sums[name] = sums.get(name, 0.0) + value / steps


def train_policy(
    run: Run, stage: str, policy: PolicyNetwork, jury: Jury, images: Images, indices: Tensor, config: Stage
) -> None:
    """Train `policy` in place on images[indices]; leaves it in evaluation mode."""
    policy.to(run.device).eval()  # batch norm frozen: see above
    optimiser = torch.optim.AdamW(policy.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    steps = max(1, len(indices) // config.batch)

    def one_epoch(epoch: int) -> Mapping[str, float]:
        sums: dict[str, float] = {}
        for step, chosen in enumerate(batches(indices, config.batch)):
            progress = (epoch * steps + step) / (config.epochs * steps)
            set_learning_rate(optimiser, learning_rate(progress, config.learning_rate))
            batch = turned_batch(images, chosen, run.device)
            alpha = alpha_at(progress, config.alpha_start, config.alpha_end)
            result = policy_step(policy, jury, batch, chosen, config, alpha, hr_only=False)
            optimiser.zero_grad()
            result.loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            add_up(sums, result.metrics, steps)
        return sums

    run_epochs(run, stage, config.epochs, {"policy": policy}, optimiser, one_epoch)
