"""Batches: stored pixels, shuffled, normalised, augmented and moved to the run's device."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from models.preprocess import downsample, normalise
from models.symmetry import SYMMETRIES, dihedral
from training.data.images import ImageSource, prefetched
from training.run.recipe import Augmentation

MIRROR = 4
"""Number of the symmetry in models.symmetry that swaps left and right."""


class AnyBatch(Protocol):
    """The part of a batch that the training loop reads; the rest is between the data and the step."""

    @property
    def chosen(self) -> Tensor:
        """Indices of what the batch shows, int64 (B,), on the CPU."""

    @property
    def progress(self) -> float:
        """Progress through the stage, 0..1."""


BatchT = TypeVar("BatchT", bound=AnyBatch)
DrawnT_co = TypeVar("DrawnT_co", bound=AnyBatch, covariant=True)


class TrainingData(Protocol[DrawnT_co]):
    """The data of a stage, from which the training loop draws batches."""

    @property
    def indices(self) -> Tensor:
        """Indices to train on, int64 (M,)."""

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> Iterator[DrawnT_co]:
        """Yield one batch for each part of `order`; their progress runs from `starts_at` to `ends_at`."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Source of random crops, and their sizes in pixels."""

    source: ImageSource
    """The same images as the training split's, with the margin to crop from, if they have one."""
    pad: int
    """Width of the reflected border that is added on each side before cropping."""
    hr_size: int
    lr_size: int


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """The images that a stage trains on, and how their batches are augmented."""

    images: ImageSource
    """Whole tiles."""
    indices: Tensor
    """int64 (M,): the indices of `images` to train on."""
    augmentation: Augmentation = "none"
    crop: Crop | None = None

    @property
    def source(self) -> ImageSource:
        """The images that batches are read from."""
        return self.crop.source if self.crop else self.images

    def batches(
        self, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
    ) -> "Iterator[Batch]":
        """Yield the batches of one epoch; their progress runs from `starts_at` to `ends_at`."""
        return training_batches(self, order, device, starts_at, ends_at)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One batch, normalised and augmented, on the device of the run."""

    hr: Tensor
    """float32 (B, 3, H, H), H = the recipe's hr_size"""
    lr: Tensor
    """float32 (B, 3, h, h), h = the recipe's lr_size"""
    labels: Tensor
    """int64 (B,)"""
    chosen: Tensor
    """int64 (B,): indices of the images, on the CPU"""
    progress: float
    """Progress through the stage, 0..1"""
    symmetry: int
    """Number of the models.symmetry.dihedral applied to hr and lr; 0 = none"""


def shuffled(indices: Tensor, size: int, generator: torch.Generator) -> list[Tensor]:
    """Split the indices into batches of at least `size`, in random order."""
    order = indices[torch.randperm(len(indices), generator=generator)]
    count = steps_per_epoch(len(indices), size)
    # The remainder joins the last batch: batch norm has no statistics in a batch of one image.
    return list(order.tensor_split([size * i for i in range(1, count)]))


def steps_per_epoch(images: int, size: int) -> int:
    """Return how many batches `shuffled` makes."""
    return max(1, images // size)


def batch_of(images: ImageSource, chosen: Tensor, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return normalised hr (B, 3, H, H), lr (B, 3, h, h) and labels (B,), without augmentation."""
    hr, lr = (_normalised(images, pixels, device) for pixels in images.pixels(chosen))
    return hr, lr, images.labels[chosen].to(device, non_blocking=True)


def training_batches(
    data: TrainingImages, order: list[Tensor], device: torch.device, starts_at: float, ends_at: float
) -> Iterator[Batch]:
    """Yield the batches of one epoch; their progress runs from `starts_at` to `ends_at`."""
    source, crop = data.source, data.crop
    for number, (chosen, pixels) in enumerate(prefetched(source, order)):
        # One symmetry for the whole batch, so that patch masks can be turned with one indexing.
        symmetry = random_symmetry(data.augmentation)
        hr, lr = (_normalised(source, part, device) for part in pixels)
        if crop is not None:
            hr = random_crop(hr, crop.hr_size, crop.pad)
            lr = downsample(hr, crop.lr_size)  # LR must show what HR shows
        yield Batch(
            # channels_last: convolutions on CPU and CUDA are faster in this layout.
            hr=dihedral(hr, symmetry).contiguous(memory_format=torch.channels_last),
            lr=dihedral(lr, symmetry).contiguous(memory_format=torch.channels_last),
            labels=source.labels[chosen].to(device, non_blocking=True),
            chosen=chosen,
            # Progress before the step: the learning rate and alpha are functions of it.
            progress=starts_at + (ends_at - starts_at) * number / len(order),
            symmetry=symmetry,
        )


def random_symmetry(augmentation: Augmentation) -> int:
    """Draw the symmetry of a batch: one of all eight, identity or mirror, or always the identity."""
    if augmentation == "dihedral":
        return int(torch.randint(SYMMETRIES, ()))
    if augmentation == "crop-flip":
        return MIRROR * int(torch.randint(2, ()))
    return 0


def random_crop(images: Tensor, size: int, pad: int) -> Tensor:
    """Cut a random window out of each image, after reflecting `pad` pixels outwards: (B, C, size, size)."""
    # Reflected, as zeros would show the network where the border is.
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect") if pad else images
    count, _, height, width = padded.shape
    top, left = (torch.randint(side - size + 1, (count, 1)) for side in (height, width))  # (B, 1) each
    span = torch.arange(size)
    spans = (start + span for start in (top, left))  # (B, size)
    # Drawn on the CPU: a run on a GPU crops the same windows.
    rows, columns = (span.to(images.device, non_blocking=True) for span in spans)
    which = torch.arange(count, device=images.device)
    # Indexing with the channel axis in the middle puts it last: (B, size, size, C).
    return padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _normalised(images: ImageSource, pixels: Tensor, device: torch.device) -> Tensor:
    # Normalised after the move: uint8 is a quarter of the bytes to copy.
    return normalise(pixels.to(device, non_blocking=True), images.mean, images.std)
