"""One split of a data set: in memory, or decoded from its files when asked for."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor

from models.preprocess import downsample

NORMALISED = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
DECODERS = 16


class DataError(ValueError):
    """The data set is missing, incomplete or unreadable; the message names the file."""


class ImageSource(Protocol):
    """What the training loop reads from."""

    @property
    def labels(self) -> Tensor:
        """int64 (N,), on the CPU."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the labels."""

    @property
    def digests(self) -> tuple[str, ...]:
        """One for each image, of what its loader could look at; equal ones are taken for the same image."""

    @property
    def sites(self) -> tuple[str, ...]:
        """Where each image was taken, as far as the data set says; empty where it does not."""

    @property
    def mean(self) -> Sequence[float]:
        """Of the networks' input, per band, in 0..255."""

    @property
    def std(self) -> Sequence[float]:
        """Of the networks' input, per band, in 0..255."""

    @property
    def digest(self) -> str:
        """sha256 over labels and digests: which data a bundle was trained on."""

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of int64 indices (B,)."""

    def to(self, device: torch.device) -> Self:
        """The same with its pixels on a device, if it holds them."""


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """What is known of every image of a split, without its pixels."""

    labels: Tensor
    """int64 (N,), on the CPU."""
    classes: tuple[str, ...]
    digests: tuple[str, ...]
    """One for each image, of what its loader could look at; equal ones are taken for the same image."""
    sites: tuple[str, ...] = ()
    """Where each was taken; empty where the data set does not say."""
    mean: Sequence[float] = NORMALISED[0]
    std: Sequence[float] = NORMALISED[1]

    @property
    def digest(self) -> str:
        """sha256 over labels and digests: which data a bundle was trained on."""
        pairs = zip(self.labels.tolist(), self.digests, strict=True)
        lines = (f"{label} {digest}\n" for label, digest in pairs)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Images(LabelledImages):
    """Resident in memory."""

    hr: Tensor
    """uint8 (N, 3, L, L)"""
    lr: Tensor
    """uint8 (N, 3, h, h)"""

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of int64 indices (B,)."""
        where = chosen.to(self.hr.device, non_blocking=True)
        return self.hr[where], self.lr[where]

    def to(self, device: torch.device) -> "Images":
        """The same with its pixels on a device."""
        return replace(self, hr=self.hr.to(device), lr=self.lr.to(device))


Decode = Callable[[Path, str], tuple[Tensor, Tensor]]
"""A file, and what of it (its name in a table, or ""), to uint8 hr (3, L, L) and lr (3, h, h)."""


@dataclass(frozen=True, kw_only=True)
class StreamedImages(LabelledImages):
    """Too many for memory: files are decoded when asked for, by a bounded pool of threads.

    Of very many, digests are of names and sizes: reading every byte first would take as long as an epoch.
    """

    files: tuple[tuple[Path, str], ...]
    decode: Decode

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of int64 indices (B,). DataError names a broken file."""
        with ThreadPoolExecutor(min(DECODERS, max(1, len(chosen)))) as pool:
            pairs = list(pool.map(lambda index: self.decode(*self.files[index]), chosen.tolist()))
        return torch.stack([hr for hr, _ in pairs]), torch.stack([lr for _, lr in pairs])

    def to(self, _device: torch.device) -> "StreamedImages":
        """Itself: it holds no pixels."""
        return self


def read_now(source: StreamedImages) -> Images:
    """Decode everything into memory. DataError lists the files that cannot be read, and how many they are."""
    broken: list[str] = []
    size = None
    for index in range(len(source.files)):
        try:
            hr, lr = source.decode(*source.files[index])
        except DataError as error:
            broken.append(str(error))
            continue
        if size is None:
            size = len(source.files)
            all_hr, all_lr = hr.new_empty((size, *hr.shape)), lr.new_empty((size, *lr.shape))
        all_hr[index], all_lr[index] = hr, lr
    if broken:
        raise DataError(listed(broken))
    return Images(
        hr=all_hr,
        lr=all_lr,
        labels=source.labels,
        classes=source.classes,
        digests=source.digests,
        sites=source.sites,
        mean=source.mean,
        std=source.std,
    )


def centred(
    source: Images | StreamedImages, read_at: int, hr_size: int, lr_size: int
) -> Images | StreamedImages:
    """The middle hr_size pixels of images that were read larger, LR averaged from them to lr_size.

    Images read at hr_size are left as they are: their LR is from the file's own pixels.
    """
    if read_at == hr_size:
        return source
    if isinstance(source, Images):
        hr = _middle(source.hr, hr_size)
        return replace(source, hr=hr, lr=_coarse(hr, lr_size))

    def decode(file: Path, part: str) -> tuple[Tensor, Tensor]:
        larger, _ = source.decode(file, part)
        hr = _middle(larger, hr_size)
        return hr, _coarse(hr.unsqueeze(0), lr_size)[0]

    return replace(source, decode=decode)


def _middle(pixels: Tensor, size: int) -> Tensor:
    """(..., L, L) -> (..., size, size)."""
    start = (pixels.shape[-1] - size) // 2
    return pixels[..., start : start + size, start : start + size].contiguous()


def _coarse(hr: Tensor, size: int) -> Tensor:
    return downsample(hr, size).round().to(torch.uint8)


def listed(problems: Sequence[str], shown: int = 20) -> str:
    """The first problems, a line each, how many more there are, and where to see them all."""
    more = f"\n... and {len(problems) - shown} more" if len(problems) > shown else ""
    count = f"{len(problems)} files cannot be used:\n" if len(problems) > 1 else ""
    return f"{count}{chr(10).join(problems[:shown])}{more}\n`loupe-train data check` lists what is wrong."


def prefetched(
    source: ImageSource, order: Iterable[Tensor]
) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """(chosen, pixels) of each batch; a streamed source decodes one batch ahead of the one in use."""
    if not isinstance(source, StreamedImages):
        for chosen in order:
            yield chosen, source.pixels(chosen)
        return
    with ThreadPoolExecutor(1) as ahead:
        waiting = None
        for chosen in order:
            coming = (chosen, ahead.submit(source.pixels, chosen))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def split_groups(images: ImageSource, per_class: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices (rest, held out), `per_class` or a few more held out of each class.

    Images of one site, or of equal digests, go to the same side, else one would be judged on what it has
    learnt by heart.
    """
    held: list[int] = []
    for groups in _shuffled_groups(images, range(len(images.labels)), seed):
        taken: list[int] = []
        for group in groups:
            if len(taken) < per_class:
                taken += group
        held += taken
    mask = torch.zeros(len(images.labels), dtype=torch.bool)
    mask[held] = True
    return (~mask).nonzero()[:, 0], mask.nonzero()[:, 0]


def fold_of(images: ImageSource, indices: Tensor, folds: int, seed: int) -> Tensor:
    """Fold number of every image, int64 (N,), stratified; -1 for images outside `indices`."""
    numbers = torch.full((len(images.labels),), -1)
    for groups in _shuffled_groups(images, indices.tolist(), seed):
        for position, group in enumerate(groups):
            numbers[group] = position % folds
    return numbers


def _shuffled_groups(images: ImageSource, indices: Sequence[int], seed: int) -> Iterator[list[list[int]]]:
    """For each class, its groups of one site, or else of equal digests, in random order."""
    generator = torch.Generator().manual_seed(seed)
    alike = images.sites or images.digests
    by_class: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index in indices:
        by_class[int(images.labels[index])][alike[index]].append(index)
    for label in sorted(by_class):
        groups = list(by_class[label].values())
        yield [groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()]
