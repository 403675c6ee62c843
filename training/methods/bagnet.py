"""BagNet: a network runs on each patch by itself, and the patches' evidence is added up (section 6).

Only bought patches are computed, so dropping patches saves time as well as money.
"""

import time
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.grid import GRID, PATCHES
from models.preprocess import Fill
from training.data.images import ImageSource
from training.run.batches import Batch, TrainingImages, batch_of
from training.run.evaluate import TilePredictor
from training.run.folder import Run
from training.run.initial_weights import new_network
from training.run.loop import train_stage
from training.run.recipe import Stage

REPEATS, WARM_UP = 5, 1


class BagNet(nn.Module):
    """A classifier of bought patches that takes TwoStreamClassifier's place in Pt and Ft-1.

    It has no LR stream: `mixture` is its own answer.
    """

    fill: Fill = "zero"
    fusion_exponent = 1.0

    def __init__(self, hr: nn.Module, classes: int) -> None:
        super().__init__()
        self.hr = hr
        self.classes = classes

    def hr_logits(self, hr: Tensor, _lr: Tensor, selected: Tensor) -> Tensor:
        """Return the sum of the bought patches' logits over 16: (B, N); 0 where nothing is bought."""
        image, patch = selected.bool().nonzero(as_tuple=True)  # (K,) each, K patches bought in the batch
        evidence = hr.new_zeros(len(hr), self.classes, dtype=torch.float32)
        if len(image) == 0:
            return evidence
        # (B, 16, 3, s, s) -> (K, 3, s, s): the network runs on bought patches only.
        computed = self.hr(cut(hr)[image, patch].contiguous(memory_format=torch.channels_last)).float()
        # Divided by 16 and not by S: more evidence makes surer, and logits keep one scale over all S.
        return evidence.index_add(0, image, computed) / PATCHES

    def coarse(self, lr: Tensor) -> Tensor:
        """Return equal probabilities (B, N): there is no LR stream."""
        return lr.new_full((len(lr), self.classes), 1 / self.classes)

    def mixture(self, hr: Tensor, lr: Tensor, selected: Tensor, _coarse: Tensor | None = None) -> Tensor:
        """Return probabilities (B, N), equal for all classes where nothing is bought."""
        return torch.softmax(self.hr_logits(hr, lr, selected), dim=1)

    def forward(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Return the same as `mixture`."""
        return self.mixture(hr, lr, selected)


def cut(hr: Tensor) -> Tensor:
    """Cut tiles (B, 3, H, H) into their patches, column-major: (B, 16, 3, H / 4, H / 4)."""
    count, bands, side, _ = hr.shape
    step = side // GRID
    grid = hr.reshape(count, bands, GRID, step, GRID, step)  # (B, 3, row, y, col, x)
    # (B, col, row, 3, y, x): the column comes first, so that patch id = 4 col + row.
    return grid.permute(0, 4, 2, 1, 3, 5).reshape(count, PATCHES, bands, step, step)


def train_bagnet(run: Run, data: TrainingImages, backbone: str, config: Stage) -> BagNet:
    """Train on every patch by cross-entropy of the summed evidence; returns it frozen."""
    classes = len(data.images.classes)
    network = BagNet(new_network(run, "bagnet", backbone, classes), classes)
    every = torch.ones(1, PATCHES, dtype=torch.bool, device=run.device)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = network.hr_logits(batch.hr, batch.lr, every.expand(len(batch.hr), -1))
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=config.label_smoothing)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(run, "bagnet", {"network": network}, data, config, step)
    network.eval().requires_grad_(False)
    return network


@torch.inference_mode()
def milliseconds_per_image(
    predictor: TilePredictor, images: ImageSource, selected: Tensor, device: torch.device
) -> float:
    """Return the median time to classify the first len(selected) images in one batch, per image."""
    hr, lr, _ = batch_of(images, torch.arange(len(selected)), device)
    chosen = selected.to(device)
    times = []
    for repeat in range(WARM_UP + REPEATS):
        _finish(device)
        begun = time.perf_counter()
        predictor(hr, lr, chosen)
        _finish(device)
        # The first call pays for memory and kernel selection.
        if repeat >= WARM_UP:
            times.append(time.perf_counter() - begun)
    return 1000 * median(times) / len(selected)


def _finish(device: torch.device) -> None:
    # CUDA calls return before the work is done: without this only their launch would be timed.
    if device.type == "cuda":
        torch.cuda.synchronize(device)
