"""STN: the saliency sampler of "Learning to Zoom" (Recasens et al., ECCV 2018).

A small network looks at the LR tile and says where to look closely; the HR tile is sampled more densely
there (their eqs. 3 and 4) and classified, all trained end to end by cross-entropy. In PatchDrop's tables
(section 5.2) its saliency then takes the policy's place: the S patches with the most of it are bought.
"""

import copy
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.grid import GRID, PATCHES
from models.preprocess import upsample
from training.methods.train_classifier import frozen
from training.run.batches import Batch
from training.run.lab import Lab, seed_start
from training.run.loop import train_stage

SIDE = 31
"""Places of the saliency map along each side, and of the sampling grid."""
KERNEL, FWHM = 61, 13
"""Of the Gaussian that draws samples towards saliency, in places."""
CHANNELS = 32


class SaliencySampler(nn.Module):
    """Where to look, from LR, and what a classifier makes of HR when looking there."""

    bell: Tensor
    places: Tensor

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        widths = (3, CHANNELS, CHANNELS, CHANNELS)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.looks = nn.Sequential(*layers, nn.Conv2d(CHANNELS, 1, 1))
        self.classifier = classifier
        span = torch.arange(KERNEL) - KERNEL // 2
        bell = torch.exp(-4 * torch.log(torch.tensor(2.0)) * span**2 / FWHM**2)
        self.register_buffer("bell", bell[None, None, None])
        # Places reach beyond the picture, as the padded saliency does: 0..1 is the picture itself.
        reach = KERNEL // 2
        line = (torch.arange(SIDE + 2 * reach) - reach) / (SIDE - 1)
        down, across = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("places", torch.stack((across, down)).unsqueeze(1))  # (2, 1, 91, 91)

    def saliency(self, lr: Tensor) -> Tensor:
        """Normalised LR (B, 3, h, h) -> map (B, 31, 31) that sums to 1."""
        logits = self.looks(upsample(lr, SIDE)).float().flatten(1)
        return torch.softmax(logits, 1).view(-1, SIDE, SIDE)

    def grid(self, saliency: Tensor) -> Tensor:
        """Where each place samples the picture, x and y in -1..1: (B, 31, 31, 2). Even saliency: itself."""
        reach = KERNEL // 2
        padded = F.pad(saliency.unsqueeze(1), (reach, reach, reach, reach), mode="replicate")
        weight = self._blurred(padded)
        drawn = [self._blurred(padded * axis) / weight for axis in self.places]
        return (2 * torch.cat(drawn, 1).permute(0, 2, 3, 1) - 1).clamp(-1, 1)

    def _blurred(self, maps: Tensor) -> Tensor:
        """(B, 1, 91, 91) -> (B, 1, 31, 31). The Gaussian is the product of its rows and columns."""
        return F.conv2d(F.conv2d(maps, self.bell), self.bell.transpose(2, 3))

    def forward(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Logits (B, N) of the warped HR tile."""
        with torch.autocast(hr.device.type, enabled=False):
            grid = self.grid(self.saliency(lr))
            fine = F.interpolate(grid.permute(0, 3, 1, 2), hr.shape[-2:], mode="bilinear", align_corners=True)
            warped = F.grid_sample(hr.float(), fine.permute(0, 2, 3, 1), align_corners=True)
        logits: Tensor = self.classifier(warped.contiguous(memory_format=torch.channels_last))
        return logits

    def patch_saliency(self, lr: Tensor) -> Tensor:
        """Mean saliency of each patch (B, 16), column-major like every choice of patches."""
        pooled = F.adaptive_avg_pool2d(self.saliency(lr).unsqueeze(1), GRID)  # (B, 1, row, col)
        return pooled.transpose(2, 3).reshape(-1, PATCHES)


def train_saliency(lab: Lab, classifier: nn.Module) -> SaliencySampler:
    """Train the sampler with a copy of `classifier`, HR-CNN; returns it frozen."""
    seed_start(lab, "stn")
    sampler = SaliencySampler(copy.deepcopy(classifier).requires_grad_(True))
    config = lab.recipe.stage("stn")

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = sampler(batch.hr, batch.lr).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(lab, "stn", {"sampler": sampler}, lab.learnt, config, step)
    frozen(sampler)
    return sampler
