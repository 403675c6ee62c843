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
from training.methods.classifiers import frozen
from training.run.batches import Batch, TrainingImages
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.recipe import Stage
from training.run.seeds import seed_start

SIDE = 31
"""Side of the saliency map, and of the sampling grid, in places."""
KERNEL, FWHM = 61, 13
"""Size and width of the Gaussian that draws samples towards saliency, in places."""
CHANNELS = 32


class SaliencySampler(nn.Module):
    """A saliency network on LR, and a classifier of HR sampled more densely where saliency is high."""

    bell: Tensor
    places: Tensor

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        widths = (3, CHANNELS, CHANNELS, CHANNELS)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        # Strides of 1 throughout: the map keeps the places of its input.
        self.looks = nn.Sequential(*layers, nn.Conv2d(CHANNELS, 1, 1))
        self.classifier = classifier
        span = torch.arange(KERNEL) - KERNEL // 2
        # exp(-4 ln 2 x^2 / fwhm^2) is 1/2 at x = fwhm / 2.
        bell = torch.exp(-4 * torch.log(torch.tensor(2.0)) * span**2 / FWHM**2)
        self.register_buffer("bell", bell[None, None, None])  # (1, 1, 1, 61), the weight of a convolution
        # Places reach beyond the image, as the padded saliency does: 0..1 is the image itself.
        reach = KERNEL // 2
        line = (torch.arange(SIDE + 2 * reach) - reach) / (SIDE - 1)
        down, across = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("places", torch.stack((across, down)).unsqueeze(1))  # (2, 1, 91, 91)

    def saliency(self, lr: Tensor) -> Tensor:
        """Return the saliency map (B, 31, 31), which sums to 1, of normalised LR (B, 3, h, h)."""
        logits = self.looks(upsample(lr, SIDE)).float().flatten(1)  # (B, 1, 31, 31) -> (B, 961)
        # One softmax over all places: what one place gains the others lose.
        return torch.softmax(logits, 1).view(-1, SIDE, SIDE)

    def grid(self, saliency: Tensor) -> Tensor:
        """Return where each place samples the image, x and y in -1..1: (B, 31, 31, 2).

        With even saliency each place samples itself.
        """
        reach = KERNEL // 2
        # Replicated beyond the border: zeros there would draw every sample towards the middle.
        padded = F.pad(saliency.unsqueeze(1), (reach, reach, reach, reach), mode="replicate")
        # Eqs. 3 and 4: the mean of the places x' (and y') around a place, weighted by saliency and Gaussian.
        weight = self._blurred(padded)  # (B, 1, 31, 31)
        drawn = [self._blurred(padded * axis) / weight for axis in self.places]
        # (B, 2, 31, 31) -> (B, 31, 31, 2), and 0..1 -> -1..1, as grid_sample wants it.
        return (2 * torch.cat(drawn, 1).permute(0, 2, 3, 1) - 1).clamp(-1, 1)

    def _blurred(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, 1, 91, 91) with the Gaussian: (B, 1, 31, 31)."""
        # The Gaussian is separable: two passes of 61 taps instead of one of 3,721.
        return F.conv2d(F.conv2d(maps, self.bell), self.bell.transpose(2, 3))

    def forward(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Return logits (B, N) of the warped HR tile."""
        # In fp32: bf16 places a sample no finer than half a pixel of a 224 px tile.
        with torch.autocast(hr.device.type, enabled=False):
            grid = self.grid(self.saliency(lr))
            # The grid has 31 places a side: it is refined to one sample for each HR pixel.
            fine = F.interpolate(grid.permute(0, 3, 1, 2), hr.shape[-2:], mode="bilinear", align_corners=True)
            warped = F.grid_sample(hr.float(), fine.permute(0, 2, 3, 1), align_corners=True)
        logits: Tensor = self.classifier(warped.contiguous(memory_format=torch.channels_last))
        return logits

    def patch_saliency(self, lr: Tensor) -> Tensor:
        """Return the mean saliency of each patch (B, 16), column-major like every choice of patches."""
        pooled = F.adaptive_avg_pool2d(self.saliency(lr).unsqueeze(1), GRID)  # (B, 1, row, col)
        # Transposed before flattening: rows would come first otherwise, and ids are column-major.
        return pooled.transpose(2, 3).reshape(-1, PATCHES)


def train_saliency(run: Run, data: TrainingImages, classifier: nn.Module, config: Stage) -> SaliencySampler:
    """Train the sampler with a copy of `classifier`, HR-CNN; returns it frozen."""
    seed_start(run.seed, "stn")
    # A copy: the task network learns to read warped tiles, HR-CNN must not.
    sampler = SaliencySampler(copy.deepcopy(classifier).requires_grad_(True))

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = sampler(batch.hr, batch.lr).float()
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(run, "stn", {"sampler": sampler}, data, config, step)
    frozen(sampler)
    return sampler
