"""One split of a data set, in memory or decoded from its files batch by batch."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import torch
from torch import Tensor

from models.preprocess import downsample
from training.data.held_out import Labelled

NORMALISED = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
"""Default mean and standard deviation per band, which map 0..255 to about -1..1."""
DECODERS = 16
"""Most threads that decode one batch."""


class DataError(ValueError):
    """A data set that is missing, incomplete or unreadable; the message names the file."""


class ImageSource(Labelled, Protocol):
    """The interface of a split that the training loop reads."""

    @property
    def mean(self) -> Sequence[float]:
        """Mean per band that the networks' input is normalised with, in 0..255."""

    @property
    def std(self) -> Sequence[float]:
        """Standard deviation per band that the networks' input is normalised with, in 0..255."""

    @property
    def digest(self) -> str:
        """The sha256 over labels and digests, which identifies the data a bundle was trained on."""

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of the images with int64 indices (B,)."""

    def to(self, device: torch.device) -> Self:
        """Return the same split with its pixels, if it holds any, on a device."""


@dataclass(frozen=True, kw_only=True)
class LabelledImages:
    """The labels, classes and digests of a split, without its pixels."""

    labels: Tensor
    """Labels as int64 (N,), on the CPU."""
    classes: tuple[str, ...]
    digests: tuple[str, ...]
    """One digest per image, made by its reader; images with equal digests count as the same image."""
    sites: tuple[str, ...] = ()
    """The place where each image was taken; empty if the data set does not record it."""
    counts: Tensor | None = None
    """Number of objects in each patch, int64 (N, 16), if the data set records it."""
    mean: Sequence[float] = NORMALISED[0]
    std: Sequence[float] = NORMALISED[1]

    @property
    def digest(self) -> str:
        """The sha256 over labels and digests, which identifies the data a bundle was trained on."""
        pairs = zip(self.labels.tolist(), self.digests, strict=True)
        # In the order of the data set: another order of the same images is another digest.
        lines = (f"{label} {digest}\n" for label, digest in pairs)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Images(LabelledImages):
    """A split whose pixels are in memory."""

    hr: Tensor
    """Pixels as uint8 (N, 3, L, L)."""
    lr: Tensor
    """Pixels as uint8 (N, 3, h, h)."""

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of the images with int64 indices (B,)."""
        # The copy runs beside the computation: the indices are on the CPU, the pixels may be on a GPU.
        where = chosen.to(self.hr.device, non_blocking=True)
        return self.hr[where], self.lr[where]

    def to(self, device: torch.device) -> "Images":
        """Return the same split with its pixels on a device."""
        return replace(self, hr=self.hr.to(device), lr=self.lr.to(device))


Decode = Callable[[Path, str], tuple[Tensor, Tensor]]
"""Function from a file and the named part of it ("" for the whole) to uint8 hr (3, L, L), lr (3, h, h)."""


@dataclass(frozen=True, kw_only=True)
class StreamedImages(LabelledImages):
    """A split too large for memory, whose files a bounded pool of threads decodes batch by batch.

    Digests of a very large split cover names and sizes only: reading every byte would take as long as an
    epoch.
    """

    files: tuple[tuple[Path, str], ...]
    decode: Decode

    def pixels(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return uint8 hr (B, 3, L, L) and lr (B, 3, h, h) of the images with int64 indices (B,).

        Raise DataError naming a broken file.
        """
        # Threads suffice: Pillow, GDAL and torch release Python's lock while they decode.
        with ThreadPoolExecutor(min(DECODERS, max(1, len(chosen)))) as pool:
            pairs = list(pool.map(lambda index: self.decode(*self.files[index]), chosen.tolist()))
        return torch.stack([hr for hr, _ in pairs]), torch.stack([lr for _, lr in pairs])

    def to(self, _device: torch.device) -> "StreamedImages":
        """Return the split itself, which holds no pixels."""
        return self


def read_now(source: StreamedImages) -> Images:
    """Decode a whole split into memory. Raise DataError listing and counting the unreadable files."""
    broken: list[str] = []
    size = None
    for index in range(len(source.files)):
        try:
            hr, lr = source.decode(*source.files[index])
        except DataError as error:
            broken.append(str(error))  # go on: one run should name every broken file, not only the first
            continue
        # Allocate once, when the shape is known: stacking a list at the end would need twice the memory.
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
        counts=source.counts,
        mean=source.mean,
        std=source.std,
    )


def centred(
    source: Images | StreamedImages, read_at: int, hr_size: int, lr_size: int
) -> Images | StreamedImages:
    """Cut the middle hr_size pixels of images that were read larger, and average them to lr_size for LR.

    Images that were read at hr_size are returned unchanged: their LR comes from the file's own pixels.
    """
    if read_at == hr_size:
        return source
    if isinstance(source, Images):
        hr = _middle(source.hr, hr_size)
        return replace(source, hr=hr, lr=_coarse(hr, lr_size))

    def decode(file: Path, part: str) -> tuple[Tensor, Tensor]:
        larger, _ = source.decode(file, part)  # its LR covers the rim too, which HR no longer shows
        hr = _middle(larger, hr_size)
        return hr, _coarse(hr.unsqueeze(0), lr_size)[0]  # through (1, 3, L, L), which pooling expects

    return replace(source, decode=decode)


def _middle(pixels: Tensor, size: int) -> Tensor:
    """Cut the middle of (..., L, L) to (..., size, size)."""
    # An odd difference leaves one pixel more at the lower right.
    start = (pixels.shape[-1] - size) // 2
    return pixels[..., start : start + size, start : start + size].contiguous()


def _coarse(hr: Tensor, size: int) -> Tensor:
    return downsample(hr, size).round().to(torch.uint8)  # a cast without round would darken every pixel


def listed(problems: Sequence[str], shown: int = 20) -> str:
    """Return the first problems, one a line, the number of others, and the command that lists them all."""
    more = f"\n{len(problems) - shown} more are not shown." if len(problems) > shown else ""
    count = f"{len(problems)} files cannot be used:\n" if len(problems) > 1 else ""
    return (
        f"{count}{chr(10).join(problems[:shown])}{more}\nRun `loupe-train data check` to list every problem."
    )


def prefetched(
    source: ImageSource, order: Iterable[Tensor]
) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """Yield (chosen, pixels) of each batch in order; a streamed source decodes one batch ahead."""
    if not isinstance(source, StreamedImages):  # resident pixels need no thread
        for chosen in order:
            yield chosen, source.pixels(chosen)
        return
    # One batch ahead hides decoding behind the training step; more would only hold memory.
    with ThreadPoolExecutor(1) as ahead:
        waiting = None
        for chosen in order:
            coming = (chosen, ahead.submit(source.pixels, chosen))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()
