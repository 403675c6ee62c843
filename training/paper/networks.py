"""The networks that rows are measured with, each trained, or read back, when it is first asked for."""

import copy
from dataclasses import replace
from functools import cached_property

from torch import nn

from models.two_stream import TwoStreamClassifier
from training.methods.bagnet import BagNet, train_bagnet
from training.methods.baselines import FIXED_H, FIXED_V, fixed_masks, stochastic_masks
from training.methods.classifiers import train_distillation, train_hr_cnn, train_lr_cnn
from training.methods.coupling import train_coupling
from training.methods.fine_tune import Chooser, train_masked
from training.methods.hard_positives import train_with_cutout, train_with_hard_positives
from training.methods.masks import top_masks
from training.methods.out_of_fold import Classifier
from training.methods.patchdrop import Trained, train_patchdrop, two_stream
from training.methods.saliency import SaliencySampler, train_saliency
from training.methods.super_resolution import (
    SuperResolver,
    train_super_resolution,
    train_super_resolved,
)
from training.product.stages import Product, train_product
from training.run.batches import TrainingImages
from training.run.folder import Run
from training.run.recipe import Recipe
from training.run.splits import Splits

CHOOSERS = ("fixed_h", "fixed_v", "stochastic", "stn")
"""The ways of choosing patches that the paper's policy is compared with."""


class Networks:
    """Everything one run trains. Order of asking does not matter: each stage seeds itself."""

    def __init__(self, run: Run, splits: Splits, recipe: Recipe) -> None:
        self.run, self.splits, self.recipe = run, splits, recipe

    @property
    def data(self) -> TrainingImages:
        """The images that every network learns from."""
        return self.splits.to_learn

    @cached_property
    def hr(self) -> nn.Module:
        """HR-CNN."""
        return train_hr_cnn(self.run, self.data, self.recipe)

    @cached_property
    def lr(self) -> nn.Module:
        """LR-CNN."""
        return train_lr_cnn(self.run, self.data, self.recipe, self.hr)

    @cached_property
    def streams(self) -> TwoStreamClassifier:
        """Both, by eq. 7, as Pt finds them."""
        return two_stream(self.hr, self.lr, self.recipe.lr_input)

    @cached_property
    def patchdrop(self) -> dict[str, Trained]:
        """Pt, Ft-1, Ft-2."""
        return dict(train_patchdrop(self.run, self.splits, self.recipe, self.streams))

    @cached_property
    def saliency(self) -> SaliencySampler:
        """STN: the saliency sampler."""
        return train_saliency(self.run, self.data, self.hr, self.recipe.stage("stn"))

    @cached_property
    def generator(self) -> SuperResolver:
        """SRGAN's generator."""
        recipe = self.recipe
        return train_super_resolution(
            self.run, self.data, self.hr, recipe.stage("srgan"), recipe.lr_size, recipe.hr_size
        )

    @cached_property
    def super_resolved(self) -> nn.Module:
        """The classifier of what the generator makes."""
        config = self.recipe.srgan_cnn or self.recipe.lr
        return train_super_resolved(self.run, self.data, self.generator, self.hr, config)

    @cached_property
    def student(self) -> nn.Module:
        """KD's LR student."""
        return train_distillation(self.run, self.data, self.recipe, self.hr)

    @cached_property
    def coupled(self) -> nn.Module:
        """PCN's LR branch."""
        recipe = self.recipe
        return train_coupling(
            self.run,
            self.data,
            recipe.lr_backbone,
            recipe.lr_input,
            recipe.stage("pcn"),
            pretrained=recipe.pretrained,
        )

    @cached_property
    def product(self) -> Product:
        """The product's classifier and policy."""
        return train_product(self.run, self.splits, self.recipe, self.hr, self.lr)

    @cached_property
    def bagnet(self) -> BagNet:
        """BagNet on all patches."""
        return train_bagnet(self.run, self.data, self.recipe.hr_backbone, self.recipe.stage("bagnet"))

    @cached_property
    def bagnet_patchdrop(self) -> dict[str, Trained]:
        """PatchDrop on BagNet; there is no Ft-2."""
        stages = ("pt", "ft1")
        return dict(train_patchdrop(self.run, self.splits, self.recipe, self.bagnet, stages, "bagnet_"))

    @cached_property
    def cutout(self) -> nn.Module:
        """HR-CNN trained with CutOut."""
        return train_with_cutout(self.run, self.data, self.recipe)

    @cached_property
    def hard_positives(self) -> nn.Module:
        """HR-CNN trained with the patches hidden that the Ft-1 policy holds most telling."""
        policy = self.patchdrop["ft1"].policy
        return train_with_hard_positives(self.run, self.data, self.recipe, policy)

    def chooser(self, name: str, size: int) -> Chooser:
        """Choices of exactly `size` patches; Stochastic draws anew each time."""
        if name == "fixed_h":
            return lambda lr: fixed_masks(FIXED_H, size, len(lr))
        if name == "fixed_v":
            return lambda lr: fixed_masks(FIXED_V, size, len(lr))
        if name == "stochastic":
            return lambda lr: stochastic_masks(size, len(lr), None)
        saliency = self.saliency  # trained here, not when a step first asks under no_grad
        return lambda lr: top_masks(saliency.patch_saliency(lr), size)

    def tuned(self, name: str, size: int, stage: str, start: Classifier, prefix: str = "") -> Classifier:
        """A copy of `start` that learnt to live with a baseline's choices: one stream in ft1, both in ft2.

        As long and as fast as PatchDrop does in that stage.
        """
        classifier = copy.deepcopy(start)
        config = replace(self.recipe.stage(stage), patience=0)  # no validation score to stop by
        train_masked(
            self.run,
            f"{prefix}{name}_{stage}",
            classifier,
            self.chooser(name, size),
            self.data,
            config,
            one_stream=stage == "ft1",
        )
        return classifier
