"""Training of the scene policy: a likelihood of counts, over random windows of scenes."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from models.counts import Counts, mixture
from models.grid import GRID
from models.preprocess import normalise
from models.scene_policy import ScenePolicy, ScenePolicyConfig
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.recipe import SearchRecipe
from training.objects.windows import MEAN, STD, SceneWindows, WindowBatch
from training.run.folder import Run
from training.run.initial_weights import copy_matching, imagenet_network
from training.run.loop import train_stage
from training.run.seeds import seed_start


def train_scene_policy(
    run: Run, stage: str, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> ScenePolicy:
    """Train a policy on some scenes of a data set; returns it in evaluation mode."""
    lr_size = int(data.facts["lr_size"])
    seed_start(run.seed, stage)
    policy = ScenePolicy(ScenePolicyConfig(backbone=recipe.policy_backbone, patch_px=lr_size // GRID))
    if recipe.pretrained:
        copy_matching(imagenet_network(recipe.policy_backbone), policy.backbone)
    policy.to(memory_format=torch.channels_last)
    windows = SceneWindows.of(scenes, lr_size, simulated=data.facts["lr"] == "simulated")

    def step(batch: WindowBatch) -> tuple[Tensor, dict[str, Tensor]]:
        loss = policy(batch.lr).negative_log_likelihood(batch.counts).mean()
        return loss, {"loss": loss}

    train_stage(run, stage, {"policy": policy}, windows, recipe.policy, step)
    # Only now: training shows one random symmetry at a time, and service averages over several.
    policy.config = replace(policy.config, views=recipe.views)
    return policy


@torch.inference_mode()
def expected_counts(policies: Sequence[ScenePolicy], scenes: Sequence[ObjectScene]) -> list[Counts]:
    """Return the counts (1, R, C) that an ensemble expects in each scene."""
    return [
        mixture([policy(lr) for policy in policies])
        for lr in (normalise(scene.lr()[None], MEAN, STD) for scene in scenes)
    ]
