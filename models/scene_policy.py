"""The policy of a whole scene: one convolutional network from LR pixels to the count of objects per patch.

It sees across the borders of tiles, and runs once per scene instead of once per tile.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import features_of
from models.counts import LARGEST_LOG_MEAN, LEAST_DISPERSION, Counts
from models.symmetry import SYMMETRIES, dihedral, inverse

PATCH_INPUT = 32
"""Side in pixels to which a patch is interpolated: the stride of the backbone's last stage."""
_WIDTH = 128
_SYMMETRIES = (0, 2, 1, 3, 4, 6, 5, 7)
"""The order in which views use symmetries. Half a turn comes first: the picture keeps its sides."""


@dataclass(frozen=True, kw_only=True)
class ScenePolicyConfig:
    """Settings of a ScenePolicy."""

    backbone: str
    """A timm network with `features_only`, whose last stage has stride 32."""
    patch_px: int
    """Side of a patch in LR pixels."""
    views: int = 1
    """Number of symmetries of the scene to average over, 1 to 8."""


class ScenePolicy(nn.Module):
    """Predicts the count of objects in every patch of a scene from its LR pixels.

    The features of all stages from stride 4 on are pooled to patches, mean and largest, and a head of two
    convolutions reads each patch with its eight neighbours.
    """

    def __init__(self, config: ScenePolicyConfig) -> None:
        super().__init__()
        if not 1 <= config.views <= SYMMETRIES:
            raise ValueError(f"A policy can average over 1 to {SYMMETRIES} views, not {config.views}.")
        self.config = config
        self.backbone: nn.Module = features_of(config.backbone, stages=(1, 2, 3, 4))  # strides 4 to 32
        info: Any = self.backbone.feature_info
        widths: list[int] = info.channels()
        self.head = nn.Sequential(
            nn.Conv2d(2 * sum(widths[:-1]) + widths[-1], _WIDTH, 1),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, 2, 1),
        )

    def forward(self, lr: Tensor) -> Counts:
        """Map normalised LR scenes (B, 3, R * patch_px, C * patch_px) to the counts of their patches.

        Raise ValueError unless a scene consists of whole patches.
        """
        views = []
        for k in _SYMMETRIES[: self.config.views]:
            mean, dispersion = self._one_view(dihedral(lr, k))
            views.append((dihedral(mean, inverse(k)), dihedral(dispersion, inverse(k))))
        means, dispersions = (torch.stack(parts).mean(0)[:, 0] for parts in zip(*views, strict=True))
        return Counts(mean=means, dispersion=dispersions)

    def _one_view(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        side = self.config.patch_px
        if lr.shape[2] % side or lr.shape[3] % side:
            raise ValueError(
                f"A scene of {lr.shape[2]} x {lr.shape[3]} px has no whole patches of {side} px."
            )
        grid = lr.shape[2] // side, lr.shape[3] // side
        size = tuple(PATCH_INPUT * cells for cells in grid)
        stages = self.backbone(F.interpolate(lr, size, mode="bicubic", align_corners=False))
        pooled = [pool(stage, grid) for stage in stages[:-1] for pool in (_mean, _largest)]
        raw = self.head(torch.cat([*pooled, stages[-1]], 1)).float()
        mean = torch.exp(raw[:, :1].clamp(max=LARGEST_LOG_MEAN))
        return mean, F.softplus(raw[:, 1:]) + LEAST_DISPERSION


def _mean(stage: Tensor, grid: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(stage, grid)


def _largest(stage: Tensor, grid: tuple[int, int]) -> Tensor:
    return F.adaptive_max_pool2d(stage, grid)
