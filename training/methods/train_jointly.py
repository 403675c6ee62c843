"""Ft-1 and Ft-2: policy and HR stream together (paper, section 3.4).

The policy learns by policy gradient, the HR stream by cross-entropy on the sampled and the greedy
choices (greedy is what is served). Ft-1 knows the HR stream only; Ft-2 mixes both streams by eq. 7,
in the reward and as the likelihood of the mixture, the LR stream frozen. At the end of each epoch
the batch-norm statistics are taken again under the greedy policy ("precise BN"), for that is the
distribution of inputs in service. Rewards come from the very classifier that is being trained, as in
the paper, in evaluation mode: they never depend on the statistics of a batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.policy import PolicyNetwork, utilities
from training.methods.crossfit import Classifier, sole_judge
from training.methods.reinforce import greedy_actions
from training.methods.train_policy import PolicyStep, greedy_reward, policy_step, warn_of_collapse
from training.run import processes
from training.run.batches import Batch, batch_of
from training.run.lab import Lab
from training.run.loop import train_stage
from training.run.recipe import Stage

PRECISE_BATCHES, PRECISE_SIZE = 16, 64


def train_jointly(
    lab: Lab, stage: str, policy: PolicyNetwork, classifier: Classifier, config: Stage, *, one_stream: bool
) -> None:
    """Train `policy` and `classifier.hr` in place; `one_stream` leaves the LR stream out (Ft-1)."""
    classifier.hr.requires_grad_(True)
    judge = sole_judge(classifier, lab.images)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        classifier.hr.eval()
        coarse = None if one_stream else judge.coarse(batch)
        result = policy_step(policy, judge, batch, config, coarse, expected=False)
        classifier.hr.train()
        likelihood = classifier_loss(classifier, batch, half_served(result), coarse)
        return result.loss + likelihood, result.metrics | {"loss": likelihood}

    train_stage(
        lab,
        stage,
        {"policy": policy, "hr": classifier.hr},
        lab.learnt,
        config,
        step,
        after_epoch=lambda: retake_batch_norm(lab, classifier, policy),
        validate=lambda: greedy_reward(lab, policy, classifier, config.sigma, hr_only=one_stream),
    )
    classifier.hr.requires_grad_(False)
    warn_of_collapse(lab, stage, policy)


def half_served(result: PolicyStep) -> Tensor:
    """Half of the batch as sampled, half as it would be served: one pass for both, bool (B, 16)."""
    served = torch.arange(len(result.greedy), device=result.greedy.device) % 2 == 1
    return torch.where(served.unsqueeze(1), result.greedy, result.sampled)


def classifier_loss(classifier: Classifier, batch: Batch, selected: Tensor, coarse: Tensor | None) -> Tensor:
    """Cross-entropy of the HR stream alone (Ft-1), or of eq. 7's mixture with `coarse` (Ft-2).

    The second is constant where nothing is bought.
    """
    if coarse is None:
        logits = classifier.hr_logits(batch.hr, batch.lr, selected)
        return F.cross_entropy(logits.float(), batch.labels)
    mixture = classifier.mixture(batch.hr, batch.lr, selected, coarse)
    return F.nll_loss(mixture.clamp_min(1e-8).log(), batch.labels)


@torch.no_grad()
def retake_batch_norm(lab: Lab, classifier: Classifier, policy: PolicyNetwork) -> None:
    """Replace the HR stream's running statistics by plain averages under the greedy policy."""
    policy.eval()
    norms = [module for module in classifier.hr.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    classifier.hr.train()
    order = lab.learnt[torch.randperm(len(lab.learnt))]
    for chosen in torch.split(order, PRECISE_SIZE)[:PRECISE_BATCHES]:
        hr, lr, _ = batch_of(lab.images, chosen, lab.run.device)
        selected = greedy_actions(utilities(policy(lr)))
        classifier.hr_logits(hr, lr, selected)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    processes.average_buffers([classifier.hr])
    classifier.hr.eval()
