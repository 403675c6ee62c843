"""A bundle held for use on CPU or GPU: the interface of every kind, and what the kinds share."""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import Bundle
from models.manifest import Manifest
from models.preprocess import normalise
from models.tasks import Task
from service.errors import UnavailableError
from service.metrics import BATCH_SECONDS, BATCH_SIZE
from service.stopping import checkpoint

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Device = Literal["auto", "cpu", "cuda"]
BATCHES = {"cpu": 64, "cuda": 512}
"""Tiles in one pass, by device. Larger batches gain nothing on a CPU and cost memory."""
_FULL = ("can't allocate memory", "could not create a ")
"""Words of PyTorch's CPU allocator, and of oneDNN, which does not say why it failed."""
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
        self._turn = FairLock()

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

    def _in_batches(
        self,
        items: int,
        width: int,
        one_batch: Callable[[slice], Tensor],
        after: Callable[[int, int], None] | None = None,
    ) -> Floats:
        """Fill (items, width) batch by batch; halve the batch when the device runs out of memory.

        `after` is called after each batch with the items done and all items. Raises the reason when the
        computation is stopped between two batches.
        """
        answer = np.empty((items, width), np.float32)
        start, size = 0, self.batch
        while start < items:
            part = slice(start, min(start + size, items))
            checkpoint()
            try:
                with self._turn, torch.inference_mode(), noticing_full_memory():
                    began = perf_counter()
                    answer[part] = one_batch(part).float().cpu().numpy()
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise UnavailableError(
                        "The device has no memory for one tile. Try again later."
                    ) from error
                torch.cuda.empty_cache()
                size //= 2
            else:
                BATCH_SECONDS.labels(self.manifest.name).observe(perf_counter() - began)
                BATCH_SIZE.labels(self.manifest.name).observe(part.stop - part.start)
                start = part.stop
                if after is not None:
                    after(start, items)
        return answer


@contextmanager
def noticing_full_memory() -> Iterator[None]:
    """Raise torch.OutOfMemoryError when a CPU has no memory, as PyTorch does for a GPU."""
    try:
        yield
    except MemoryError as error:
        raise torch.OutOfMemoryError(str(error)) from error
    except RuntimeError as error:
        # The CPU's allocator and oneDNN have no error type of their own.
        if any(words in str(error) for words in _FULL):
            raise torch.OutOfMemoryError(str(error)) from error
        raise


class FairLock:
    """A lock that threads get in the order in which they ask for it.

    A scene of many batches asks again at once after each; with a plain lock it could get it every time.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # released by the holder before

    def __exit__(self, *_error: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


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
