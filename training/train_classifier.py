"""Classifiers by cross-entropy: one loop, three views of a tile.

`full_view` trains HR-CNN, `coarse_view` LR-CNN, `filled_view` the HR stream that is served: bought
patches sharp, the rest LR-filled (or zero), over random choices of patches. Left out on purpose:
mixing and colour augmentation; the eight symmetries are enough for networks that start on ImageNet.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import Fill, compose, normalise, upsample
from models.symmetry import SYMMETRIES, dihedral
from training.data import Images
from training.epochs import Run, batches, learning_rate, run_epochs, set_learning_rate, training_precision
from training.initial_weights import IMAGENET_MEAN, IMAGENET_STD
from training.masks import training_masks
from training.recipe import Stage

View = Callable[[Tensor, Tensor], Tensor]
"""Normalised hr (B, 3, H, H) and lr (B, 3, h, h) -> what the network sees."""

LABEL_SMOOTHING = 0.1


def full_view(hr: Tensor, _lr: Tensor) -> Tensor:
    """Every patch bought."""
    return hr


def coarse_view(size: int) -> View:
    """The LR tile alone, upsampled."""
    return lambda _hr, lr: upsample(lr, size)


def filled_view(fill: Fill) -> View:
    """A random choice of patches bought."""
    return lambda hr, lr: compose(hr, lr, training_masks(len(hr)).to(hr.device), fill)


def batch_of(images: Images, chosen: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised hr and lr, and labels, of some images."""
    hr, lr = (
        normalise(pixels[chosen].to(device), IMAGENET_MEAN, IMAGENET_STD) for pixels in (images.hr, images.lr)
    )
    return hr, lr, images.labels[chosen].to(device)


def train_classifier(
    run: Run, stage: str, network: nn.Module, view: View, images: Images, indices: Tensor, config: Stage
) -> None:
    """Train `network` in place on images[indices]; leaves it in evaluation mode."""
    network.to(run.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    steps = max(1, len(indices) // config.batch)

    def one_epoch(epoch: int) -> Mapping[str, float]:
        network.train()
        loss_sum, right, seen = 0.0, 0, 0
        for step, chosen in enumerate(batches(indices, config.batch)):
            progress = (epoch * steps + step) / (config.epochs * steps)
            set_learning_rate(optimiser, learning_rate(progress, config.learning_rate))
            hr, lr, labels = batch_of(images, chosen, run.device)
            k = int(torch.randint(SYMMETRIES, ()))
            inputs = view(dihedral(hr, k), dihedral(lr, k)).contiguous(memory_format=torch.channels_last)
            with training_precision(run.device):
                logits = network(inputs)
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss_sum += float(loss.detach()) * len(chosen)
            right += int((logits.argmax(1) == labels).sum())
            seen += len(chosen)
        return {"loss": loss_sum / seen, "train_accuracy": right / seen}

    run_epochs(run, stage, config.epochs, {"network": network}, optimiser, one_epoch)
    network.eval()
