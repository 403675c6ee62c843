"""Near duplicates among pictures, by a perceptual hash: the same ground under another name, site or turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 24
"""Side in pixels of the grey thumbnails that are compared."""
LARGEST_DISTANCE = 0.2
"""Largest share of differing bits of two hashes of the same picture."""
LEAST_CORRELATION = 0.95
"""Smallest correlation of two thumbnails of the same picture."""
LEAST_CONTRAST = 2.0
"""Smallest standard deviation of a thumbnail in 0..255: flatter ones, such as water, resemble each other."""
SHOWN = 5
"""Pairs that are named; the others are counted."""

Thumbnails = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Hashes:
    """The pictures of a set that have enough contrast to be told apart."""

    kept: NDArray[np.int64]
    """Their positions in the set (K,)."""
    bits: NDArray[np.float32]
    """Differences between neighbouring pixels as +1 or -1, for each symmetry (8, K, B)."""
    pixels: NDArray[np.float32]
    """Thumbnails of mean 0 and length 1, for each symmetry (8, K, SIDE ** 2)."""


def hashes(thumbnails: Thumbnails) -> Hashes:
    """Hash grey thumbnails (N, SIDE, SIDE) in each of their eight symmetries."""
    kept = np.flatnonzero(thumbnails.std((1, 2)) >= LEAST_CONTRAST)
    grey = thumbnails[kept]
    turned = np.stack(
        [np.rot90(one, turn, (1, 2)) for one in (grey, grey[:, :, ::-1]) for turn in range(4)]
    )  # (8, K, SIDE, SIDE)
    across, down = turned[..., :, 1:] > turned[..., :, :-1], turned[..., 1:, :] > turned[..., :-1, :]
    flat = [part.reshape(8, len(kept), -1) for part in (across, down, turned)]
    centred = flat[2] - flat[2].mean(2, keepdims=True)
    return Hashes(
        kept=kept,
        bits=np.where(np.concatenate(flat[:2], axis=2), 1, -1).astype(np.float32),
        pixels=(centred / np.linalg.norm(centred, axis=2, keepdims=True)).astype(np.float32),
    )


def near_duplicates(one: Hashes, other: Hashes) -> list[tuple[int, int]]:
    """Return the positions of near duplicates in both sets, sorted; those of one set come as i < j."""
    same = one is other
    pairs = set()
    length = one.bits.shape[2]
    for bits, pixels in zip(other.bits, other.pixels, strict=True):
        # The product of +1 and -1 counts equal bits minus differing ones.
        distance = 0.5 - 0.5 * (one.bits[0] @ bits.T) / length
        alike = (distance <= LARGEST_DISTANCE) & (one.pixels[0] @ pixels.T >= LEAST_CORRELATION)
        found = zip(*np.nonzero(alike), strict=True)
        pairs |= {(int(one.kept[i]), int(other.kept[j])) for i, j in found if not same or i < j}
    return sorted(pairs)


def listed_pairs(pairs: Sequence[tuple[str, str]], what: str) -> list[str]:
    """Return a sentence for each of the first pairs, and one that counts the rest."""
    sentences = [f"{one} and {other} {what}." for one, other in pairs[:SHOWN]]
    more = len(pairs) - SHOWN
    return sentences + ([f"{more} more pairs {what}."] if more > 0 else [])
