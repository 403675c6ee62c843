"""Random windows of scenes with the size of an HR patch: pixels, and the objects of each cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.patch_counter import CELL
from models.preprocess import normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.boxes import Centres
from training.data.sensor import Pixels
from training.objects.windows import MEAN, STD

WITH_OBJECT = 0.4
"""Share of the windows that are placed around an object; the others lie anywhere."""


@dataclass(frozen=True, kw_only=True)
class HrBatch:
    """Windows with the size of a patch, normalised, recoloured and turned, on the device of the run."""

    hr: Tensor
    """float32 (B, 3, P, P)"""
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
            hr = torch.stack([pixels for pixels, _ in drawn]).to(device)
            gain, offset = (part.to(device) for part in _colours(random, len(chosen)))
            shown = normalise(hr, MEAN, STD) * gain + offset
            yield HrBatch(
                hr=shown.contiguous(memory_format=torch.channels_last),
                cells=torch.stack([cell for _, cell in drawn]).to(device),
                chosen=chosen,
                progress=starts_at + (ends_at - starts_at) * number / len(order),
            )

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw a window, turned at random: uint8 (3, P, P), and the objects of its cells float32 (C, C)."""
        scene = int(random.integers(len(self.pixels)))
        pixels, centres = self.pixels[scene], self.centres[scene]
        side = self.patch_px
        most = np.array([pixels.shape[2] - side, pixels.shape[1] - side])  # column, row
        corner = random.integers(0, most + 1)
        if len(centres) and random.random() < WITH_OBJECT:
            # Around an object, anywhere in the patch: never only in its middle.
            inside = random.uniform(0, side, 2)
            corner = np.clip(np.round(centres[random.integers(len(centres))] - inside), 0, most).astype(int)
        left, top = int(corner[0]), int(corner[1])
        window = torch.from_numpy(pixels[:, top : top + side, left : left + side].copy())
        cells = torch.from_numpy(_cells(centres - (left, top), side))
        symmetry = int(random.integers(SYMMETRIES))
        return dihedral(window[None], symmetry)[0], dihedral(cells[None, None], symmetry)[0, 0]


def _cells(centres: Centres, patch_px: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Count objects, in pixels from the corner of a patch, by cell."""
    size = patch_px // CELL
    counts = np.zeros((size, size), np.float32)
    kept = centres[((centres >= 0) & (centres < patch_px)).all(axis=1)]
    column, row = np.floor(kept / CELL).astype(np.int64).T
    np.add.at(counts, (row, column), 1)
    return counts


def _colours(random: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Draw a gain and an offset for each window and band: float32 (B, 3, 1, 1) each."""
    # Light and haze differ by scene, and a little by band.
    gain = np.exp(random.normal(0, 0.15, (count, 1)) + random.normal(0, 0.05, (count, 3)))
    offset = random.normal(0, 0.1, (count, 1)) + random.normal(0, 0.03, (count, 3))
    drawn = torch.from_numpy(np.stack([gain, offset]).astype(np.float32))[..., None, None]
    return drawn[0], drawn[1]
