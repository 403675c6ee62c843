"""Training of the counter of HR patches: the density of objects over random windows."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.counts import Reading
from models.grid import GRID
from models.patch_counter import PatchCounter, PatchCounterConfig
from models.preprocess import normalise
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.calibration import calibrate
from training.objects.hr_windows import HrBatch, HrWindows
from training.objects.recipe import SearchRecipe
from training.objects.windows import MEAN, STD
from training.run.folder import Run
from training.run.initial_weights import copy_matching, imagenet_network
from training.run.loop import train_stage
from training.run.seeds import seed_start

CPU_BATCH = 64
"""Patches read at a time outside training."""


def train_counter(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> PatchCounter:
    """Train a counter on some scenes of a data set; returns it in evaluation mode.

    Those of the split `validation` are kept for its calibration: on scenes that it has learnt, a counter is
    surer than it should be.
    """
    held_out = [scene for scene in scenes if scene.split == "validation"]
    learnt = [scene for scene in scenes if scene.split != "validation"] or scenes
    patch_px = int(data.facts["hr_size"]) // GRID
    seed_start(run.seed, "counter")
    counter = PatchCounter(PatchCounterConfig(backbone=recipe.counter_backbone, patch_px=patch_px))
    if recipe.pretrained:
        copy_matching(imagenet_network(recipe.counter_backbone), counter.backbone)
    counter.to(memory_format=torch.channels_last)
    windows = HrWindows(
        pixels=[scene.hr().numpy() for scene in learnt],
        centres=[scene.centres * data.facts["hr_size"] for scene in learnt],
        patch_px=patch_px,
        count=recipe.counter_windows,
    )

    def step(batch: HrBatch) -> tuple[Tensor, dict[str, Tensor]]:
        loss = density_loss(counter.densities(batch.hr), spread_out(batch.cells))
        return loss, {"loss": loss}

    train_stage(run, "counter", {"counter": counter}, windows, recipe.counter, step)
    known = held_out or scenes
    densities = torch.cat([densities_of(counter, scene) for scene in known])
    counts = torch.cat([torch.from_numpy(scene.counts).flatten() for scene in known])
    calibrate(counter, densities, counts.to(densities.device))
    return counter


def spread_out(cells: Tensor) -> Tensor:
    """Spread the objects of cells (B, C, C) over the 5 x 5 cells around them; none leaves its patch.

    The centre of a large object looks like its surroundings, so a single cell is hard to learn.
    """
    kernel = torch.tensor([1.0, 2.0, 1.0], device=cells.device)
    kernel = (kernel[:, None] * kernel / 16)[None, None]  # (1, 1, 3, 3)
    spread = cells[:, None]
    for _ in range(2):
        # Repeating the border sends back what would leave the patch.
        spread = F.conv2d(F.pad(spread, (1, 1, 1, 1), mode="replicate"), kernel)
    return spread[:, 0]


def density_loss(densities: Tensor, cells: Tensor) -> Tensor:
    """Return the Poisson loss per object of densities (B, C, C), where the cells hold `cells` objects."""
    # A batch counts as at least half an object a window: one without objects must not weigh more than others.
    return (densities - cells * densities.log()).sum() / cells.sum().clamp(min=len(cells) / 2)


@torch.no_grad()
def densities_of(counter: PatchCounter, scene: ObjectScene) -> Tensor:
    """Return the densities of every patch of a scene, row by row: (R * C, P / CELL, P / CELL)."""
    side = counter.config.patch_px
    device = next(counter.parameters()).device
    # (3, H, W) -> (3, R, C, P, P) -> (R * C, 3, P, P)
    patches = scene.hr().unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(0, 1)
    parts = torch.split(patches, CPU_BATCH)
    return torch.cat([counter.densities(normalise(part.to(device), MEAN, STD)) for part in parts])


@torch.no_grad()
def read_patches(counter: PatchCounter, scene: ObjectScene) -> Reading:
    """Read every patch of a scene: readings (1, R, C)."""
    grid = 1, GRID * scene.rows, GRID * scene.columns
    reading = counter.count(densities_of(counter, scene))
    return Reading(mean=reading.mean.reshape(grid).cpu(), variance=reading.variance.reshape(grid).cpu())
