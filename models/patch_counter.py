"""The counter of high-resolution patches: how many objects one bought patch holds, with an interval.

A patch is read from its own pixels, so a reading never depends on which neighbours were bought. An object
counts in the patch that its centre lies in.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import features_of
from models.counts import Reading

CELL = 4
"""Pixels along a cell of the density map: the stride of the finest features that are read."""
BLOB = 5
"""Cells along the square whose objects decide whether its middle cell counts."""
_WIDTH = 64
_GAIN = 4.0  # empty ground and an object differ by some ten units: a new layer alone learns that slowly
_LOG_DENSITIES = -15.0, 4.0  # range that keeps an untrained network finite


@dataclass(frozen=True, kw_only=True)
class PatchCounterConfig:
    """Settings of a PatchCounter."""

    backbone: str
    """A timm network with `features_only`."""
    patch_px: int
    """Side of a patch in HR pixels; a multiple of CELL."""


class PatchCounter(nn.Module):
    """Predicts the density of objects over a patch, whose sum is the expected count.

    Features of the strides 4 to 32 are joined at stride 4, and a convolution of them is the logarithm of
    the density. A cell counts if the BLOB x BLOB cells around it hold at least `gate` objects: otherwise the
    faint density of empty ground would add up to objects that are not there. The variance is
    floor + linear * count + square * count^2. Scenes that the counter has not learnt from set these four
    numbers.
    """

    calibration: Tensor
    """float32 (4,): gate, floor, linear and square"""

    def __init__(self, config: PatchCounterConfig) -> None:
        super().__init__()
        if config.patch_px <= 0 or config.patch_px % CELL:
            raise ValueError(f"A patch of {config.patch_px} px is not a positive multiple of {CELL} px.")
        self.config = config
        self.backbone: nn.Module = features_of(config.backbone, stages=(1, 2, 3, 4))
        info: Any = self.backbone.feature_info
        self.narrow = nn.ModuleList(nn.Conv2d(width, _WIDTH, 1) for width in info.channels())
        self.join = nn.Sequential(
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(),
        )
        self.density = nn.Conv2d(_WIDTH, 1, 1)
        with torch.no_grad():
            self.density.weight.mul_(0.3 / _GAIN)
        self.density.bias = nn.Parameter(torch.full((1,), -6.0 / _GAIN))  # few cells hold an object
        self.register_buffer("calibration", torch.tensor([0.4, 0.02, 0.3, 0.02]))

    def forward(self, hr: Tensor) -> Reading:
        """Map normalised patches (B, 3, P, P) to readings (B,)."""
        return self.count(self.densities(hr))

    def densities(self, hr: Tensor) -> Tensor:
        """Return the expected objects of each cell (B, P / CELL, P / CELL).

        Raise ValueError unless the patches have the configured size.
        """
        side = self.config.patch_px
        if hr.shape[2:] != (side, side):
            raise ValueError(f"A patch of {tuple(hr.shape[2:])} px is not {side} x {side} px.")
        stages = self.backbone(hr)
        *finer, joined = (narrow(stage) for narrow, stage in zip(self.narrow, stages, strict=True))
        for stage in reversed(finer):
            # The coarser stage rounds an odd number of cells up: the surplus is cut off.
            rows, columns = stage.shape[2:]
            joined = stage + F.interpolate(joined, scale_factor=2, mode="nearest")[:, :, :rows, :columns]
        logarithms = _GAIN * self.density(self.join(joined))[:, 0].float()
        return torch.exp(logarithms.clamp(*_LOG_DENSITIES))

    def count(self, densities: Tensor) -> Reading:
        """Sum the densities (B, C, C) of the cells that count: readings (B,)."""
        gate, floor, linear, square = self.calibration.unbind()
        # Scaled up at the border: a patch shows part of an object there, which must not be lost.
        cells = F.avg_pool2d(densities[:, None], BLOB, 1, BLOB // 2, count_include_pad=False)
        around = BLOB**2 * cells[:, 0]
        mean = torch.where(around >= gate, densities, 0).sum((1, 2))
        return Reading(mean=mean, variance=floor + linear * mean + square * mean.square())
