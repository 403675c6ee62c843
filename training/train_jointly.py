"""Ft-1 and Ft-2: policy and HR stream together (paper, section 3.4).

The policy learns by policy gradient, the HR stream by cross-entropy on the sampled and the greedy
choices (greedy is what is served). Ft-1 knows the HR stream only; Ft-2 mixes both streams by eq. 7,
in the reward and as the likelihood of the mixture, the LR stream frozen. At the end of each epoch
the batch-norm statistics are taken again under the greedy policy ("precise BN"), for that is the
distribution of inputs in service. Rewards come from the jury; with one fold and no cross-fitting
that is the very classifier being trained, as in the paper.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.policy import PolicyNetwork, utilities
from models.preprocess import compose
from models.two_stream import TwoStreamClassifier
from training.crossfit import Jury
from training.data import Images
from training.epochs import Run, batches, learning_rate, run_epochs, set_learning_rate, training_precision
from training.recipe import Stage
from training.reinforce import alpha_at, greedy_actions
from training.train_classifier import batch_of
from training.train_policy import PolicyStep, add_up, policy_step, turned_batch

PRECISE_BATCHES = 16


def train_jointly(
    run: Run,
    stage: str,
    policy: PolicyNetwork,
    classifier: TwoStreamClassifier,
    jury: Jury,
    images: Images,
    indices: Tensor,
    config: Stage,
) -> None:
    """Train `policy` and `classifier.hr` in place. "ft1" leaves the LR stream out, "ft2" mixes it in."""
    one_stream = stage == "ft1"
    policy.to(run.device).eval()
    classifier.to(run.device).lr.requires_grad_(False)
    trained = [*policy.parameters(), *classifier.hr.parameters()]
    optimiser = torch.optim.AdamW(trained, config.learning_rate, weight_decay=config.weight_decay)
    steps = max(1, len(indices) // config.batch)

    def one_epoch(epoch: int) -> Mapping[str, float]:
        sums: dict[str, float] = {}
        for step, chosen in enumerate(batches(indices, config.batch)):
            progress = (epoch * steps + step) / (config.epochs * steps)
            set_learning_rate(optimiser, learning_rate(progress, config.learning_rate))
            batch = turned_batch(images, chosen, run.device)
            alpha = alpha_at(progress, config.alpha_start, config.alpha_end)
            classifier.eval()  # rewards never depend on the statistics of a batch
            result = policy_step(policy, jury, batch, chosen, config, alpha, hr_only=one_stream)
            classifier.hr.train()
            with training_precision(run.device):
                likelihood = classifier_loss(classifier, batch, half_served(result), one_stream=one_stream)
            optimiser.zero_grad()
            (result.loss + likelihood).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            add_up(sums, result.metrics | {"loss": float(likelihood.detach())}, steps)
        retake_batch_norm(policy, classifier, images, indices, config.batch)
        return sums

    networks: dict[str, nn.Module] = {"policy": policy, "hr": classifier.hr}
    run_epochs(run, stage, config.epochs, networks, optimiser, one_epoch)
    classifier.eval()


def half_served(result: PolicyStep) -> Tensor:
    """Half of the batch as sampled, half as it would be served: one pass for both, bool (B, 16)."""
    served = torch.arange(len(result.greedy), device=result.greedy.device) % 2 == 1
    return torch.where(served.unsqueeze(1), result.greedy, result.sampled)


def classifier_loss(
    classifier: TwoStreamClassifier,
    batch: tuple[Tensor, Tensor, Tensor],
    selected: Tensor,
    *,
    one_stream: bool,
) -> Tensor:
    """Cross-entropy of the HR stream alone (Ft-1) or of eq. 7's mixture (Ft-2, constant at S = 0)."""
    hr, lr, labels = batch
    if one_stream:
        return F.cross_entropy(classifier.hr_logits(hr, lr, selected).float(), labels)
    return F.nll_loss(classifier.mixture(hr, lr, selected).clamp_min(1e-8).log(), labels)


def retake_batch_norm(
    policy: PolicyNetwork, classifier: TwoStreamClassifier, images: Images, indices: Tensor, batch: int
) -> None:
    """Replace the HR stream's running statistics by plain averages under the greedy policy."""
    device = policy.shift.device
    norms = [module for module in classifier.hr.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    classifier.hr.train()
    with torch.no_grad():
        for number, chosen in enumerate(batches(indices, batch)):
            if number == PRECISE_BATCHES:
                break
            hr, lr, _ = batch_of(images, chosen, device)
            selected = greedy_actions(utilities(policy(lr)))
            classifier.hr(compose(hr, lr, selected, classifier.fill))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    classifier.hr.eval()
