"""The counter of high-resolution patches: how many objects one bought patch holds, with an interval.

A patch is read from its own pixels, so a reading never depends on which neighbours were bought. An object
counts in the patch that its centre lies in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import features_of

CELL = 4
"""Pixels along a cell of the maps: the stride of the finest features that are read."""
REACH = 3
"""Cells along the square in which the tail of an object's density still counts."""
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


@dataclass(frozen=True, kw_only=True)
class CellMaps:
    """The two maps that a counter makes of patches, float32 (B, C, C) each."""

    density: Tensor
    """Expected number of objects whose centres lie in the cell."""
    inside: Tensor
    """Logit of the probability that the middle of the cell lies in an object."""

    @classmethod
    def joined(cls, parts: Sequence["CellMaps"]) -> "CellMaps":
        """Return the maps of the patches of all parts, in their order."""
        return cls(
            density=torch.cat([part.density for part in parts]),
            inside=torch.cat([part.inside for part in parts]),
        )


class PatchCounter(nn.Module):
    """Predicts the density of objects over a patch, whose sum is the expected count, and where objects lie.

    Features of the strides 4 to 32 are joined at stride 4, and a convolution of them makes two maps: the
    logarithm of the density, and the logit of lying inside an object. A cell counts if it or a neighbour lies
    inside with a probability of at least `gate`: otherwise the faint density of empty ground would add up to
    objects that are not there.
    """

    gate: Tensor
    """float32 (); scenes that the counter has not learnt from set it."""

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
        self.maps = nn.Conv2d(_WIDTH, 2, 1)
        with torch.no_grad():
            self.maps.weight.mul_(0.3 / _GAIN)
        self.maps.bias = nn.Parameter(torch.tensor([-6.0, 0.0]) / _GAIN)  # few cells hold an object
        self.register_buffer("gate", torch.tensor(0.5))

    def forward(self, hr: Tensor) -> Tensor:
        """Map normalised patches (B, 3, P, P) to readings (B,)."""
        return self.count(self.cells(hr))

    def cells(self, hr: Tensor) -> CellMaps:
        """Return the maps of patches (B, 3, P, P), with P / CELL cells along a side.

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
        logarithms, inside = (_GAIN * self.maps(self.join(joined)).float()).unbind(1)
        return CellMaps(density=torch.exp(logarithms.clamp(*_LOG_DENSITIES)), inside=inside)

    def count(self, cells: CellMaps) -> Tensor:
        """Sum the density of the cells that count: readings (B,)."""
        around = F.max_pool2d(cells.inside[:, None], REACH, 1, REACH // 2)[:, 0]
        return torch.where(around.sigmoid() >= self.gate, cells.density, 0).sum((1, 2))
