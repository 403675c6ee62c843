"""From probabilities to what is reported: a label per tile, beside what low resolution alone says. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 5
"""How many classes are listed with their probability."""


@dataclass(frozen=True, kw_only=True)
class TileLabel:
    """One tile. Probabilities are calibrated, in 0..1, the likeliest class first."""

    tile: int
    label: str
    confidence: float
    probabilities: tuple[dict[str, Any], ...]
    lr_label: str
    lr_confidence: float
    patches_used: int
    patches_bought: int

    def to_json(self) -> dict[str, Any]:
        """Write it as it is stored and shown."""
        return asdict(self) | {"probabilities": list(self.probabilities)}


def label_tile(
    tile: int,
    both: NDArray[np.float32],
    alone: NDArray[np.float32],
    classes: Sequence[str],
    patches: tuple[int, int],
) -> TileLabel:
    """Name a tile from the probabilities (N,) of both streams and of low resolution alone.

    `patches` are how many were used and how many bought.
    """
    best_first = np.argsort(-both, kind="stable")[:TOP]
    lr_best = int(np.argmax(alone))
    used, bought = patches
    return TileLabel(
        tile=tile,
        label=classes[int(best_first[0])],
        confidence=_rounded(both[best_first[0]]),
        probabilities=tuple(
            {"label": classes[int(index)], "probability": _rounded(both[index])} for index in best_first
        ),
        lr_label=classes[lr_best],
        lr_confidence=_rounded(alone[lr_best]),
        patches_used=used,
        patches_bought=bought,
    )


def summarise(tiles: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count labels, commonest first, and the share of tiles that high resolution relabelled."""
    rows = list(tiles)
    counts = Counter(row["label"] for row in rows)
    changed = sum(row["label"] != row["lr_label"] for row in rows)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "tiles": len(rows),
        "labels": [{"label": label, "tiles": count} for label, count in ranked],
        "changed": changed,
        "changed_share": round(changed / len(rows), 6) if rows else 0.0,
    }


def _rounded(probability: np.float32) -> float:
    return round(float(probability), 6)
