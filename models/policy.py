"""The policy: 16 utilities of the patches of a tile, from its LR pixels alone."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.backbones import build_backbone
from models.grid import PATCHES
from models.preprocess import upsample


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """How to build a PolicyNetwork."""

    backbone: str
    input_size: int
    """The LR tile is upsampled to this many pixels a side first; its own size leaves it as it is."""


class PolicyNetwork(nn.Module):
    """f_p of the paper's eq. 6, up to the sigmoid: one logit per patch, all at once.

    `shift` and `scale` place the operating point: a fitted score equal to `shift` has utility 0.5.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone, PATCHES)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, lr: Tensor) -> Tensor:
        """Normalised LR tiles (B, 3, h, h) -> logits (B, 16)."""
        scores: Tensor = self.backbone(upsample(lr, self.config.input_size))
        return (scores - self.shift) * self.scale


def utilities(logits: Tensor) -> Tensor:
    """s_p of eq. 6: sigmoid(logits), in [0, 1]. Buy iff utility >= threshold (0.5 unless moved)."""
    return torch.sigmoid(logits)


def temper(probabilities: Tensor, alpha: float) -> Tensor:
    """Eq. 11, training only: alpha s + (1 - alpha)(1 - s). For alpha > 0.5 the greedy mask is kept."""
    return alpha * probabilities + (1 - alpha) * (1 - probabilities)
