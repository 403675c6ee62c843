"""Labels by a bundle that classifies: bought patches are laid into their tiles and seen together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundles.classifying import ClassifyPredictor
from service.bundles.predictor import Pixels
from service.classification.labels import DeliveredPixels, label_tile, lay_patches, patch_numbers
from service.plans.arrays import PlanArrays


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassLabeller:
    """Labels the tiles of one scene by both streams of a classifier."""

    predictor: ClassifyPredictor
    arrays: PlanArrays
    pixels: Pixels
    """LR pixels of all tiles, uint8 (T, 3, lr, lr)."""

    def label(self, batch: NDArray[np.intp], patches: Sequence[DeliveredPixels]) -> list[dict[str, Any]]:
        """Label some tiles from their delivered and reused patches."""
        manifest, bought = self.predictor.manifest, self.arrays.selected[batch]
        hr, came = lay_patches(batch.tolist(), patches, manifest.hr_size)
        fused, lr_only = self.predictor.classify(self.pixels[batch], hr, came)
        rows = zip(batch, fused, lr_only, map(patch_numbers, bought, came), strict=True)
        return [
            label_tile(int(tile), both, alone, manifest.classes, numbers).to_json()
            for tile, both, alone, numbers in rows
        ]

    def total(self) -> None:
        """Return None: nothing is counted."""
