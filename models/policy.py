"""The policy: 16 utilities of the patches of a tile, from its LR pixels alone."""

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
    """How to build a PolicyNetwork, and how it answers. ValueError on an impossible number of views."""

    backbone: str
    input_size: int
    """The LR tile is upsampled to this many pixels a side first; its own size leaves it as it is."""
    views: int = 1
    """Average over the first 1 to 8 symmetries of the tile: with 8, turning the tile turns the choice."""
    head: Head = "diminishing"
    """How the backbone's outputs become scores: the paper's are independent."""
    doubt_exponent: float = 0.0
    """How much the LR stream's doubt of its own label counts in what a patch is worth; 0: not at all."""

    def __post_init__(self) -> None:
        if not 1 <= self.views <= SYMMETRIES:
            raise ValueError(f"{self.views} views: a square has 1 to {SYMMETRIES}")


class PolicyNetwork(nn.Module):
    """f_p of the paper's eq. 6, up to the sigmoid: one logit per patch, all at once.

    With the independent head the backbone's 16 outputs are the scores, as in the paper.
    With the diminishing head the backbone says how much loss any purchase could save, b, and how far
    each patch goes, v_p; buying patches a leaves b exp(-sum_p v_p a_p) of it. A patch's score is the
    logarithm of the rate at which it starts to save, minus the derivative by a_p, once every better
    patch is bought: log b + log v_p - sum of the v_q > v_p. Returns diminish, so a hopeful tile does
    not buy everything, and a larger budget never un-buys.
    A purchase saves nothing where the free label is right already, so a saving may be multiplied by
    doubt ** doubt_exponent, the LR stream's own chance that it is wrong. That moves a tile's patches
    together: it says which tiles to spend on, and leaves a tile's order as it is.
    `shift` and `scale` place the operating point: a score equal to `shift` has utility 0.5.
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
        """Normalised LR tiles (B, 3, h, h) -> logits (B, 16).

        `coarse` (B, N), what the LR stream says of them. ValueError if doubt counts and it is not given.
        """
        if self.config.head == "independent":
            scores = self._turned_back([self._raw(dihedral(lr, k)) for k in range(self.config.views)])
        else:
            scores = self._diminishing_scores(lr)
        if self.config.doubt_exponent:
            if coarse is None:
                raise ValueError("this policy weighs the LR stream's doubt: pass what that stream says")
            scores = scores + self.config.doubt_exponent * log_doubt(coarse).unsqueeze(1)
        return (scores - self.shift) * self.scale

    def _diminishing_scores(self, lr: Tensor) -> Tensor:
        answers = [self.saving_and_reach(dihedral(lr, k)) for k in range(self.config.views)]
        log_saving = torch.stack([saving for saving, _ in answers]).mean(0)
        reach = self._turned_back([reach for _, reach in answers])
        better = reach.unsqueeze(1) > reach.unsqueeze(2)  # (B, p, q): q goes further than p
        bought_before = (better * reach.unsqueeze(1)).sum(2)  # (B, 16)
        return log_saving.unsqueeze(1) + reach.log() - bought_before

    def _turned_back(self, values: list[Tensor]) -> Tensor:
        """Mean over the views of values (B, 16), each turned back to how the tile lies."""
        return torch.stack([dihedral_patches(value, inverse(k)) for k, value in enumerate(values)]).mean(0)

    def _raw(self, lr: Tensor) -> Tensor:
        raw: Tensor = self.backbone(upsample(lr, self.config.input_size)).float()
        return raw

    def saving_and_reach(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        """log b (B,), with b in 0..1, and v (B, 16), positive: what value regression fits."""
        raw = self._raw(lr)  # (B, 17)
        reach = F.softplus(raw[:, :PATCHES] - 1.5) + 1e-4  # starts near 0.2
        return F.logsigmoid(raw[:, PATCHES]), reach


def log_doubt(coarse: Tensor) -> Tensor:
    """log(1 - confidence) of class probabilities (B, N) -> (B,), at least log 1e-12."""
    # The other classes' sum: 1 - max would round to 0 where a network is very sure.
    others = coarse.sort(dim=1, descending=True).values[:, 1:]
    return others.sum(1).clamp_min(1e-12).log()


def utilities(logits: Tensor) -> Tensor:
    """s_p of eq. 6: sigmoid(logits), in [0, 1]. Buy iff utility >= threshold (0.5 unless moved)."""
    return torch.sigmoid(logits)
