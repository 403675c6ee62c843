"""A bundle loaded for use: utilities and labels for arrays of tiles, on CPU or GPU."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, cast

import numpy as np
import torch
from fastapi import Depends, Request
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import ClassifyBundle, ClassifyManifest, load_bundle
from models.preprocess import normalise
from models.two_stream import calibrate
from service.errors import UnavailableError

Pixels = NDArray[np.uint8]
Device = Literal["auto", "cpu", "cuda"]
BATCHES = {"cpu": 64, "cuda": 512}
"""Tiles in one pass, by device. Larger batches gain nothing on a CPU and cost memory."""
MOST_THREADS = 8
"""Most CPU threads by default: small networks gain nothing from more, and other requests need cores."""


class Predictor:
    """The networks of one bundle on one device. Safe to share between threads."""

    def __init__(self, bundle: ClassifyBundle, device: torch.device) -> None:
        self.manifest: ClassifyManifest = bundle.manifest
        self.sha256: str = bundle.sha256
        self.device = device
        self.batch = BATCHES[device.type]
        self._bundle = bundle
        for network in (bundle.policy, bundle.classifier):
            network.to(device).to(memory_format=torch.channels_last)
        # One batch at a time: two would compete for the same cores, or overrun the same GPU memory.
        self._turn = threading.Lock()

    def utilities(self, lr: Pixels) -> NDArray[np.float32]:
        """Return the utility of each patch, float32 (T, 16) in 0..1, of LR tiles uint8 (T, 3, h, h)."""
        self._check(lr, self.manifest.lr_size)

        def one_batch(part: slice) -> Tensor:
            return self._bundle.utilities(self._input(lr[part]))

        return self._in_batches(len(lr), 16, one_batch)

    def classify(
        self, lr: Pixels, hr: Pixels, selected: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return calibrated probabilities (T, N) from both streams, and (T, N) from the LR stream only.

        lr is uint8 (T, 3, h, h); hr is uint8 (T, 3, H, H), with any values where a patch was not bought;
        selected is (T, 16).
        """
        self._check(lr, self.manifest.lr_size)
        self._check(hr, self.manifest.hr_size)

        def one_batch(part: slice) -> Tensor:
            coarse, sharp = self._input(lr[part]), self._input(hr[part])
            bought = torch.from_numpy(selected[part]).to(self.device, torch.float32)
            classifier = self._bundle.classifier
            both = classifier(sharp, coarse, bought)
            lr_only = calibrate(classifier.coarse(coarse), classifier.temperature)
            return torch.cat([both, lr_only], dim=1)

        classes = len(self.manifest.classes)
        answer = self._in_batches(len(lr), 2 * classes, one_batch)
        return answer[:, :classes], answer[:, classes:]

    def _check(self, pixels: Pixels, size: int) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (3, size, size):
            raise ValueError(f"expected uint8 (T, 3, {size}, {size}), not {pixels.dtype} {pixels.shape}")

    def _input(self, pixels: Pixels) -> Tensor:
        moved = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        ready = normalise(moved, self.manifest.mean, self.manifest.std)
        return ready.contiguous(memory_format=torch.channels_last)

    def _in_batches(
        self, tiles: int, width: int, one_batch: Callable[[slice], Tensor]
    ) -> NDArray[np.float32]:
        """Fill (tiles, width) batch by batch; halve the batch when the GPU runs out of memory."""
        answer = np.empty((tiles, width), np.float32)
        start, size = 0, self.batch
        while start < tiles:
            part = slice(start, min(start + size, tiles))
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


def load_predictor(folder: Path, device: Device = "auto", threads: int = 0) -> Predictor:
    """Read the bundle in `folder` and put its networks on `device`.

    `threads` limits torch's CPU threads in this process; 0 means every core, at most MOST_THREADS.
    Errors: BundleError when a file is missing, altered or malformed; RuntimeError when `device` is cuda
    and there is none.
    """
    names = [path for path in sorted(folder.iterdir()) if path.suffix in {".json", ".safetensors"}]
    bundle = load_bundle({path.name: path.read_bytes() for path in names}, "classify")
    torch.set_num_threads(threads or min(os.cpu_count() or 1, MOST_THREADS))
    return Predictor(bundle, choose_device(device))


def choose_device(device: Device) -> torch.device:
    """Resolve "auto" to cuda if there is one, else to cpu; RuntimeError when "cuda" is not available."""
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise RuntimeError("LOUPE_DEVICE is cuda, but torch finds no CUDA device.")
    return torch.device("cuda" if device != "cpu" and available else "cpu")


def get_predictor(request: Request) -> Predictor:
    """Return the loaded bundle; UnavailableError (503) when the server was started without one."""
    predictor = cast(Predictor | None, request.state.predictor)
    if predictor is None:
        raise UnavailableError(
            "This server has no bundle. Set LOUPE_BUNDLE to the folder of a bundle and restart the server."
        )
    return predictor


PredictorDep = Annotated[Predictor, Depends(get_predictor)]
