"""Labels of tiles: delivered patches laid into their tiles, and probabilities turned into labels. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.grid import GRID, PATCHES, patch_slices

TOP = 5
"""Classes that are listed with their probability."""

DeliveredPixels = tuple[int, int, bytes]
"""Tile, patch, uint8 (3, s, s)."""


@dataclass(frozen=True, kw_only=True)
class LabelledTile:
    """One tile. Probabilities are calibrated, in 0..1, the likeliest class first."""

    tile: int
    label: str
    confidence: float
    probabilities: tuple[dict[str, Any], ...]
    lr_label: str
    lr_confidence: float
    patches_used: int
    patches_bought: int
    patches_reused: int
    count: dict[str, Any] | None = None
    """Number of objects with its interval; None for a bundle that counts nothing."""
    lr_count: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Write the tile as it is stored and shown."""
        written = asdict(self) | {"probabilities": list(self.probabilities)}
        return {name: value for name, value in written.items() if value is not None}


def lay_patches(
    tiles: Sequence[int], deliveries: Iterable[DeliveredPixels], size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return HR pixels uint8 (T, 3, size, size) and which patches they hold, bool (T, 16); zero elsewhere.

    Raises ValueError for a patch whose side is not a quarter of `size`.
    """
    place = {tile: index for index, tile in enumerate(tiles)}
    pixels = np.zeros((len(tiles), 3, size, size), np.uint8)
    came = np.zeros((len(tiles), PATCHES), np.bool_)
    for tile, patch, raw in deliveries:
        rows, columns = patch_slices(patch, size)
        index = place[tile]
        pixels[index, :, rows, columns] = np.frombuffer(raw, np.uint8).reshape(3, size // GRID, size // GRID)
        came[index, patch] = True
    return pixels, came


def patch_numbers(bought: NDArray[np.bool_], came: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return how many patches (16,) of a tile are used, bought, and used although they are not bought."""
    used = int((came & bought).sum())
    return used, int(bought.sum()), int(came.sum()) - used


def label_tile(
    tile: int,
    fused: NDArray[np.floating[Any]],
    lr_only: NDArray[np.floating[Any]],
    classes: Sequence[str],
    patches: tuple[int, int, int],
) -> LabelledTile:
    """Label a tile from the class probabilities (N,) of both streams and of low resolution only.

    `patches` are the numbers of used, of bought and of reused patches.
    """
    best_first = np.argsort(-fused, kind="stable")[:TOP]
    lr_best = int(np.argmax(lr_only))
    used, bought, reused = patches
    return LabelledTile(
        tile=tile,
        label=classes[int(best_first[0])],
        confidence=_rounded(fused[best_first[0]]),
        probabilities=tuple(
            {"label": classes[int(index)], "probability": _rounded(fused[index])} for index in best_first
        ),
        lr_label=classes[lr_best],
        lr_confidence=_rounded(lr_only[lr_best]),
        patches_used=used,
        patches_bought=bought,
        patches_reused=reused,
    )


def summarise(tiles: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count the labels, commonest first, and the tiles whose label high resolution changed."""
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


def _rounded(probability: np.floating[Any]) -> float:
    return round(float(probability), 6)
