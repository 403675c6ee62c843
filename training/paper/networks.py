"""The networks that rows are measured with, each trained or loaded at its first use."""

import copy
from dataclasses import replace
from functools import cached_property

from torch import nn

from models.fixed_orders import FIXED_H, FIXED_V
from models.two_stream import TwoStreamClassifier
from training.methods.bagnet import BagNet, train_bagnet
from training.methods.baselines import fixed_masks, stochastic_masks
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
"""Baselines that choose patches, which the paper's policy is compared with."""


class Networks:
    """All networks of one run. The order of their first use does not matter: each stage sets its own seed."""

    def __init__(self, run: Run, splits: Splits, recipe: Recipe) -> None:
        self.run, self.splits, self.recipe = run, splits, recipe

    @property
    def data(self) -> TrainingImages:
        """Images that every network learns from."""
        return self.splits.to_learn

    @cached_property
    def hr(self) -> nn.Module:
        """HR-CNN, the classifier of whole HR tiles."""
        return train_hr_cnn(self.run, self.data, self.recipe)

    @cached_property
    def lr(self) -> nn.Module:
        """LR-CNN, the classifier of LR tiles."""
        return train_lr_cnn(self.run, self.data, self.recipe, self.hr)

    @cached_property
    def streams(self) -> TwoStreamClassifier:
        """HR-CNN and LR-CNN fused by eq. 7, as Pt starts from them."""
        return two_stream(self.hr, self.lr, self.recipe.lr_input)

    @cached_property
    def patchdrop(self) -> dict[str, Trained]:
        """Policy and classifier after each of Pt, Ft-1 and Ft-2."""
        return dict(train_patchdrop(self.run, self.splits, self.recipe, self.streams))

    @cached_property
    def saliency(self) -> SaliencySampler:
        """The saliency sampler of the row STN."""
        return train_saliency(self.run, self.data, self.hr, self.recipe.stage("stn"))

    @cached_property
    def generator(self) -> SuperResolver:
        """The generator of SRGAN."""
        recipe = self.recipe
        return train_super_resolution(
            self.run, self.data, self.hr, recipe.stage("srgan"), recipe.lr_size, recipe.hr_size
        )

    @cached_property
    def super_resolved(self) -> nn.Module:
        """The classifier of the generator's output."""
        # A recipe without a schedule for it trains it as long as LR-CNN.
        config = self.recipe.srgan_cnn or self.recipe.lr
        return train_super_resolved(self.run, self.data, self.generator, self.hr, config)

    @cached_property
    def student(self) -> nn.Module:
        """The LR student of KD."""
        return train_distillation(self.run, self.data, self.recipe, self.hr)

    @cached_property
    def coupled(self) -> nn.Module:
        """The LR branch of PCN."""
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
        """PatchDrop on BagNet after Pt and Ft-1."""
        # No Ft-2: BagNet has no LR stream to mix in.
        stages = ("pt", "ft1")
        # The prefix keeps its checkpoints apart from those of PatchDrop on HR-CNN.
        return dict(train_patchdrop(self.run, self.splits, self.recipe, self.bagnet, stages, "bagnet_"))

    @cached_property
    def cutout(self) -> nn.Module:
        """HR-CNN trained with CutOut."""
        return train_with_cutout(self.run, self.data, self.recipe)

    @cached_property
    def hard_positives(self) -> nn.Module:
        """HR-CNN trained without the patches that the Ft-1 policy ranks highest."""
        policy = self.patchdrop["ft1"].policy  # like HR-CNN, Ft-1 works without the LR stream
        return train_with_hard_positives(self.run, self.data, self.recipe, policy)

    def chooser(self, name: str, size: int) -> Chooser:
        """Return a function from LR tiles (B, 3, h, h) to choices of exactly `size` patches, bool (B, 16)."""
        if name == "fixed_h":
            return lambda lr: fixed_masks(FIXED_H, size, len(lr))  # of the tile only the batch size is read
        if name == "fixed_v":
            return lambda lr: fixed_masks(FIXED_V, size, len(lr))
        if name == "stochastic":
            # No seed: every batch draws other choices, or the HR stream would learn one set of masks.
            return lambda lr: stochastic_masks(size, len(lr), None)
        saliency = self.saliency  # trained now: its first use may be inside a step, under no_grad
        return lambda lr: top_masks(saliency.patch_saliency(lr), size)

    def tuned(self, name: str, size: int, stage: str, start: Classifier, prefix: str = "") -> Classifier:
        """Fine-tune a copy of `start` on a baseline's choices, with one stream in ft1 and both in ft2.

        The schedule is that of PatchDrop in the same stage.
        """
        classifier = copy.deepcopy(start)  # `start` is shared: another row measures it as it is
        config = replace(
            self.recipe.stage(stage), patience=0
        )  # without a policy there is no reward to stop by
        train_masked(
            self.run,
            f"{prefix}{name}_{stage}",  # the name of its checkpoint, hence unique in the folder
            classifier,
            self.chooser(name, size),
            self.data,
            config,
            one_stream=stage == "ft1",
        )
        return classifier
