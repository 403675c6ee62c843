"""Random windows of scenes: LR pixels with the counts of their patches, never the same twice.

A window may start anywhere, not only on the patch grid, and its LR pixels are simulated each time: with few
scenes a network would memorise their framing and their sensor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.grid import GRID
from models.preprocess import normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.boxes import Centres
from training.data.object_scenes import ObjectScene
from training.data.sensor import Pixels, draw_gap, simulate_lr

MEAN, STD = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
"""Scale of the input, that of the packaged ImageNet weights."""
FINER = 3
"""Pixels of the stored scene per LR pixel, from which LR is simulated."""


@dataclass(frozen=True, kw_only=True)
class WindowBatch:
    """Windows of scenes, normalised and turned, on the device of the run."""

    lr: Tensor
    """float32 (B, 3, R * patch_px, C * patch_px)"""
    counts: Tensor
    """float32 (B, R, C)"""
    chosen: Tensor
    progress: float


@dataclass(frozen=True, kw_only=True)
class SceneWindows:
    """Scenes to draw random windows from, one patch smaller than the smallest scene on either side."""

    fine: Sequence[Pixels]
    """Colours (3, H, W) of each scene, FINER pixels per LR pixel."""
    lr: Sequence[Pixels] | None
    """The scenes' own LR pixels, from which windows are cut on whole pixels; None to simulate them."""
    centres: Sequence[Centres]
    """Objects of each scene: column and row (N, 2) in patches."""
    patch_px: int
    """Side of a patch in LR pixels."""
    grid: tuple[int, int]
    """Rows and columns of a window, in patches."""

    @classmethod
    def of(cls, scenes: Sequence[ObjectScene], lr_size: int, *, simulated: bool) -> "SceneWindows":
        """Read scenes into memory."""
        rows = min(scene.rows for scene in scenes) * GRID - 1
        columns = min(scene.columns for scene in scenes) * GRID - 1
        fine = [_finer(scene, lr_size) for scene in scenes]
        return cls(
            fine=fine,
            lr=None if simulated else [scene.lr().numpy() for scene in scenes],
            centres=[scene.centres * GRID for scene in scenes],
            patch_px=lr_size // GRID,
            grid=(rows, columns),
        )

    @property
    def indices(self) -> Tensor:
        """Indices of the scenes, int64 (M,)."""
        return torch.arange(len(self.centres))

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> Iterator[WindowBatch]:
        """Yield a batch of windows for each part of `order`."""
        for number, chosen in enumerate(order):
            # Seeded by torch, whose state the loop sets in every epoch, so that a resumed run repeats.
            random = np.random.default_rng(int(torch.randint(2**62, ())))
            drawn = [self.draw(int(index), random) for index in chosen]
            # One symmetry for the batch: windows need not be square.
            symmetry = int(torch.randint(SYMMETRIES, ()))
            lr = torch.stack([pixels for pixels, _ in drawn]).to(device)
            counts = torch.stack([count for _, count in drawn]).to(device)
            yield WindowBatch(
                lr=dihedral(normalise(lr, MEAN, STD), symmetry).contiguous(memory_format=torch.channels_last),
                counts=dihedral(counts[:, None], symmetry)[:, 0],
                chosen=chosen,
                progress=starts_at + (ends_at - starts_at) * number / len(order),
            )

    def draw(self, index: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw a window of one scene: LR pixels uint8 (3, h, w), and counts float32 (R, C)."""
        step = self.patch_px * (FINER if self.lr is None else 1)
        source = (self.fine if self.lr is None else self.lr)[index]
        rows, columns = self.grid
        top, left = (
            int(random.integers(side - step * cells + 1))
            for side, cells in zip(source.shape[1:], self.grid, strict=True)
        )
        window = source[:, top : top + step * rows, left : left + step * columns]
        if self.lr is None:
            size = self.patch_px * rows, self.patch_px * columns
            window = simulate_lr(window, *size, draw_gap(random), random)
        centres = self.centres[index] - (left / step, top / step)
        inside = centres[((centres >= 0) & (centres < (columns, rows))).all(axis=1)]
        counts = np.zeros(self.grid, np.float32)
        column, row = np.floor(inside).astype(np.int64).T
        np.add.at(counts, (row, column), 1)
        return torch.from_numpy(window.copy()), torch.from_numpy(counts)


def _finer(scene: ObjectScene, lr_size: int) -> Pixels:
    size = scene.rows * lr_size * FINER, scene.columns * lr_size * FINER
    pixels = F.interpolate(scene.hr()[None].float(), size, mode="area")[0]
    fine: Pixels = pixels.round().to(torch.uint8).numpy()
    return fine
