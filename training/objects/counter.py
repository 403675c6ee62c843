"""Training of the counter of HR patches: the density of objects, over random windows of scenes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.counts import Reading
from models.grid import GRID
from models.patch_counter import CELL, MARGIN, PatchCounter, PatchCounterConfig
from models.preprocess import normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.boxes import Centres
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.data.sensor import Pixels
from training.objects.recipe import SearchRecipe
from training.objects.windows import MEAN, STD
from training.run.folder import Run
from training.run.initial_weights import copy_matching, imagenet_network
from training.run.loop import train_stage
from training.run.seeds import seed_start

WITH_OBJECT = 0.6
"""Share of the windows that are placed around an object; the others lie anywhere."""
CPU_BATCH = 64
"""Patches read at a time outside training."""


@dataclass(frozen=True, kw_only=True)
class HrBatch:
    """Windows with the size of a patch and its margin, normalised and turned, on the device of the run."""

    hr: Tensor
    """float32 (B, 3, P + 2 MARGIN, P + 2 MARGIN)"""
    cells: Tensor
    """Number of objects in each cell, float32 (B, P / CELL, P / CELL)"""
    chosen: Tensor
    progress: float


@dataclass(frozen=True, kw_only=True)
class HrWindows:
    """Scenes to draw random HR windows from."""

    pixels: Sequence[Pixels]
    """Colours (3, H, W) of each scene."""
    centres: Sequence[Centres]
    """Objects of each scene: column and row (N, 2) in HR pixels."""
    patch_px: int
    count: int
    """Number of windows in an epoch."""

    @property
    def indices(self) -> Tensor:
        """Numbers of the windows, int64 (M,); every epoch draws other windows."""
        return torch.arange(self.count)

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> Iterator[HrBatch]:
        """Yield a batch of windows for each part of `order`."""
        for number, chosen in enumerate(order):
            # Seeded by torch, whose state the loop sets in every epoch, so that a resumed run repeats.
            random = np.random.default_rng(int(torch.randint(2**62, ())))
            drawn = [self.draw(random) for _ in chosen]
            symmetry = int(torch.randint(SYMMETRIES, ()))
            hr = torch.stack([pixels for pixels, _ in drawn]).to(device)
            cells = torch.stack([cell for _, cell in drawn]).to(device)
            shown = normalise(hr, MEAN, STD) * float(random.uniform(0.85, 1.15)) + float(
                random.normal(0, 0.1)
            )
            yield HrBatch(
                hr=dihedral(shown, symmetry).contiguous(memory_format=torch.channels_last),
                cells=dihedral(cells[:, None], symmetry)[:, 0],
                chosen=chosen,
                progress=starts_at + (ends_at - starts_at) * number / len(order),
            )

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw a window: uint8 (3, S, S) with its margin, and the objects of its cells float32 (C, C)."""
        scene = int(random.integers(len(self.pixels)))
        pixels, centres = self.pixels[scene], self.centres[scene]
        side = self.patch_px + 2 * MARGIN
        most = np.array([pixels.shape[2] - side, pixels.shape[1] - side])  # column, row
        corner = random.integers(0, most + 1)
        if len(centres) and random.random() < WITH_OBJECT:
            # Around an object, anywhere in the patch: never only in its middle.
            inside = random.uniform(MARGIN, MARGIN + self.patch_px, 2)
            corner = np.clip(np.round(centres[random.integers(len(centres))] - inside), 0, most).astype(int)
        left, top = int(corner[0]), int(corner[1])
        window = pixels[:, top : top + side, left : left + side]
        return torch.from_numpy(window.copy()), torch.from_numpy(
            _cells(centres - (left + MARGIN, top + MARGIN), self.patch_px)
        )


def _cells(centres: Centres, patch_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Count objects, in pixels from the corner of a patch, by cell."""
    size = patch_px // CELL
    counts = np.zeros((size, size), np.float32)
    kept = centres[((centres >= 0) & (centres < patch_px)).all(axis=1)]
    column, row = np.floor(kept / CELL).astype(np.int64).T
    np.add.at(counts, (row, column), 1)
    return counts


def train_counter(
    run: Run, data: ObjectScenes, scenes: Sequence[ObjectScene], recipe: SearchRecipe
) -> PatchCounter:
    """Train a counter on some scenes of a data set; returns it in evaluation mode."""
    patch_px = int(data.facts["hr_size"]) // GRID
    seed_start(run.seed, "counter")
    counter = PatchCounter(PatchCounterConfig(backbone=recipe.counter_backbone, patch_px=patch_px))
    if recipe.pretrained:
        copy_matching(imagenet_network(recipe.counter_backbone), counter.backbone)
    counter.to(memory_format=torch.channels_last)
    windows = HrWindows(
        pixels=[scene.hr().numpy() for scene in scenes],
        centres=[scene.centres * data.facts["hr_size"] for scene in scenes],
        patch_px=patch_px,
        count=recipe.counter_windows,
    )

    def step(batch: HrBatch) -> tuple[Tensor, dict[str, Tensor]]:
        density, reading = counter.densities(batch.hr)
        true = batch.cells.sum((1, 2))
        # Where the objects are (Poisson, per cell) teaches the density; the errors of the total its spread.
        places = (density - batch.cells * density.log()).sum((1, 2)).mean()
        apart = Reading(mean=reading.mean.detach(), variance=reading.variance)
        spread = apart.negative_log_likelihood(true).mean()
        error = (reading.mean - true).abs().mean()
        return places + 0.1 * spread, {"places": places, "spread": spread, "error": error}

    train_stage(run, "counter", {"counter": counter}, windows, recipe.counter, step)
    return counter


@torch.inference_mode()
def read_patches(counter: PatchCounter, scene: ObjectScene) -> Reading:
    """Read every patch of a scene: readings (1, R, C). At a scene's border the margin repeats pixels."""
    step, side = counter.config.patch_px, counter.config.patch_px + 2 * MARGIN
    device = next(counter.parameters()).device
    padded = torch.nn.functional.pad(scene.hr()[None].float(), (MARGIN,) * 4, mode="replicate")
    rows, columns = GRID * scene.rows, GRID * scene.columns
    windows = padded[0].unfold(1, side, step).unfold(2, side, step).permute(1, 2, 0, 3, 4)
    parts = [
        counter(normalise(part.to(device), MEAN, STD))
        for part in torch.split(windows.reshape(-1, 3, side, side), CPU_BATCH)
    ]
    return Reading(
        mean=torch.cat([part.mean for part in parts]).reshape(1, rows, columns).cpu(),
        variance=torch.cat([part.variance for part in parts]).reshape(1, rows, columns).cpu(),
    )
