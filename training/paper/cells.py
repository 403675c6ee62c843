"""Cells of a table from its rows: means, standard errors and gains over all seeds. The module is pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from training.paper.published import STAGE_NAMES, TABLES, PublishedTable
from training.paper.rows import MeasuredRow
from training.run.evaluate import paired_bootstrap

Seeds = Mapping[int, list[MeasuredRow]]
"""Rows by seed."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one stage over all seeds. Fields that we measure are None if it was not run."""

    method: str
    stage: str
    accuracy: float | None = None
    error: float | None = None
    """Standard error, over seeds if there are several, else over images."""
    patches: float | None = None
    """S, the mean number of patches bought of 16."""
    milliseconds: float | None = None
    seeds: int = 0
    published: tuple[float, float] | None = None
    """The paper's accuracy in % and S."""
    gain: dict[str, float] | None = None
    """Gain of the reference over this method, by paired bootstrap over the test images of all seeds."""


def cells(number: str, seeds: Seeds, data: str) -> list[Cell]:
    """Return every cell of a table, in the table's order."""
    table = TABLES[number]
    found = []
    for method in table.methods:
        ours = {row.stage for rows in seeds.values() for row in rows if row.method == method}
        theirs = table.cells.get(data, {}).get(method, {})
        # A data set that the paper lacks takes the stages from any other: a cell that was not run must show.
        expected = set(theirs) or set(next(iter(table.cells.values())).get(method, {"": None}))
        found += [
            _cell(table, seeds, method, stage, theirs.get(stage))
            # In the order of training; alphabetically Ft-1 would come before Pt.
            for stage in sorted(ours | expected, key=list(STAGE_NAMES).index)
        ]
    return found


def _cell(
    table: PublishedTable, seeds: Seeds, method: str, stage: str, published: tuple[float, float] | None
) -> Cell:
    rows = list(_by_seed(seeds, method, stage).values())
    if not rows:
        return Cell(method=method, stage=stage, published=published)
    accuracies = [row.accuracy for row in rows]
    # Seeds vary in training and in test images alike; one seed can only show the images' share.
    error = stdev(accuracies) / math.sqrt(len(rows)) if len(rows) > 1 else rows[0].standard_error
    # Only Table 3 measures run time.
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


def _by_seed(seeds: Seeds, method: str, stage: str) -> dict[int, MeasuredRow]:
    asked = (method, stage)
    return {seed: row for seed in sorted(seeds) for row in seeds[seed] if (row.method, row.stage) == asked}


def _gain(table: PublishedTable, seeds: Seeds, method: str, stage: str) -> dict[str, float] | None:
    """Return the reference's gain over a method, from the seeds that both have; None without one."""
    # A method without stages is compared with the last stage of the reference.
    last = table.stages[-1] if table.stages else ""
    reference = _by_seed(seeds, table.reference, stage or last)
    rows = _by_seed(seeds, method, stage)
    both = sorted(reference.keys() & rows.keys())
    if method == table.reference or not both:  # a gain over itself would always print 0
        return None
    # An image is one draw, whatever the number of seeds: average the seeds (seeds, N) -> (N,), then resample.
    first, second = (torch.stack([kept[seed].right for seed in both]).mean(0) for kept in (reference, rows))
    return paired_bootstrap(first, second)
