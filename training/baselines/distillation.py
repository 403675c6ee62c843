"""KD: the LR student learns the labels and what the HR teacher thinks (Su and Maji 2016).

"Adapting models to signal degradation using distillation" (arXiv 1604.00433): the teacher sees the sharp
image, the student the degraded one, and the loss adds to the labels' cross-entropy the cross-entropy
between both networks' predictions softened at temperature T (Hinton et al. 2015, whose factor T^2 keeps
the size of its gradient). The student starts where LR-CNN does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import upsample
from training.batches import Batch
from training.epochs import inference_precision, train_stage
from training.lab import Lab
from training.patchdrop import new_lr_network
from training.train_classifier import frozen

TEMPERATURE = 4.0
TEACHER_SHARE = 0.5
"""Weight of the teacher's word against the label's; both constants are ours, chosen once and not tuned."""


def train_distillation(lab: Lab, teacher: nn.Module) -> nn.Module:
    """Train a student of `teacher`, HR-CNN; returns it frozen. Its input is LR upsampled to lr_input."""
    student = new_lr_network(lab, "kd", teacher).requires_grad_(True)
    config = lab.recipe.stage("kd")

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad(), inference_precision(batch.hr.device):
            taught = teacher(batch.hr).float()
        logits = student(upsample(batch.lr, lab.recipe.lr_input)).float()
        labels = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        agreement = softened_divergence(logits, taught, TEMPERATURE)
        loss = (1 - TEACHER_SHARE) * labels + TEACHER_SHARE * agreement
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(lab, "kd", {"network": student}, lab.learnt, config, step)
    return frozen(student)


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of logits (B, N) softened at T, mean over the batch: ().

    Its gradient is that of the cross-entropy between the two; 0 where they agree.
    """
    divergence = F.kl_div(
        F.log_softmax(student / temperature, 1),
        F.log_softmax(teacher / temperature, 1),
        log_target=True,
        reduction="batchmean",
    )
    return temperature**2 * divergence
