"""The policy network, which maps a tile's LR pixels to the utilities of its 16 patches."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import build_backbone
from models.grid import PATCHES
from models.preprocess import upsample
from models.symmetry import SYMMETRIES, dihedral, dihedral_patches, inverse

Head = Literal["independent", "diminishing"]


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """Settings of a PolicyNetwork. Raises ValueError on an impossible number of views."""

    backbone: str
    input_size: int
    """Side in pixels to which the LR tile is upsampled before the backbone."""
    views: int = 1
    """Number of symmetries of the tile to average over, 1 to 8; with 8, turning the tile turns the choice."""
    head: Head = "diminishing"
    """Mapping from the backbone's outputs to scores; the paper's head is "independent"."""
    uncertainty_exponent: float = 0.0
    """Exponent of the LR stream's label uncertainty in a patch's score; 0 ignores the uncertainty."""

    def __post_init__(self) -> None:
        if not 1 <= self.views <= SYMMETRIES:
            raise ValueError(
                f"A policy can average over 1 to {SYMMETRIES} views of a tile, not {self.views}."
            )


class PolicyNetwork(nn.Module):
    """The policy f_p of the paper's eq. 6 before its sigmoid: one logit per patch in one pass.

    The independent head uses the backbone's 16 outputs as scores, as in the paper.

    The diminishing head predicts b, the largest loss that any purchase can save, and v_p, the reach of
    each patch p. Buying the patches a leaves b exp(-sum_p v_p a_p) of that loss. The score of a patch is
    the logarithm of its marginal saving, which is minus the derivative by a_p, after every patch of
    larger reach is bought: log b + log v_p - (sum of all v_q > v_p). Returns diminish, so a tile with a
    large b does not buy everything, and a larger budget only ever adds patches.

    A purchase saves nothing where the free LR label is already correct. The saving may therefore be
    multiplied by u ** uncertainty_exponent, where u is the LR stream's probability that its label is
    wrong. This factor is the same for all patches of a tile: it changes which tiles are bought from,
    never the order of a tile's patches.

    `shift` and `scale` set the operating point: a score equal to `shift` has utility 0.5.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        outputs = PATCHES if config.head == "independent" else PATCHES + 1
        self.backbone = build_backbone(config.backbone, outputs)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, lr: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Map normalised LR tiles (B, 3, h, h) to logits (B, 16).

        `coarse` (B, N) holds the LR stream's probabilities for these tiles.
        Raise ValueError if the uncertainty exponent is not 0 and `coarse` is None.
        """
        if self.config.head == "independent":
            scores = self._turned_back([self._raw(dihedral(lr, k)) for k in range(self.config.views)])
        else:
            scores = self._diminishing_scores(lr)
        if self.config.uncertainty_exponent:
            if coarse is None:
                raise ValueError("This policy weighs label uncertainty: pass the LR stream's probabilities.")
            # (B,) -> (B, 1): one term per tile, added to the scores (B, 16) of all its patches.
            scores = scores + self.config.uncertainty_exponent * log_label_uncertainty(coarse).unsqueeze(1)
        return (scores - self.shift) * self.scale

    def _diminishing_scores(self, lr: Tensor) -> Tensor:
        answers = [self.saving_and_reach(dihedral(lr, k)) for k in range(self.config.views)]
        # log b does not depend on how the tile lies, so the views are averaged as they are.
        log_saving = torch.stack([saving for saving, _ in answers]).mean(0)
        reach = self._turned_back([reach for _, reach in answers])
        better = reach.unsqueeze(1) > reach.unsqueeze(2)  # (B, p, q): q has a larger reach than p
        bought_before = (better * reach.unsqueeze(1)).sum(2)  # (B, 16)
        return log_saving.unsqueeze(1) + reach.log() - bought_before

    def _turned_back(self, values: list[Tensor]) -> Tensor:
        """Average the values (B, 16) of all views, each turned back to the tile's own orientation."""
        return torch.stack([dihedral_patches(value, inverse(k)) for k, value in enumerate(values)]).mean(0)

    def _raw(self, lr: Tensor) -> Tensor:
        raw: Tensor = self.backbone(upsample(lr, self.config.input_size)).float()  # (B, 16) or (B, 17)
        return raw

    def saving_and_reach(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        """Return log b (B,), b in 0..1, and v (B, 16), positive, which value regression fits."""
        raw = self._raw(lr)  # (B, 17)
        # softplus(-1.5) is near 0.2, the start of the reach; 1e-4 keeps its logarithm finite.
        reach = F.softplus(raw[:, :PATCHES] - 1.5) + 1e-4
        return F.logsigmoid(raw[:, PATCHES]), reach


def log_label_uncertainty(coarse: Tensor) -> Tensor:
    """Map class probabilities (B, N) to log(1 - confidence) (B,), at least log 1e-12."""
    # Sum the other classes: 1 - max would round to 0 where a network is very sure.
    others = coarse.sort(dim=1, descending=True).values[:, 1:]
    return others.sum(1).clamp_min(1e-12).log()


def utilities(logits: Tensor) -> Tensor:
    """Map logits to the utilities s_p of eq. 6, sigmoid(logits). A patch is bought if s_p >= threshold."""
    return torch.sigmoid(logits)
