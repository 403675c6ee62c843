"""Pt: the policy alone, by self-critical REINFORCE; every classifier is frozen (paper, section 3.4).

One sampled and one greedy choice per image; the reward of the first minus that of the second drives
the log-probability of the sample (eqs. 8 to 11). The paper rewards the label of the classifier that is
trained. The product's polish differs: classifiers that have not seen the image hand out the rewards
(crossfit.py), each the expectation over their label, with less variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from models.policy import PolicyNetwork, utilities
from training.methods.collapse import collapse
from training.methods.crossfit import Classifier, Jury, sole_judge
from training.methods.reinforce import alpha_at, greedy_actions, self_critical_loss, temper
from training.methods.reward import reward
from training.run.batches import Batch, batch_of
from training.run.evaluate import answered_together, policy_logits
from training.run.lab import Lab
from training.run.loop import train_stage
from training.run.recipe import Stage


@dataclass(frozen=True)
class PolicyStep:
    """Loss and what to log of one batch, with the choices it was computed on."""

    loss: Tensor
    sampled: Tensor
    """bool (B, 16)"""
    greedy: Tensor
    """bool (B, 16)"""
    metrics: dict[str, Tensor]


def policy_step(
    policy: PolicyNetwork, jury: Jury, batch: Batch, config: Stage, coarse: Tensor | None, *, expected: bool
) -> PolicyStep:
    """Self-critical policy gradient of one batch.

    `coarse` is what the jury's LR stream says of it; None leaves that stream out of the rewards (Pt,
    Ft-1). `expected` rewards the probability of the true label instead of 1 for the right label and 0
    for a wrong one.
    """
    probabilities = utilities(policy(batch.lr).float())  # (B, 16)
    greedy = greedy_actions(probabilities.detach())
    alpha = alpha_at(batch.progress, config.alpha_start, config.alpha_end)
    explored = temper(probabilities, alpha)
    sampled = torch.bernoulli(explored.detach()).bool()
    earned = {}
    for name, selected in (("sampled", sampled), ("greedy", greedy)):
        answers = jury.probabilities(batch, selected, coarse)
        earned[name] = reward(correctness(answers, batch.labels, expected=expected), selected, config.sigma)
    metrics = {
        "reward_sampled": earned["sampled"].mean(),
        "reward_greedy": earned["greedy"].mean(),
        "patches_sampled": sampled.float().sum(1).mean(),
        "patches_greedy": greedy.float().sum(1).mean(),
    }
    loss = self_critical_loss(earned["sampled"], earned["greedy"], sampled, explored)
    return PolicyStep(loss, sampled, greedy, metrics)


def correctness(probabilities: Tensor, labels: Tensor, *, expected: bool) -> Tensor:
    """1 where the likeliest class is the label, else 0; or the label's probability: (B, N), (B,) -> (B,)."""
    if expected:
        return probabilities.gather(1, labels.unsqueeze(1))[:, 0]
    return (probabilities.argmax(1) == labels).float()


def train_policy(
    lab: Lab,
    stage: str,
    policy: PolicyNetwork,
    jury: Jury,
    config: Stage,
    *,
    hr_only: bool,
    polish: bool = False,
) -> None:
    """Train `policy` in place on the learnt images; leaves it in evaluation mode.

    A polish starts from a policy that has learnt already: its batch norms stay frozen, so that sampled,
    greedy and served decisions share their statistics, and rewards are expectations.
    """

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        coarse = None if hr_only else jury.coarse(batch)
        result = policy_step(policy, jury, batch, config, coarse, expected=polish)
        return result.loss, result.metrics

    judge = jury.classifiers[0]

    def validate() -> float:
        return greedy_reward(lab, policy, judge, config.sigma, hr_only=hr_only)

    train_mode = () if polish else ("policy",)
    train_stage(
        lab, stage, {"policy": policy}, lab.learnt, config, step, train_mode=train_mode, validate=validate
    )
    warn_of_collapse(lab, stage, policy)


@torch.inference_mode()
def greedy_reward(
    lab: Lab, policy: PolicyNetwork, judge: Classifier, sigma: float, *, hr_only: bool
) -> float:
    """Mean reward of greedy choices on validation, by `judge`: the score for an early stop."""
    policy.eval()
    judge.hr.eval()
    jury, total = sole_judge(judge, lab.images), 0.0
    for places in answered_together(lab.images, lab.validation, lab.run.device):
        chosen = lab.validation[places]
        hr, lr, labels = batch_of(lab.images, chosen, lab.run.device)
        batch = Batch(hr=hr, lr=lr, labels=labels, chosen=chosen, progress=1.0, symmetry=0)
        greedy = greedy_actions(utilities(policy(lr)))
        answers = jury.probabilities(batch, greedy, None if hr_only else jury.coarse(batch))
        total += float(reward(correctness(answers, labels, expected=False), greedy, sigma).sum())
    return total / len(lab.validation)


def warn_of_collapse(lab: Lab, stage: str, policy: PolicyNetwork) -> None:
    """Say so, on the terminal and in metrics.jsonl, if the policy no longer looks at its tile."""
    logits = policy_logits(policy, lab.images, lab.validation)
    if found := collapse(greedy_actions(utilities(logits))):
        lab.run.log(stage=stage, warning=found)
        tqdm.write(f"{stage}: {found}")
