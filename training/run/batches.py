"""From stored pixels to what a training step sees: shuffled, normalised, augmented, on the device."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.preprocess import downsample, normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.images import ImageSource, prefetched
from training.run.recipe import Augmentation, Recipe

MIRROR = 4
"""The symmetry of models.symmetry that swaps left and right."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Normalised, augmented, on the device of the run."""

    hr: Tensor
    """float32 (B, 3, H, H), H = the recipe's hr_size"""
    lr: Tensor
    """float32 (B, 3, h, h), h = the recipe's lr_size"""
    labels: Tensor
    """int64 (B,)"""
    chosen: Tensor
    """int64 (B,), which images, on the CPU"""
    progress: float
    """0..1 through the stage"""
    symmetry: int
    """Of models.symmetry.dihedral, applied to hr and lr; 0 = none"""


def shuffled(indices: Tensor, size: int, generator: torch.Generator) -> list[Tensor]:
    """Batches in random order; the last, ragged one joins the one before it: batch norm needs company."""
    order = indices[torch.randperm(len(indices), generator=generator)]
    count = steps_per_epoch(len(indices), size)
    return list(order.tensor_split([size * i for i in range(1, count)]))


def steps_per_epoch(images: int, size: int) -> int:
    """How many batches `shuffled` makes."""
    return max(1, images // size)


def batch_of(images: ImageSource, chosen: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised hr and lr, and labels, of some images as they are."""
    hr, lr = (_ready(images, pixels, device) for pixels in images.pixels(chosen))
    return hr, lr, images.labels[chosen].to(device, non_blocking=True)


def training_batches(
    images: ImageSource,
    order: list[Tensor],
    recipe: Recipe,
    device: torch.device,
    starts_at: float,
    ends_at: float,
) -> Iterator[Batch]:
    """The batches of one epoch, whose progress through the stage runs from `starts_at` to `ends_at`."""
    for number, (chosen, pixels) in enumerate(prefetched(images, order)):
        symmetry = random_symmetry(recipe.augmentation)
        hr, lr = (_ready(images, part, device) for part in pixels)
        if recipe.crop_from or recipe.pad:
            hr = random_crop(hr, recipe.hr_size, recipe.pad)
            lr = downsample(hr, recipe.lr_size)  # LR must show what HR shows
        yield Batch(
            hr=dihedral(hr, symmetry).contiguous(memory_format=torch.channels_last),
            lr=dihedral(lr, symmetry).contiguous(memory_format=torch.channels_last),
            labels=images.labels[chosen].to(device, non_blocking=True),
            chosen=chosen,
            progress=starts_at + (ends_at - starts_at) * number / len(order),
            symmetry=symmetry,
        )


def random_symmetry(augmentation: Augmentation) -> int:
    """One symmetry for a whole batch: of all eight, of the mirror only, or none."""
    if augmentation == "dihedral":
        return int(torch.randint(SYMMETRIES, ()))
    if augmentation == "crop-flip":
        return MIRROR * int(torch.randint(2, ()))
    return 0


def random_crop(images: Tensor, size: int, pad: int) -> Tensor:
    """A window of each image at random, `pad` pixels reflected outwards first: (B, C, size, size)."""
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect") if pad else images
    count, _, height, width = padded.shape
    top, left = (torch.randint(side - size + 1, (count, 1)) for side in (height, width))
    span = torch.arange(size)
    spans = (start + span for start in (top, left))  # (B, size)
    rows, columns = (span.to(images.device, non_blocking=True) for span in spans)
    which = torch.arange(count, device=images.device)
    # Indexing with the channel axis in the middle puts it last: (B, size, size, C).
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _ready(images: ImageSource, pixels: Tensor, device: torch.device) -> Tensor:
    return normalise(pixels.to(device, non_blocking=True), images.mean, images.std)
