"""The number of patches at which labels are as good as with everything bought."""

from collections.abc import Sequence

import numpy as np

from models.grid import PATCHES
from training.objects.outcome import labels_right
from training.where.rows import Row, Seen

SIZES = tuple(half / 2 for half in range(2 * PATCHES + 1))
"""Mean numbers of patches per tile that are tried."""
MARGIN = 0.01
"""Share of the labels that may be lost against buying everything."""


def matched_at(by_seed: Sequence[Seen], row: Row, bins: Sequence[int]) -> float:
    """Return the least size from which on at most MARGIN of the labels are lost against buying everything."""
    right = [
        np.mean(
            [
                float(labels_right(seen.tiles[1], row.choose(seen.tiles[1], seed, size), bins).mean())
                for seed, seen in enumerate(by_seed)
            ]
        )
        for size in SIZES
    ]
    lost = np.flatnonzero(np.array(right) < right[-1] - MARGIN - 1e-9)
    return SIZES[int(lost[-1]) + 1] if len(lost) else SIZES[0]
