"""From rows to the cells of a table: means, standard errors and gains over all seeds. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from training.paper.published import STAGE_NAMES, TABLES, Table
from training.paper.rows import Row
from training.run.evaluate import paired_bootstrap

Seeds = Mapping[int, list[Row]]
"""Rows by seed."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one stage, over all seeds; our fields are None where it was not run."""

    method: str
    stage: str
    accuracy: float | None = None
    error: float | None = None
    """Standard error: over seeds where there are several, else over images."""
    patches: float | None = None
    milliseconds: float | None = None
    seeds: int = 0
    published: tuple[float, float] | None = None
    gain: dict[str, float] | None = None
    """Of the reference over this one: paired bootstrap over test images of all seeds."""


def cells(number: str, seeds: Seeds, data: str) -> list[Cell]:
    """Every cell of a table, in its order."""
    table = TABLES[number]
    found = []
    for method in table.methods:
        ours = {row.stage for rows in seeds.values() for row in rows if row.method == method}
        theirs = table.cells.get(data, {}).get(method, {})
        expected = set(theirs) or set(next(iter(table.cells.values())).get(method, {"": None}))
        found += [
            _cell(table, seeds, method, stage, theirs.get(stage))
            for stage in sorted(ours | expected, key=list(STAGE_NAMES).index)
        ]
    return found


def _cell(table: Table, seeds: Seeds, method: str, stage: str, published: tuple[float, float] | None) -> Cell:
    rows = list(_by_seed(seeds, method, stage).values())
    if not rows:
        return Cell(method=method, stage=stage, published=published)
    accuracies = [row.accuracy for row in rows]
    error = stdev(accuracies) / math.sqrt(len(rows)) if len(rows) > 1 else rows[0].standard_error
    times = [float(row.facts["milliseconds"]) for row in rows if "milliseconds" in row.facts]
    return Cell(
        method=method,
        stage=stage,
        accuracy=mean(accuracies),
        error=error,
        patches=mean(row.mean_patches for row in rows),
        milliseconds=mean(times) if times else None,
        seeds=len(rows),
        published=published,
        gain=_gain(table, seeds, method, stage),
    )


def _by_seed(seeds: Seeds, method: str, stage: str) -> dict[int, Row]:
    asked = (method, stage)
    return {seed: row for seed in sorted(seeds) for row in seeds[seed] if (row.method, row.stage) == asked}


def _gain(table: Table, seeds: Seeds, method: str, stage: str) -> dict[str, float] | None:
    """The reference's last stage stands against methods without stages; only seeds that both have count."""
    last = table.stages[-1] if table.stages else ""
    reference = _by_seed(seeds, table.reference, stage or last)
    rows = _by_seed(seeds, method, stage)
    both = sorted(reference.keys() & rows.keys())
    if method == table.reference or not both:
        return None
    # An image is one draw however many seeds saw it: seeds are averaged before images are resampled.
    first, second = (torch.stack([kept[seed].right for seed in both]).mean(0) for kept in (reference, rows))
    return paired_bootstrap(first, second)
