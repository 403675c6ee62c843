"""Tables of the tank scene: the plan over the true tanks, counts beside the truth, money beside Fixed-H."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from models.fixed_orders import FIXED_H
from models.grid import GRID, PATCHES, row_col
from service.terminal.counts import count_text
from service.terminal.tables import Cell, columns
from training.where.bills import USD_PER_KM2, Terms, billed_km2

Counts = NDArray[np.int64]
"""True objects by row and column of patches (R, C)."""
Mask = NDArray[np.bool_]
"""Bought patches (R, C)."""
TITLES = ("Tile", "Bought", "Expected from LR", "With bought patches", "True", "Class", "")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to spend money on the scene."""

    name: str
    bought: Mask
    usd: float


def bought_mask(tiles: Sequence[Json], shape: tuple[int, int]) -> Mask:
    """Lay the patches that a plan buys over the scene, in patches: bool `shape`."""
    mask = np.zeros(shape, np.bool_)
    across = shape[1] // GRID
    for tile in tiles:
        row, column = divmod(tile["tile"], across)
        for patch in tile["buy"]:
            inside = row_col(patch)
            mask[GRID * row + inside[0], GRID * column + inside[1]] = True
    return mask


def fixed_h(shape: tuple[int, int], patches: int) -> Mask:
    """Buy the same first patches of Fixed-H in every tile."""
    tile = np.zeros((GRID, GRID), np.bool_)
    for patch in FIXED_H[:patches]:
        tile[row_col(patch)] = True
    return np.tile(tile, (shape[0] // GRID, shape[1] // GRID))


def fixed_h_for(usd: float, shape: tuple[int, int], terms: Terms) -> Choice:
    """Return the largest choice of Fixed-H whose bill is at most `usd`; it may be nothing."""
    made = [_billed("Fixed-H for at most this money", fixed_h(shape, n), terms) for n in range(PATCHES + 1)]
    return next(one for one in reversed(made) if one.usd <= usd + 0.005)


def fixed_h_like(patches: float, shape: tuple[int, int], terms: Terms) -> Choice:
    """Return the choice of Fixed-H with the number of patches per tile that is nearest to `patches`."""
    return _billed("Fixed-H with as many patches", fixed_h(shape, round(patches)), terms)


def everything(shape: tuple[int, int], terms: Terms) -> Choice:
    """Return the choice of every patch."""
    return _billed("Everything", np.ones(shape, np.bool_), terms)


def _billed(name: str, bought: Mask, terms: Terms) -> Choice:
    return Choice(name=name, bought=bought, usd=USD_PER_KM2 * billed_km2(bought, terms))


def scene_map(bought: Mask, counts: Counts) -> RenderableType:
    """Draw the scene, north up: each patch with its true tanks, in brackets if it is bought."""
    lines = [Text("[ ] bought   3 true tanks   . none", "dim")]
    for row, (choices, numbers) in enumerate(zip(bought, counts, strict=True)):
        if row and row % GRID == 0:
            lines.append(Text())
        line = Text(no_wrap=True)
        for column, (chosen, number) in enumerate(zip(choices, numbers, strict=True)):
            gap = " " if column and column % GRID == 0 else ""
            shown = f"{number or '.':>2}"
            style = ("bold green" if number else "green") if chosen else ("bold red" if number else "dim")
            line.append(gap).append(f"[{shown}]" if chosen else f" {shown} ", style)
        lines.append(line)
    return Group(*lines)


def tile_counts(counts: Counts) -> list[int]:
    """Return the true objects of each tile, in the order of the plan."""
    rows, across = (side // GRID for side in counts.shape)
    by_tile = counts.reshape(rows, GRID, across, GRID).sum((1, 3))
    return [int(count) for count in by_tile.flatten()]


def true_classes(counts: Counts, bins: Sequence[int], classes: Sequence[str]) -> list[str]:
    """Return the true class by count of each tile."""
    places = np.searchsorted(bins, tile_counts(counts), side="right")
    return [classes[place] for place in places.tolist()]


def counts_table(labelled: Json, counts: Counts, truth: Sequence[str]) -> RenderableType:
    """Return each tile's count from LR and with the bought patches beside the truth, and the totals."""
    tiles, true = labelled["tiles"], tile_counts(counts)
    rows: list[Sequence[Cell]] = []
    for tile in tiles:
        at = tile["tile"]
        row = (
            str(at),
            f"{tile['patches_bought']} of {PATCHES}",
            count_text(tile["lr_count"]),
            count_text(tile["count"]),
            str(true[at]),
            tile["label"],
        )
        rows.append((*row, *_judged(tile["label"] == truth[at])))
    bought, total = sum(tile["patches_bought"] for tile in tiles), labelled["summary"]["objects"]
    right = sum(tile["label"] == truth[tile["tile"]] for tile in tiles)
    totals = (
        "all",
        f"{bought} of {PATCHES * len(tiles)}",
        count_text(total["lr_total"]),
        count_text(total["total"]),
        str(sum(true)),
        f"{right} of {len(tiles)}",
        "right",
    )
    rows.append([Text(cell, "bold") for cell in totals])
    return columns(TITLES, rows, right={"Tile", "Bought", "True"})


def _judged(right: bool) -> tuple[Text]:
    return (Text("right" if right else "wrong", "green" if right else "bold red"),)


def money_table(choices: Sequence[Choice], counts: Counts) -> RenderableType:
    """Return what each choice buys, costs and finds."""
    rows = [
        (
            one.name,
            f"{one.bought.sum()} of {one.bought.size}",
            f"{one.usd:.2f} USD",
            f"{counts[one.bought].sum():,} of {counts.sum():,}",
            f"{counts[one.bought].sum() / counts.sum():.1%}",
        )
        for one in choices
    ]
    return columns(
        ("Choice", "Patches", "Bill", "Tanks in them", ""),
        rows,
        right={"Patches", "Bill", "Tanks in them", ""},
    )
