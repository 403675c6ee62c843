"""The second look: what is expected of a scene's other patches once some of its patches have been seen.

Objects cluster, and a policy that is wrong about a patch is often wrong about its neighbours. A small
convolutional network over the patch grid of the whole scene revises the counts that LR led to.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.counts import LARGEST_LOG_MEAN, LEAST_DISPERSION, Counts

PLANES = 11
"""Planes that the network reads."""
_DILATIONS = (1, 2, 4, 1)
_LEAST_MEAN = 1e-4


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The counts that are known of some patches of scenes. Values elsewhere are ignored."""

    bought: Tensor
    """Whether a patch was bought and read, bool (B, R, C)."""
    observed: Tensor
    """Number of objects that were read in it, float32 (B, R, C)."""
    known_before: Tensor
    """Whether imagery of an earlier date is owned of a patch, bool (B, R, C)."""
    before: Tensor
    """Number of objects that were read in that, float32 (B, R, C)."""

    @classmethod
    def nothing(cls, first: Counts) -> "Sight":
        """Return a sight of no patch."""
        never, zero = torch.zeros_like(first.mean, dtype=torch.bool), torch.zeros_like(first.mean)
        return cls(bought=never, observed=zero, known_before=never, before=zero)

    @classmethod
    def of(cls, bought: Tensor, observed: Tensor) -> "Sight":
        """Return a sight of bought patches (B, R, C), without any earlier imagery."""
        never = torch.zeros_like(bought)
        return cls(bought=bought, observed=observed, known_before=never, before=torch.zeros_like(observed))


@dataclass(frozen=True, kw_only=True)
class SecondLookConfig:
    """Settings of a SecondLook."""

    width: int = 32
    """Number of hidden planes."""


class SecondLook(nn.Module):
    """Revises the expected counts of patches by what was seen in others.

    It multiplies mean and dispersion by factors whose logarithms are the difference between the network's
    answers with and without the sight. Where nothing is known, it returns the first map exactly.
    """

    def __init__(self, config: SecondLookConfig) -> None:
        super().__init__()
        self.config = config
        widths = [PLANES] + [config.width] * len(_DILATIONS)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation)
            for before, after, dilation in zip(widths[:-1], widths[1:], _DILATIONS, strict=True)
        )
        self.factors = nn.Conv2d(config.width, 2, 1)
        # Training starts from the first map.
        nn.init.zeros_(self.factors.weight)

    def forward(self, first: Counts, sight: Sight) -> Counts:
        """Map the first expected counts (B, R, C) and a sight to revised counts (B, R, C)."""
        change = self._answer(first, sight) - self._answer(first, Sight.nothing(first))
        log_mean = first.mean.clamp_min(_LEAST_MEAN).log() + change[:, 0]
        dispersion = first.dispersion * change[:, 1].exp()
        nothing = ~(sight.bought | sight.known_before).any(dim=(1, 2), keepdim=True)
        return Counts(
            mean=torch.where(nothing, first.mean, log_mean.clamp(max=LARGEST_LOG_MEAN).exp()),
            dispersion=torch.where(nothing, first.dispersion, dispersion.clamp_min(LEAST_DISPERSION)),
        )

    def _answer(self, first: Counts, sight: Sight) -> Tensor:
        hidden = sight_planes(first, sight)
        for number, layer in enumerate(self.layers):
            after = F.relu(layer(hidden))
            hidden = after if number == 0 else hidden + after
        answer: Tensor = self.factors(hidden)
        return answer


def sight_planes(first: Counts, sight: Sight) -> Tensor:
    """Return the planes (B, PLANES, R, C) that describe the first counts and what is known."""
    mean = first.mean.clamp_min(_LEAST_MEAN)
    planes = [mean.log() / 3, first.variance.clamp_min(_LEAST_MEAN).log() / 3]
    for known, count in ((sight.bought, sight.observed), (sight.known_before, sight.before)):
        mask = known.float()
        surprise = torch.log1p(count.clamp_min(0)) - torch.log1p(mean)
        # Over the whole scene: objects seen there against those expected in the same patches.
        seen, expected = ((value * mask).sum((1, 2), keepdim=True) for value in (count.clamp_min(0), mean))
        scene = (torch.log1p(seen) - torch.log1p(expected)).expand_as(mean)
        planes += [mask, torch.log1p(count.clamp_min(0)) * mask, surprise * mask, scene]
    scaled = (sight.observed - mean) / first.variance.clamp_min(_LEAST_MEAN).sqrt()
    planes.append((scaled.clamp(-4, 4) / 2) * sight.bought)
    return torch.stack(planes, 1)
