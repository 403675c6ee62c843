"""The paper's methods in the table `where`: what their own choices on the same tiles find and label.

`loupe-train table 1` with a recipe of the layout `pairs` trains and measures them. Each buys by its own
policy as many patches as it pleases, and labels with its own classifier; ours is compared at that number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from training.data.images import DataError
from training.objects.outcome import bootstrap, found
from training.paper.published import METHODS, STAGE_NAMES
from training.paper.reports import read_seeds
from training.paper.rows import MeasuredRow
from training.where.rows import Row, Seen, measure

CHOOSING = ("stn", "patchdrop")
"""Methods that choose patches by what a tile shows."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One method at one stage, over seeds."""

    name: str
    rows: tuple[MeasuredRow, ...]

    @property
    def patches(self) -> float:
        """S, the mean number of patches bought per tile."""
        return mean(row.mean_patches for row in self.rows)

    @property
    def right(self) -> Tensor:
        """Share of seeds with a right label, float64 (N,)."""
        return torch.stack([row.right.double() for row in self.rows]).mean(0)


def read_rivals(out: Path, tiles: int) -> list[Rival]:
    """Read the rows that `table 1` measured in a folder. Raise DataError if they are of other tiles."""
    by_name: dict[str, list[MeasuredRow]] = {}
    rows = [row for rows in read_seeds(out, "1").values() for row in rows]
    for stage in STAGE_NAMES:
        for row in rows:
            if row.method in CHOOSING and row.stage == stage:
                by_name.setdefault(f"{METHODS[row.method]} {STAGE_NAMES[stage]}".strip(), []).append(row)
    if not by_name:
        raise DataError(f"{out} holds no row of STN or PatchDrop: run `loupe-train table 1` first.")
    if any(len(row.right) != tiles for rows in by_name.values() for row in rows):
        raise DataError(f"The rows in {out} are of other tiles: run `loupe-train table 1` on the same data.")
    return [Rival(name=name, rows=tuple(rows)) for name, rows in by_name.items()]


def compare(
    rivals: Sequence[Rival], by_seed: Sequence[Seen], ours: Row, bins: Sequence[int]
) -> list[dict[str, Any]]:
    """Compare each rival with ours at its own number of patches; JSON-serialisable."""
    tiles = by_seed[0].tiles[1]
    objects, one = tiles.counts.sum(1), torch.ones(len(tiles), dtype=torch.float64)
    lines = []
    for rival in rivals:
        cell = measure(by_seed, ours, rival.patches, bins)
        seen = torch.stack([found(tiles, row.selected) for row in rival.rows]).mean(0)
        lines.append(
            {"name": rival.name, "patches": round(rival.patches, 2)}
            | _compared("found", seen, cell.found, objects, tiles.sites)
            | _compared("right", rival.right, cell.right, one, tiles.sites)
        )
    return lines


def _compared(
    what: str, theirs: Tensor, ours: Tensor, size: Tensor, sites: Sequence[str]
) -> dict[str, float]:
    total = float(size.sum())
    low, high = bootstrap(sites, ours - theirs, size)
    return {
        what: round(float(theirs.sum()) / total, 4),
        f"ours_{what}": round(float(ours.sum()) / total, 4),
        f"{what}_low": round(low, 4),
        f"{what}_high": round(high, 4),
    }
