"""KD: the LR student learns the labels and what the HR teacher thinks (Su and Maji 2016).

"Adapting models to signal degradation using distillation" (arXiv 1604.00433): the teacher sees the sharp
image, the student the degraded one, and the loss adds to the labels' cross-entropy the cross-entropy
between both networks' predictions softened at temperature T. The student starts where LR-CNN does.
"""

from torch import nn

from training.methods.patchdrop import new_lr_network
from training.methods.train_classifier import coarse_view, train_classifier
from training.run.lab import Lab


def train_distillation(lab: Lab, teacher: nn.Module) -> nn.Module:
    """Train a student of `teacher`, HR-CNN; returns it frozen. Its input is LR upsampled to lr_input."""
    student = new_lr_network(lab, "kd", teacher)
    view = coarse_view(lab.recipe.lr_input)
    return train_classifier(lab, "kd", student, view, lab.learnt, lab.recipe.stage("kd"), teacher=teacher)
