"""A bundle held for use on CPU or GPU: the interface of every kind, and what the kinds share."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import Bundle
from models.manifest import Manifest, Task
from models.preprocess import normalise
from service.errors import UnavailableError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Device = Literal["auto", "cpu", "cuda"]
BATCHES = {"cpu": 64, "cuda": 512}
"""Tiles in one pass, by device. Larger batches gain nothing on a CPU and cost memory."""
Built = TypeVar("Built")
Networks = TypeVar("Networks", bound=Bundle)


@dataclass(frozen=True, kw_only=True)
class ExpectedCounts:
    """The number of objects that each patch is expected to hold: mean and variance, float32 (T, 16)."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The worth of each patch of a scene before anything is bought; 0 in tiles that are not eligible."""

    utilities: Mapping[Task, Floats]
    """Utilities float32 (T, 16) of each task that the bundle offers."""
    expected: ExpectedCounts | None
    """Expected counts; None for a bundle that counts nothing."""


class Predictor(ABC):
    """The networks of one bundle on one device. Safe to share between threads."""

    def __init__(self, manifest: Manifest, sha256: str, device: torch.device) -> None:
        self.manifest = manifest
        self.sha256 = sha256
        self.device = device
        self.batch = BATCHES[device.type]
        # One batch at a time: two would compete for the same cores, or overrun the same GPU memory.
        self._turn = threading.Lock()

    @abstractmethod
    def prepare(self) -> None:
        """Build the networks now, if they are not; otherwise the first use builds them."""

    @abstractmethod
    def judge(self, pixels: Pixels, eligible: NDArray[np.bool_], columns: int) -> Judgement:
        """Judge the LR tiles of a scene, uint8 (T, 3, h, h), in rows of `columns` tiles.

        eligible is (T,): tiles with enough valid pixels; the others get 0.
        """

    def _input(self, pixels: Pixels) -> Tensor:
        moved = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        ready = normalise(moved, self.manifest.mean, self.manifest.std)
        return ready.contiguous(memory_format=torch.channels_last)

    def _in_batches(self, items: int, width: int, one_batch: Callable[[slice], Tensor]) -> Floats:
        """Fill (items, width) batch by batch; halve the batch when the GPU runs out of memory."""
        answer = np.empty((items, width), np.float32)
        start, size = 0, self.batch
        while start < items:
            part = slice(start, min(start + size, items))
            try:
                with self._turn, torch.inference_mode():
                    answer[part] = one_batch(part).float().cpu().numpy()
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise UnavailableError(
                        "The device has no memory for one tile. Try again later."
                    ) from error
                torch.cuda.empty_cache()
                size //= 2
            else:
                start = part.stop
        return answer


class BuiltOnce(Generic[Built]):
    """A value that the first reader builds while the others wait. A failed build is tried again."""

    def __init__(self, build: Callable[[], Built]) -> None:
        self._build = build
        self._turn = threading.Lock()
        self._built: Built | None = None

    def get(self) -> Built:
        """Return the value, building it at the first call."""
        with self._turn:
            if self._built is None:
                self._built = self._build()
            return self._built


class BundlePredictor(Predictor, Generic[Networks]):
    """A predictor that reads its bundle at the first use."""

    def __init__(
        self, manifest: Manifest, sha256: str, device: torch.device, load: Callable[[], Networks]
    ) -> None:
        super().__init__(manifest, sha256, device)
        self._networks = BuiltOnce(lambda: self._on_device(load()))

    def prepare(self) -> None:
        """Build the networks now, if they are not; otherwise the first use builds them."""
        self._networks.get()

    def _on_device(self, bundle: Networks) -> Networks:
        for network in bundle.networks.values():
            network.to(self.device).to(memory_format=torch.channels_last)
        return bundle


def check_pixels(pixels: Pixels, side: int, axis: str = "T") -> None:
    """Raise ValueError unless pixels are uint8 (`axis`, 3, side, side)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (3, side, side):
        raise ValueError(f"expected uint8 ({axis}, 3, {side}, {side}), not {pixels.dtype} {pixels.shape}")


def choose_device(device: Device) -> torch.device:
    """Resolve "auto" to cuda if there is one, else to cpu; UnavailableError when there is no "cuda"."""
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UnavailableError("LOUPE_DEVICE is cuda, but torch finds no CUDA device.")
    return torch.device("cuda" if device != "cpu" and available else "cpu")
