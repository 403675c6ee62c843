"""Classifiers of the baselines, fine-tuned on the choices that the baseline itself makes.

Fixed-H, Fixed-V, Stochastic and STN have no policy to train; in the columns Ft-1 and Ft-2 of the
paper's tables their HR classifier learns to live with their choices, alone or mixed by eq. 7.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.batches import Batch
from training.crossfit import Classifier
from training.epochs import train_stage
from training.lab import Lab
from training.recipe import Stage
from training.train_jointly import classifier_loss

Chooser = Callable[[Tensor], Tensor]
"""Normalised LR tiles (B, 3, h, h) -> what to buy, bool (B, 16)."""


def train_masked(
    lab: Lab, stage: str, classifier: Classifier, choose: Chooser, config: Stage, *, one_stream: bool
) -> None:
    """Train `classifier.hr` in place under `choose`; leaves it frozen, in evaluation mode."""
    classifier.hr.requires_grad_(True)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            selected = choose(batch.lr).to(batch.lr.device)
            coarse = None if one_stream else classifier.coarse(batch.lr)
        loss = classifier_loss(classifier, batch, selected, coarse)
        return loss, {"loss": loss}

    train_stage(lab, stage, {"hr": classifier.hr}, lab.learnt, config, step)
    classifier.hr.requires_grad_(False)
