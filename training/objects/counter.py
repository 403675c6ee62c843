"""Training of the counter of HR patches: the density and the inside of objects over random windows."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.grid import GRID
from models.patch_counter import CellMaps, PatchCounter, PatchCounterConfig
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
INSIDE_WEIGHT = 4.0
"""Weight of the loss of the inside, beside that of the density."""
FOCUS = 2.0
"""Exponent by which a cell weighs less the surer the counter is of it."""


def train_counter(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> PatchCounter:
    """Train a counter on some scenes of a data set; returns it in evaluation mode.

    Those of the split `validation` are kept for its calibration.
    """
    known = calibration_scenes(scenes)
    learnt = [scene for scene in scenes if scene.split != "validation"] or scenes
    patch_px = int(data.facts["hr_size"]) // GRID
    seed_start(run.seed, "counter")
    counter = PatchCounter(PatchCounterConfig(backbone=recipe.counter_backbone, patch_px=patch_px))
    if recipe.pretrained:
        copy_matching(imagenet_network(recipe.counter_backbone), counter.backbone)
    counter.to(memory_format=torch.channels_last)
    windows = HrWindows(
        pixels=[scene.hr().numpy() for scene in learnt],
        boxes=[np.hstack([scene.centres, scene.sizes]) * data.facts["hr_size"] for scene in learnt],
        patch_px=patch_px,
        count=recipe.counter_windows,
    )

    def step(batch: HrBatch) -> tuple[Tensor, dict[str, Tensor]]:
        return cells_loss(counter.cells(batch.hr), batch)

    train_stage(run, "counter", {"counter": counter}, windows, recipe.counter, step)
    cells = [cells_of_patches(counter, scene) for scene in known]
    counts = torch.cat([torch.from_numpy(scene.counts).flatten() for scene in known])
    calibrate(counter, CellMaps.joined(cells), counts.to(run.device))
    return counter


def calibration_scenes(scenes: Sequence[ObjectScene]) -> Sequence[ObjectScene]:
    """Return the scenes from which a counter does not learn; all of them if none is in `validation`.

    On scenes that it has learnt, a counter is surer than it should be.
    """
    return [scene for scene in scenes if scene.split == "validation"] or scenes


def cells_loss(cells: CellMaps, batch: HrBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of both maps of a batch, and its parts by name."""
    density = density_loss(cells.density, batch.density)
    inside = inside_loss(cells.inside, batch.inside)
    return density + INSIDE_WEIGHT * inside, {"density_loss": density, "inside_loss": inside}


def density_loss(density: Tensor, objects: Tensor) -> Tensor:
    """Return the Poisson loss per object of densities (B, C, C), where the cells hold `objects`."""
    # A batch counts as at least half an object a window: one without objects must not weigh more than others.
    return (density - objects * density.log()).sum() / objects.sum().clamp(min=len(objects) / 2)


def inside_loss(logits: Tensor, inside: Tensor) -> Tensor:
    """Return the focal loss (Lin et al. 2017, eq. 4) per cell that lies in an object: logits (B, C, C)."""
    # Most cells are empty and soon known: without the focus they would outweigh the objects.
    losses = F.binary_cross_entropy_with_logits(logits, inside, reduction="none")
    focused = (losses * (logits.sigmoid() - inside).abs().pow(FOCUS)).sum()
    # A batch counts as at least 8 such cells a window, for the same reason as above.
    return focused / inside.sum().clamp(min=8 * len(inside))


@torch.no_grad()
def cells_of_patches(counter: PatchCounter, scene: ObjectScene) -> CellMaps:
    """Return the maps of every patch of a scene, row by row: (R * C, P / CELL, P / CELL)."""
    side = counter.config.patch_px
    device = next(counter.parameters()).device
    # (3, H, W) -> (3, R, C, P, P) -> (R * C, 3, P, P)
    patches = scene.hr().unfold(1, side, side).unfold(2, side, side).permute(1, 2, 0, 3, 4).flatten(0, 1)
    parts = torch.split(patches, CPU_BATCH)
    return CellMaps.joined([counter.cells(normalise(part.to(device), MEAN, STD)) for part in parts])


@torch.no_grad()
def read_patches(counter: PatchCounter, scene: ObjectScene) -> Tensor:
    """Read every patch of a scene: readings (1, R, C)."""
    readings = counter.count(cells_of_patches(counter, scene))
    return readings.reshape(1, GRID * scene.rows, GRID * scene.columns).cpu()
