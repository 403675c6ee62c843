"""Labels by a bundle that counts: bought patches are read, and the others hold what the plan expects."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.answers import TileAnswers
from models.counts import Reading
from models.grid import PATCHES, patch_side
from service.bundles.counting import CountPredictor, counts_of
from service.bundles.predictor import ExpectedCounts
from service.classification.labels import DeliveredPixels, label_tile, patch_numbers
from service.plans.arrays import PlanArrays
from service.plans.counts import SceneCounts
from service.plans.objects import DIGITS, LEVEL, counts_by_tile, expected_by_tile, total_of, unread


@dataclass(frozen=True, kw_only=True, eq=False)
class CountLabeller:
    """Counts the objects in the tiles of one scene, and labels each tile by its count."""

    predictor: CountPredictor
    arrays: PlanArrays
    counts: SceneCounts
    """Counts that the plan expects."""
    made: list[tuple[TileAnswers, TileAnswers]] = field(default_factory=list)
    """Answers for each batch so far, with and without what was read."""
    read: list[float] = field(default_factory=list)
    """Number of objects in the bought patches of each batch."""

    def label(self, batch: NDArray[np.intp], patches: Sequence[DeliveredPixels]) -> list[dict[str, Any]]:
        """Count some tiles from their delivered and reused patches."""
        manifest, bought = self.predictor.manifest, self.arrays.selected[batch]
        here, alone_here = (
            ExpectedCounts(mean=one.mean[batch], variance=one.variance[batch])
            for one in (self.counts.expected, self.counts.first)
        )
        came, reading = self._read(batch, patches, alone_here.mean)
        answers, before = TileAnswers.of(came, reading, counts_of(here)), unread(alone_here)
        self.made.append((answers, before))
        self.read.append(float(reading.mean[came].sum()))
        fused, lr_only = (one.class_probabilities(manifest.bins).numpy() for one in (answers, before))
        counts = zip(counts_by_tile(answers), expected_by_tile(alone_here), strict=True)
        rows = zip(batch, fused, lr_only, map(patch_numbers, bought, came.numpy()), counts, strict=True)
        return [
            replace(
                label_tile(int(tile), both, alone, manifest.classes, numbers),
                count=count.model_dump(),
                lr_count=lr_count.model_dump(),
            ).to_json()
            for tile, both, alone, numbers, (count, lr_count) in rows
        ]

    def total(self) -> dict[str, Any]:
        """Return the objects in all tiles labelled so far, as a classification keeps them."""
        answers, before = [one for one, _ in self.made], [one for _, one in self.made]
        return {
            "name": self.predictor.manifest.objects,
            "level": LEVEL,
            "total": total_of(answers).model_dump(),
            "lr_total": total_of(before).model_dump(),
            "read": round(sum(self.read), DIGITS),
        }

    def _read(
        self, batch: NDArray[np.intp], patches: Sequence[DeliveredPixels], expected: NDArray[np.float32]
    ) -> tuple[torch.Tensor, Reading]:
        """Read the patches: which there are, bool (N, 16), and what is known of them (N, 16), 0 elsewhere."""
        side, place = patch_side(self.predictor.manifest.hr_size), {tile: at for at, tile in enumerate(batch)}
        rows, columns = [place[tile] for tile, _, _ in patches], [patch for _, patch, _ in patches]
        pixels = [np.frombuffer(raw, np.uint8).reshape(3, side, side) for _, _, raw in patches]
        shown = np.stack(pixels) if pixels else np.empty((0, 3, side, side), np.uint8)
        read = self.predictor.read(shown, expected[rows, columns])
        came = torch.zeros(len(batch), PATCHES, dtype=torch.bool)
        mean, variance = torch.zeros(came.shape), torch.zeros(came.shape)
        came[rows, columns] = True
        mean[rows, columns] = torch.from_numpy(read.mean)
        variance[rows, columns] = torch.from_numpy(read.variance)
        return came, Reading(mean=mean, variance=variance)
