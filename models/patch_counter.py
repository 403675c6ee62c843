"""The counter of high-resolution patches: how many objects one bought patch holds, with an interval.

Each patch is read once, with a margin of its neighbours' pixels where they are known, so that an object on
the border is seen whole. It counts in the patch that its centre lies in.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import features_of
from models.counts import LARGEST_LOG_MEAN, Reading

CELL = 8
"""Pixels along a cell of the density map: the stride of the finest features that are read."""
MARGIN = CELL
"""Pixels that are read beyond each side of a patch."""
LEAST_VARIANCE = 1e-3
"""Smallest variance of a reading."""
_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class PatchCounterConfig:
    """Settings of a PatchCounter."""

    backbone: str
    """A timm network with `features_only`."""
    patch_px: int
    """Side of a patch in HR pixels; a multiple of CELL."""


class PatchCounter(nn.Module):
    """Predicts the density of objects over a patch, whose sum is the expected count.

    Features of the strides 8 and 16 are joined at stride 8; the logarithm of the density is a convolution of
    them. The variance of the count is read from the mean of the same features over the patch, and grows with
    the count.
    """

    def __init__(self, config: PatchCounterConfig) -> None:
        super().__init__()
        if config.patch_px <= 0 or config.patch_px % CELL:
            raise ValueError(f"A patch of {config.patch_px} px is not a positive multiple of {CELL} px.")
        self.config = config
        self.backbone: nn.Module = features_of(config.backbone, stages=(2, 3))
        info: Any = self.backbone.feature_info
        fine, coarse = info.channels()
        self.join = nn.Sequential(
            nn.Conv2d(fine + coarse, _WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(_WIDTH, _WIDTH, 1), nn.ReLU()
        )
        self.density = nn.Conv2d(_WIDTH, 1, 1)
        self.spread = nn.Linear(_WIDTH, 1)
        self.density.bias = nn.Parameter(torch.full((1,), -5.0))  # few cells hold an object

    def forward(self, hr: Tensor) -> Reading:
        """Map normalised patches with their margin (B, 3, P + 2 MARGIN, P + 2 MARGIN) to readings (B,)."""
        return self.densities(hr)[1]

    def densities(self, hr: Tensor) -> tuple[Tensor, Reading]:
        """Return the expected objects of each cell (B, P / CELL, P / CELL), and the readings (B,).

        Raise ValueError unless the patches have the configured size and margin.
        """
        side = self.config.patch_px + 2 * MARGIN
        if hr.shape[2:] != (side, side):
            raise ValueError(
                f"A patch of {tuple(hr.shape[2:])} px is not {side} x {side} px with its margin."
            )
        fine, coarse = self.backbone(hr)
        joined = self.join(torch.cat([fine, F.interpolate(coarse, fine.shape[2:], mode="nearest")], 1))
        # The margin is context: its cells belong to the neighbours.
        inner = joined[:, :, 1:-1, 1:-1].float()
        density = torch.exp(self.density(inner)[:, 0].clamp(max=LARGEST_LOG_MEAN))
        mean = density.sum((1, 2))
        factor = F.softplus(self.spread(inner.mean((2, 3)))[:, 0])
        return density, Reading(mean=mean, variance=LEAST_VARIANCE + factor * (mean + 0.05))
