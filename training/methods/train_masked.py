"""Classifiers of the baselines, fine-tuned on the choices that the baseline itself makes.

Fixed-H, Fixed-V, Stochastic and STN have no policy to train; in the columns Ft-1 and Ft-2 of the
paper's tables their HR classifier learns to live with their choices, alone or mixed by eq. 7.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.methods.crossfit import Classifier
from training.methods.train_jointly import classifier_loss
from training.run.batches import Batch
from training.run.lab import Lab
from training.run.loop import train_stage
from training.run.recipe import Stage

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
