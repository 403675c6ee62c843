"""Random windows of scenes with the size of an HR patch: pixels, and the objects of each cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.patch_counter import CELL
from models.preprocess import normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.boxes import Boxes
from training.data.sensor import Pixels
from training.objects.windows import MEAN, STD

WITH_OBJECT = 0.5
"""Share of the windows that are placed around an object; the others lie anywhere."""
SCALES = 0.75, 1.35
"""Smallest and largest enlargement of a window."""
PLACES = 3
"""Places compared for a window that may lie anywhere: plain ground is soon learnt."""
_LEAST_SIDE = 3 * CELL  # an object that is smaller, or whose size is unknown, still covers a few cells


@dataclass(frozen=True, kw_only=True)
class HrBatch:
    """Windows with the size of a patch, normalised, recoloured and turned, on the device of the run."""

    hr: Tensor
    """float32 (B, 3, P, P)"""
    density: Tensor
    """Objects of each cell, float32 (B, P / CELL, P / CELL); one object is spread over several cells."""
    inside: Tensor
    """1 where the middle of a cell lies in an object, else 0: float32 (B, P / CELL, P / CELL)"""
    chosen: Tensor
    progress: float


@dataclass(frozen=True, kw_only=True)
class HrWindows:
    """Scenes to draw random HR windows from."""

    pixels: Sequence[Pixels]
    """Colours (3, H, W) of each scene."""
    boxes: Sequence[Boxes]
    """Objects of each scene, in HR pixels."""
    patch_px: int
    count: int
    """Number of windows in an epoch."""

    @property
    def indices(self) -> Tensor:
        """Numbers of the windows, int64 (M,); every epoch draws other windows."""
        return torch.arange(self.count)

    @cached_property
    def chances(self) -> list[NDArray[np.float64]]:
        """Probability of choosing each object of each scene: objects of rare sizes come more often."""
        every = np.concatenate([_octaves(boxes) for boxes in self.boxes])
        weights = 1 / np.sqrt(np.bincount(every).clip(1))
        return [weights[_octaves(boxes)] / weights[_octaves(boxes)].sum() for boxes in self.boxes]

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> Iterator[HrBatch]:
        """Yield a batch of windows for each part of `order`."""
        for number, chosen in enumerate(order):
            # Seeded by torch, whose state the loop sets in every epoch, so that a resumed run repeats.
            random = np.random.default_rng(int(torch.randint(2**62, ())))
            drawn = [self.draw(random) for _ in chosen]
            hr = torch.stack([pixels for pixels, _ in drawn]).to(device)
            density, inside = torch.stack([cells for _, cells in drawn]).to(device).unbind(1)
            gain, offset = (part.to(device) for part in _colours(random, len(chosen)))
            shown = normalise(hr, MEAN, STD) * gain + offset
            yield HrBatch(
                hr=shown.contiguous(memory_format=torch.channels_last),
                density=density,
                inside=inside,
                chosen=chosen,
                progress=starts_at + (ends_at - starts_at) * number / len(order),
            )

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw a window, scaled and turned at random: uint8 (3, P, P), and its cells, as `cells_of`."""
        scene = int(random.integers(len(self.pixels)))
        pixels = self.pixels[scene]
        side = min(round(self.patch_px / random.uniform(*SCALES)), *pixels.shape[1:])
        left, top = self._corner(scene, side, random)
        window = torch.from_numpy(pixels[:, top : top + side, left : left + side].copy())
        placed = (self.boxes[scene] - (left, top, 0, 0)) * (self.patch_px / side)
        cells = torch.from_numpy(cells_of(placed, self.patch_px))
        symmetry = int(random.integers(SYMMETRIES))
        scaled = F.interpolate(window[None], (self.patch_px, self.patch_px), mode="bilinear", antialias=True)
        return dihedral(scaled, symmetry)[0], dihedral(cells[None], symmetry)[0]

    def _corner(self, scene: int, side: int, random: np.random.Generator) -> tuple[int, int]:
        """Draw the column and the row of the upper left corner of a window of a scene."""
        pixels, boxes = self.pixels[scene], self.boxes[scene]
        most = np.array([pixels.shape[2] - side, pixels.shape[1] - side])
        if len(boxes) and random.random() < WITH_OBJECT:
            box = boxes[random.choice(len(boxes), p=self.chances[scene])]
            # Anywhere in the window: never only in its middle, and sometimes with its centre just outside.
            margin = box[2:] / 4
            corner = np.round(box[:2] - random.uniform(-margin, side + margin))
            left, top = np.clip(corner, 0, most).astype(int).tolist()
            return left, top
        places = [(int(left), int(top)) for left, top in random.integers(0, most + 1, (PLACES, 2))]
        return max(places, key=lambda corner: _contrast(pixels, corner, side))


def cells_of(boxes: Boxes, patch_px: int) -> NDArray[np.float32]:
    """Draw objects, in pixels from the corner of a patch, over its cells: density and inside (2, C, C).

    An object lies in the ellipse that touches the sides of its box. Its density is a Gaussian about its
    centre, whose sum over the patch is 1, or nothing if the centre lies outside the patch.
    """
    middles = (np.arange(patch_px // CELL) + 0.5) * CELL
    sides = np.maximum(boxes[:, 2:, None], _LEAST_SIDE)
    away = middles - boxes[:, :2, None]  # (N, 2, C): along the columns, along the rows
    across, down = ((2 * away / sides) ** 2).swapaxes(0, 1)
    inside = (down[:, :, None] + across[:, None, :] <= 1).any(axis=0)
    kept = ((boxes[:, :2] >= 0) & (boxes[:, :2] < patch_px)).all(axis=1)
    blobs = np.exp(-0.5 * (away[kept] / np.maximum(sides[kept] / 6, CELL)) ** 2)
    across, down = (blobs / blobs.sum(axis=2, keepdims=True)).swapaxes(0, 1)
    return np.stack([down.T @ across, inside]).astype(np.float32)


def _octaves(boxes: Boxes) -> NDArray[np.int64]:
    """Return the size of each object as a whole power of two."""
    octaves: NDArray[np.int64] = np.log2(boxes[:, 2:].max(axis=1, initial=1)).astype(np.int64)
    return octaves


def _contrast(pixels: Pixels, corner: tuple[int, int], side: int) -> float:
    """Return the mean step from one pixel to the next in a window, where every fourth pixel counts."""
    left, top = corner
    window = pixels[1, top : top + side : 4, left : left + side : 4].astype(np.int16)
    return float(np.abs(np.diff(window)).mean())


def _colours(random: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Draw a gain and an offset for each window and band: float32 (B, 3, 1, 1) each."""
    # Light and haze differ by scene, and a little by band.
    gain = np.exp(random.normal(0, 0.15, (count, 1)) + random.normal(0, 0.05, (count, 3)))
    offset = random.normal(0, 0.1, (count, 1)) + random.normal(0, 0.03, (count, 3))
    drawn = torch.from_numpy(np.stack([gain, offset]).astype(np.float32))[..., None, None]
    return drawn[0], drawn[1]
