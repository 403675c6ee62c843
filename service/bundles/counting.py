"""Bundles that count: the objects that patches are expected to hold, and those read in bought ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bundle import CountBundle, CountManifest
from models.counts import Counts
from models.grid import GRID, PATCHES, patch_side
from models.tasks import Task
from models.values import patch_values
from service.bundles.predictor import (
    BundlePredictor,
    ExpectedCounts,
    Floats,
    Judgement,
    Pixels,
    check_pixels,
    noticing_full_memory,
)
from service.errors import UnavailableError
from service.progress import advance
from service.stopping import checkpoint

WINDOW = 8
"""Most tiles along a side of the ground that one pass of the policy answers for; it bounds the memory."""
CONTEXT = 2
"""Tiles around a window that the policy sees as well.

On 256 tiles with oil tanks, the counts beside seams then differ by at most 0.03 objects from those of one
pass over everything; with one tile, by 0.15.
"""
_CHANCES = 2**19
"""Most probabilities of a purchase's count that are held at a time; some 70 MB."""
_LEAST_MEAN = 1e-9

Mask = NDArray[np.bool_]
Number = TypeVar("Number", np.bool_, np.float32, np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """The patches (T, 16) of a scene that were read, the numbers in them, and those that are on their way."""

    read: Mask
    mean: Floats
    """Numbers of objects that were read; any value in other patches."""
    coming: Mask
    """Patches that were not read but will be: they are bought already."""

    def left_of(self, expected: ExpectedCounts) -> ExpectedCounts:
        """Return the expected counts with 0 in patches that were read."""
        none = np.float32(0)
        return ExpectedCounts(
            mean=np.where(self.read, none, expected.mean),
            variance=np.where(self.read, none, expected.variance),
        )

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """Number of objects (T,) that were read in each tile, rounded."""
        counted = np.where(self.read, self.mean, np.float32(0)).sum(1, dtype=np.float64)
        return np.asarray(np.rint(np.maximum(counted, 0)), np.int64)

    def tensors(self, part: slice) -> tuple[Tensor, Tensor]:
        """Return the known numbers (t,) and the patches on their way (t, 16) of some tiles."""
        return torch.from_numpy(self.known[part]), torch.from_numpy(self.coming[part])


class CountPredictor(BundlePredictor[CountBundle]):
    """An ensemble of policies of whole scenes, and a counter of bought patches."""

    manifest: CountManifest

    def judge(self, pixels: Pixels, eligible: NDArray[np.bool_], columns: int) -> Judgement:
        """Judge the LR tiles of a scene, uint8 (T, 3, h, h), in rows of `columns` tiles, as one picture.

        Tiles that are not eligible are shown to the policy in the mean colour of the others.
        """
        expected = self._expect(pixels, eligible, columns)
        valued = {task: values_of(expected, task, self.manifest.bins) for task in self.manifest.tasks}
        return Judgement(
            utilities={task: values * eligible[:, None] for task, values in valued.items()},
            expected=expected,
        )

    def read(self, patches: Pixels, expected: Floats) -> ExpectedCounts:
        """Count the objects in bought patches, uint8 (N, 3, s, s), given what LR made expect of each (N,).

        Returns mean and variance (N,) of what is then known.
        """
        side = patch_side(self.manifest.hr_size)
        check_pixels(patches, side, "N")
        bundle = self._networks.get()

        def one_batch(part: slice) -> Tensor:
            return bundle.read(self._input(patches[part]))[:, None]

        read = torch.from_numpy(self._in_batches(len(patches), 1, one_batch)[:, 0])
        known = self.manifest.fusion.fuse(read, torch.from_numpy(expected))
        return ExpectedCounts(mean=known.mean.float().numpy(), variance=known.variance.float().numpy())

    def _expect(self, pixels: Pixels, eligible: NDArray[np.bool_], columns: int) -> ExpectedCounts:
        """Return the counts (T, 16) that the policy expects; 0 in tiles that are not eligible."""
        check_pixels(pixels, self.manifest.lr_size)
        mean, variance = (np.zeros((len(pixels), PATCHES), np.float32) for _ in range(2))
        if eligible.any():
            shown = np.where(eligible[:, None, None, None], pixels, _mean_colour(pixels[eligible]))
            scene = join_tiles(shown, columns)
            maps = self._maps(scene)
            for table, values in zip((mean, variance), maps, strict=True):
                table[eligible] = patches_by_tile(values)[eligible]
        return ExpectedCounts(mean=mean, variance=variance)

    def _maps(self, scene: Pixels) -> tuple[Floats, Floats]:
        """Return mean and variance of each patch of a scene, uint8 (3, H, W), as maps (R, C)."""
        side = self.manifest.lr_size
        rows, columns = scene.shape[1] // side, scene.shape[2] // side
        maps = np.empty((2, rows * GRID, columns * GRID), np.float32)
        for down in windows(rows):
            for across in windows(columns):
                checkpoint()
                seen = scene[:, down.seen(side), across.seen(side)]
                inner = (slice(None), down.inner, across.inner)
                maps[:, down.answered, across.answered] = self._one_window(seen)[inner]
                advance(down.first * columns + across.last * (down.last - down.first), rows * columns)
        return maps[0], maps[1]

    def _one_window(self, seen: Pixels) -> Floats:
        """Return mean and variance (2, R, C) of the patches of a part of a scene, uint8 (3, H, W)."""
        bundle = self._networks.get()
        try:
            with self._turn, torch.inference_mode(), noticing_full_memory():
                counts = bundle.expect(self._input(seen[None]))
                return torch.stack([counts.mean[0], counts.variance[0]]).float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise UnavailableError(
                "The device has no memory for a part of this scene. Try again later."
            ) from error


def values_of(
    expected: ExpectedCounts, task: Task, bins: tuple[int, ...], seen: Seen | None = None
) -> Floats:
    """Return the value float32 (T, 16) of each patch for a task, from its expected count.

    With `seen`, patches that were read are worth nothing, and the others what they add to what is known.
    """
    at_once = max(1, _CHANCES // ((PATCHES + 1) * bins[-1]))
    unread = expected if seen is None else seen.left_of(expected)
    parts = []
    for start in range(0, len(expected.mean), at_once):
        part = slice(start, start + at_once)
        checkpoint()
        counts, beside = counts_of(unread, part), () if seen is None else seen.tensors(part)
        parts.append(patch_values(counts, task, bins, *beside).float().numpy())
    values = np.concatenate(parts) if parts else np.zeros_like(expected.mean)
    return values if seen is None else np.where(seen.read, np.float32(0), values)


def counts_of(expected: ExpectedCounts, part: slice = slice(None)) -> Counts:
    """Return expected counts as distributions, float64 (T, 16); those of 0 become tiny, but stay positive."""
    mean, variance = (
        torch.from_numpy(one[part].astype(np.float64)) for one in (expected.mean, expected.variance)
    )
    return Counts.of_moments(mean.clamp_min(_LEAST_MEAN), variance)


def join_tiles(tiles: Pixels, columns: int) -> Pixels:
    """Put tiles (T, 3, h, h), row by row, back together to the scene (3, H, W)."""
    rows, side = len(tiles) // columns, tiles.shape[-1]
    # (row, column, band, y, x) -> (band, row, y, column, x)
    grid = tiles.reshape(rows, columns, 3, side, side).transpose(2, 0, 3, 1, 4)
    return np.ascontiguousarray(grid).reshape(3, rows * side, columns * side)


def patches_by_tile(values: NDArray[Number]) -> NDArray[Number]:
    """Cut a map of patches (R, C) into its tiles (T, 16), row by row, patches column-major."""
    rows, columns = (side // GRID for side in values.shape)
    # (tile row, row, tile column, column) -> (tile row, tile column, column, row)
    return values.reshape(rows, GRID, columns, GRID).transpose(0, 2, 3, 1).reshape(-1, PATCHES)


def map_of_patches(tiles: NDArray[Number], columns: int) -> NDArray[Number]:
    """Lay values of patches (T, 16) out as a map (R, C); the inverse of `patches_by_tile`."""
    grid = tiles.reshape(-1, columns, GRID, GRID)  # (tile row, tile column, column, row)
    rows = len(tiles) // columns * GRID
    return grid.transpose(0, 3, 1, 2).reshape(rows, columns * GRID)


class AxisWindow(NamedTuple):
    """One axis of a window: tiles first..last-1 are answered for, and those from..until-1 are seen."""

    first: int
    last: int
    start: int
    stop: int

    def seen(self, side: int) -> slice:
        """Pixels of the tiles that are seen, of `side` pixels each."""
        return slice(self.start * side, self.stop * side)

    @property
    def answered(self) -> slice:
        """Patches of the scene that are answered for."""
        return slice(self.first * GRID, self.last * GRID)

    @property
    def inner(self) -> slice:
        """The same patches, counted from the first one that is seen."""
        return slice((self.first - self.start) * GRID, (self.last - self.start) * GRID)


def windows(tiles: int) -> Iterator[AxisWindow]:
    """Divide an axis of some tiles into windows of nearly equal length, each with its context."""
    number = -(-tiles // WINDOW)
    for index in range(number):
        first, last = index * tiles // number, (index + 1) * tiles // number
        yield AxisWindow(first, last, max(0, first - CONTEXT), min(tiles, last + CONTEXT))


def _mean_colour(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the mean colour of tiles (T, 3, h, h) as uint8 (3, 1, 1)."""
    colour: Pixels = np.rint(pixels.mean(axis=(0, 2, 3), dtype=np.float64)).astype(np.uint8)
    return colour[:, None, None]
