"""Fine-tuning an HR stream on bought patches: with a policy (Ft-1, Ft-2) or on a baseline's choices.

Ft-1 and Ft-2 (paper, section 3.4) train policy and HR stream together: the policy by policy gradient, the
HR stream by cross-entropy on the sampled and the greedy choices. Ft-1 uses the HR stream only; Ft-2 mixes
both streams by eq. 7, in the reward and as the likelihood of the mixture, with the LR stream frozen.
Rewards come from the classifier that is being trained, as in the paper.

Fixed-H, Fixed-V, Stochastic and STN have no policy to train; in the columns Ft-1 and Ft-2 of the paper's
tables their HR classifier is fine-tuned on their choices, alone or mixed by eq. 7.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.policy import PolicyNetwork, utilities
from training.data.images import ImageSource
from training.methods.out_of_fold import Classifier, in_sample_ensemble
from training.methods.reinforce import (
    PolicyStep,
    greedy_actions,
    greedy_reward,
    policy_step,
    warn_of_collapse,
)
from training.run import processes
from training.run.batches import Batch, TrainingImages, batch_of
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.recipe import Stage
from training.run.splits import Splits

PRECISE_BATCHES, PRECISE_SIZE = 16, 64

Chooser = Callable[[Tensor], Tensor]
"""Normalised LR tiles (B, 3, h, h) -> patches to buy, bool (B, 16)."""


def train_jointly(
    run: Run,
    stage: str,
    policy: PolicyNetwork,
    classifier: Classifier,
    splits: Splits,
    config: Stage,
    *,
    one_stream: bool,
) -> None:
    """Train `policy` and `classifier.hr` in place; `one_stream` leaves the LR stream out (Ft-1)."""
    classifier.hr.requires_grad_(True)
    ensemble = in_sample_ensemble(classifier, splits.images)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        # Rewards in evaluation mode, as served: they must not depend on the statistics of a batch.
        classifier.hr.eval()
        coarse = None if one_stream else ensemble.coarse(batch)
        result = policy_step(policy, ensemble, batch, config, coarse, expected=False)
        classifier.hr.train()
        likelihood = classifier_loss(classifier, batch, half_served(result), coarse)
        # One sum is enough: the policy and the HR stream share no parameter.
        return result.loss + likelihood, result.metrics | {"loss": likelihood}

    train_stage(
        run,
        stage,
        {"policy": policy, "hr": classifier.hr},
        splits.to_learn,
        config,
        step,
        # Before each validation, so that the score is of the classifier as it would be served.
        after_epoch=lambda: retake_batch_norm(classifier, policy, splits.images, splits.learnt),
        validate=lambda: greedy_reward(
            policy, classifier, splits.images, splits.validation, config.sigma, hr_only=one_stream
        ),
    )
    # Frozen again: the next stage decides for itself what learns.
    classifier.hr.requires_grad_(False)
    warn_of_collapse(run, stage, policy, splits.images, splits.validation)


def half_served(result: PolicyStep) -> Tensor:
    """Return the sampled choices of half of the batch and the greedy ones of the rest: bool (B, 16)."""
    # The paper trains on samples only; greedy choices are what is served. Halves cost one pass, not two.
    served = torch.arange(len(result.greedy), device=result.greedy.device) % 2 == 1
    return torch.where(served.unsqueeze(1), result.greedy, result.sampled)


def classifier_loss(classifier: Classifier, batch: Batch, selected: Tensor, coarse: Tensor | None) -> Tensor:
    """Return the cross-entropy of the HR stream alone (Ft-1), or of eq. 7's mixture with `coarse` (Ft-2)."""
    if coarse is None:
        logits = classifier.hr_logits(batch.hr, batch.lr, selected)
        return F.cross_entropy(logits.float(), batch.labels)
    mixture = classifier.mixture(batch.hr, batch.lr, selected, coarse)  # (B, N)
    # Probabilities are mixed, not logits. Where S = 0 eq. 7 gives the HR stream weight 0, hence no gradient.
    return F.nll_loss(mixture.clamp_min(1e-8).log(), batch.labels)


@torch.no_grad()
def retake_batch_norm(
    classifier: Classifier, policy: PolicyNetwork, images: ImageSource, indices: Tensor
) -> None:
    """Replace the HR stream's running statistics by plain averages under the greedy policy ("precise BN")."""
    # Training saw half sampled masks; service sees greedy ones. Statistics of the first would shift the
    # activations of the second, and accuracy would drop on the test split only.
    policy.eval()
    norms = [module for module in classifier.hr.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # Else the first batches would be averaged with the statistics of training.
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    classifier.hr.train()
    order = indices[torch.randperm(len(indices))]
    for chosen in torch.split(order, PRECISE_SIZE)[:PRECISE_BATCHES]:
        hr, lr, _ = batch_of(images, chosen, policy.shift.device)
        selected = greedy_actions(utilities(policy(lr)))
        classifier.hr_logits(hr, lr, selected)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    processes.average_buffers([classifier.hr])
    classifier.hr.eval()


def train_masked(
    run: Run,
    stage: str,
    classifier: Classifier,
    choose: Chooser,
    data: TrainingImages,
    config: Stage,
    *,
    one_stream: bool,
) -> None:
    """Train `classifier.hr` in place on a baseline's choices; leaves it frozen, in evaluation mode."""
    classifier.hr.requires_grad_(True)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            # (B, 16) under no_grad: the choice is given, only the HR stream learns.
            selected = choose(batch.lr).to(batch.lr.device)
            coarse = None if one_stream else classifier.coarse(batch.lr)
        loss = classifier_loss(classifier, batch, selected, coarse)
        return loss, {"loss": loss}

    train_stage(run, stage, {"hr": classifier.hr}, data, config, step)
    classifier.hr.requires_grad_(False)
