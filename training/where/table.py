"""`loupe-train table where`: what each order of buying finds, labels, counts and costs, on test sites.

Each seed trains its own networks, in a folder of its own, and so does each fold. Figures are means over
seeds; intervals resample sites.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.grid import PATCHES
from training.data.images import DataError
from training.data.object_scenes import ObjectScene, ObjectScenes
from training.objects.maps import SceneMap, exact, maps_of
from training.objects.networks import train_networks, train_policies
from training.objects.outcome import bootstrap
from training.objects.policy import expected_counts
from training.objects.recipe import SearchRecipe
from training.objects.tiles import ObjectTiles
from training.run.folder import Run, claimed
from training.where.orders import OURS, RIVALS
from training.where.rows import (
    OURS_FOR_LABELS,
    PER_TILE,
    PORTFOLIO,
    Measured,
    Row,
    Seen,
    measure,
    table_rows,
)

PATCHES_BOUGHT = (0, 1, 2, 4, 6, 8, PATCHES)
"""Mean numbers of patches bought per tile, of 16."""
COMPARED = PATCHES_BOUGHT[1:-1]
"""Those at which rows differ: of nothing, and of everything, every row buys the same."""

Table = Mapping[Row, Sequence[Measured]]
"""Every row, measured at each of PATCHES_BOUGHT."""


@dataclass(frozen=True, kw_only=True)
class Divided:
    """Scenes to learn from, and scenes to test on, of other sites."""

    learnt: tuple[ObjectScene, ...]
    test: tuple[ObjectScene, ...]


def divided(data: ObjectScenes, fold: str | None) -> Divided:
    """Divide a data set by its splits, or test on one fold and learn from all others.

    Raise DataError if no scene is in the fold, or a site is in several.
    """
    if fold is None:
        return Divided(learnt=data.of("train", "validation"), test=data.of("test"))
    learnt = tuple(scene for scene in data.scenes if scene.fold != fold)
    test = tuple(scene for scene in data.scenes if scene.fold == fold)
    if not test or not learnt:
        folds = ", ".join(sorted({scene.fold for scene in data.scenes} - {""})) or "none"
        raise DataError(f"There is no fold {fold!r} to test on: the data set's folds are {folds}.")
    if shared := sorted({scene.site for scene in learnt} & {scene.site for scene in test}):
        raise DataError(f"These sites are in more than one fold: {', '.join(shared[:20])}.")
    return Divided(learnt=learnt, test=test)


def run_where(
    data: ObjectScenes, recipe: SearchRecipe, run: Run, fold: str | None = None, *, perfect: bool = False
) -> tuple[SceneMap, ...]:
    """Train the networks of one seed, and return the test scenes as they see them.

    With `perfect`, only the policies are trained, and bought patches are read without errors.
    ValueError if another process is writing to the folder, or if it holds another run.
    """
    scenes = divided(data, fold)
    with claimed(run, recipe):
        if perfect:
            policies = train_policies(run, data, scenes.learnt, recipe)
            expected = expected_counts(policies, scenes.test)
            readings = [exact(scene) for scene in scenes.test]
        else:
            networks = train_networks(run, data, scenes.learnt, recipe)
            expected, readings = networks.look_at(scenes.test)
    return maps_of(scenes.test, expected, readings, scenes.learnt, int(data.facts["lr_size"]))


def measure_table(by_seed: Sequence[Seen], bins: Sequence[int]) -> Table:
    """Measure every row at every number of patches."""
    return {
        row: [measure(by_seed, row, patches, bins) for patches in PATCHES_BOUGHT] for row in table_rows(bins)
    }


def as_lines(table: Table, perfect: Sequence[Sequence[Measured]], tiles: ObjectTiles) -> list[dict[str, Any]]:
    """Return the rows as JSON: share of objects found, share of right labels, error of the count.

    `perfect` holds the same rows if bought patches were read without errors.
    """
    total = float(tiles.counts.sum())
    return [
        {
            "order": row.order,
            "spending": row.spending,
            "found": [round(float(cell.found.sum()) / total, 4) for cell in cells],
            "right": _shares_right(cells),
            "right_perfect": _shares_right(read),
            "count_error": _count_errors(cells),
            "count_error_perfect": _count_errors(read),
        }
        for (row, cells), read in zip(table.items(), perfect, strict=True)
    ]


def _shares_right(cells: Sequence[Measured]) -> list[float]:
    return [round(float(cell.right.mean()), 4) for cell in cells]


def _count_errors(cells: Sequence[Measured]) -> list[float]:
    return [round(float(cell.error.mean()), 3) for cell in cells]


def gains(table: Table, tiles: ObjectTiles) -> list[dict[str, Any]]:
    """Compare ours with the best rival of the same spending at each of COMPARED, by test sites."""
    found = []
    for spending in (PER_TILE, PORTFOLIO):
        # A fixed order is a rival under either spending.
        rivals = [row for row in table if row.order in RIVALS]
        by_name = {row.order: row for row in table if row.spending == spending}
        for patches in COMPARED:
            at = PATCHES_BOUGHT.index(patches)
            for what, order, size in (
                ("found", OURS, tiles.counts.sum(1)),
                ("right", OURS_FOR_LABELS, torch.ones(len(tiles)).double()),
            ):
                best = max(rivals, key=lambda row: float(getattr(table[row][at], what).sum()))
                gain = getattr(table[by_name[order]][at], what) - getattr(table[best][at], what)
                found.append(
                    {"spending": spending, "patches": patches, "what": what, "rival": best.name}
                    | _interval(tiles.sites, gain, size)
                )
    return found


def _interval(sites: Sequence[str], gain: Tensor, size: Tensor) -> dict[str, float]:
    low, high = bootstrap(sites, gain, size)
    return {"gain": round(float(gain.sum() / size.sum()), 4), "low": round(low, 4), "high": round(high, 4)}
