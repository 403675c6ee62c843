"""A table as Markdown, JSON and a picture: our rows beside the paper's, with empty cells for rows not run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.paper.cells import Cell, Seeds, cells
from training.paper.curves import curves_markdown, frontier
from training.paper.figures import draw_table
from training.paper.published import BAGNET_MILLISECONDS, STAGE_NAMES, TABLES, PublishedTable
from training.run.checkpoints import write_atomically
from training.run.evaluate import verdict


def write_table(number: str, seeds: Seeds, data: str, provenance: Mapping[str, Any], folder: Path) -> Path:
    """Write table<N>-<data>.md, .json and .png into a folder; return the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    made = cells(number, seeds, data)
    path = folder / f"table{number}-{data}.md"
    write_atomically(path, _markdown(number, seeds, made, data, provenance).encode())
    document = {"table": number, "data": data, **provenance, "cells": [vars(cell) for cell in made]}
    # JSON keys are text: seeds read back as "0", "1", ...
    document["curves"] = {seed: frontier(rows) for seed, rows in seeds.items()}
    write_atomically(path.with_suffix(".json"), json.dumps(document, indent=1).encode())
    draw_table(TABLES[number], made, data, path.with_suffix(".png"))
    return path


def _markdown(number: str, seeds: Seeds, made: list[Cell], data: str, provenance: Mapping[str, Any]) -> str:
    table = TABLES[number]
    timed = number == "3"  # the only table with run times
    parts = [
        f"# {table.title}: {data}",
        _provenance(provenance, table.methods[table.reference]),
        _rows(table, made, data, timed=timed),
    ]
    if data not in table.cells:  # ours only, such as UC Merced
        parts.append(f"The paper has no numbers for {data}.")
    if missing := [_name(table, cell) for cell in made if cell.accuracy is None]:
        # The paper's number in an empty cell would look measured.
        parts.append(f"These rows were not run and are empty: {', '.join(missing)}.")
    if curves := curves_markdown(seeds):
        parts.append(curves)
    if data in table.cells and table.notes:
        parts.append("## About the paper's numbers\n\n" + "\n".join(f"- {note}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _provenance(facts: Mapping[str, Any], reference: str) -> str:
    seeds = ", ".join(str(seed) for seed in facts["seeds"])
    several = len(facts["seeds"]) > 1  # then ± is over seeds, as in cells._cell
    return (
        f"`{facts['command']}`\n"
        f"at commit `{str(facts['commit'])[:12]}`, recipe `{facts['recipe']}`, seed{'s' if several else ''} "
        f"{seeds}, on {facts['hardware']}; the epochs in this folder took {facts['minutes']:.0f} minutes.\n"
        f"± is the standard error over {'seeds' if several else 'test images'}; "
        f"S is the mean number of patches bought of 16.\n"
        f"The last column is the gain of {reference} at the same stage in points, "
        f"with the 95 % interval of a paired bootstrap over test images."
    )


def _rows(table: PublishedTable, made: list[Cell], data: str, *, timed: bool) -> str:
    head = ["method", "stage", "ours %", "±", "S"] + (["ms"] if timed else []) + ["paper %", "paper S"]
    # A column of the paper only where the paper has the data set.
    head += ["paper ms"] if timed and data in table.cells else []
    head.append(f"{table.methods[table.reference]}'s gain")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for cell in made:
        # Accuracies of the paper are in %, ours in 0..1.
        theirs = (
            ["", ""] if cell.published is None else [f"{cell.published[0]:.1f}", f"{cell.published[1]:g}"]
        )
        ours = [
            "" if value is None else f"{value:.1f}"
            for value in (_percent(cell.accuracy), _percent(cell.error), cell.patches)
        ]
        if timed:
            ours.append("" if cell.milliseconds is None else f"{cell.milliseconds:.2f}")
            theirs += [str(BAGNET_MILLISECONDS.get(cell.method, ""))] if data in table.cells else []
        line = [table.methods[cell.method], STAGE_NAMES[cell.stage], *ours, *theirs, _gain_text(cell)]
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _gain_text(cell: Cell) -> str:
    if cell.gain is None:
        return ""
    points = [f"{100 * cell.gain[name]:+.1f}" for name in ("mean", "low", "high")]
    return f"{points[0]} [{points[1]}, {points[2]}]: {verdict(cell.gain)} it"


def _name(table: PublishedTable, cell: Cell) -> str:
    return f"{table.methods[cell.method]} {STAGE_NAMES[cell.stage]}".strip()
