"""Bundles that classify tiles: utilities of patches, and labels from what was bought."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import ClassifyBundle, ClassifyManifest
from models.grid import PATCHES
from models.two_stream import calibrate
from service.bundles.predictor import BundlePredictor, Floats, Judgement, Pixels, check_pixels
from service.progress import advance


class ClassifyPredictor(BundlePredictor[ClassifyBundle]):
    """A policy and a two-stream classifier."""

    manifest: ClassifyManifest

    def judge(self, pixels: Pixels, eligible: NDArray[np.bool_], columns: int) -> Judgement:  # noqa: ARG002  (each tile is judged by itself)
        """Judge the LR tiles of a scene, uint8 (T, 3, h, h), each by itself."""
        utilities = np.zeros((len(eligible), PATCHES), np.float32)
        utilities[eligible] = self.utilities(pixels[eligible])
        return Judgement(utilities={"label": utilities}, expected=None)

    def utilities(self, lr: Pixels) -> Floats:
        """Return the utility of each patch, float32 (T, 16) in 0..1, of LR tiles uint8 (T, 3, h, h)."""
        check_pixels(lr, self.manifest.lr_size)
        bundle = self._networks.get()

        def one_batch(part: slice) -> Tensor:
            return bundle.utilities(self._input(lr[part]))

        return self._in_batches(len(lr), PATCHES, one_batch, advance)

    def classify(self, lr: Pixels, hr: Pixels, selected: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return calibrated probabilities (T, N) from both streams, and (T, N) from the LR stream only.

        lr is uint8 (T, 3, h, h); hr is uint8 (T, 3, H, H), with any values where a patch was not bought;
        selected is (T, 16).
        """
        check_pixels(lr, self.manifest.lr_size)
        check_pixels(hr, self.manifest.hr_size)
        classifier = self._networks.get().classifier

        def one_batch(part: slice) -> Tensor:
            coarse, sharp = self._input(lr[part]), self._input(hr[part])
            bought = torch.from_numpy(selected[part]).to(self.device, torch.float32)
            both = classifier(sharp, coarse, bought)
            lr_only = calibrate(classifier.coarse(coarse), classifier.temperature)
            return torch.cat([both, lr_only], dim=1)

        classes = len(self.manifest.classes)
        answer = self._in_batches(len(lr), 2 * classes, one_batch)
        return answer[:, :classes], answer[:, classes:]
