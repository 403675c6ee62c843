"""Pictures of measured numbers. Each function takes plain data and writes one PNG.

The colours are Okabe and Ito's, which colour-blind readers can distinguish; markers differ as well.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from models.grid import GRID, PATCHES, row_col
from training.paper.cells import Cell
from training.paper.published import STAGE_NAMES, PublishedTable
from training.run.checkpoints import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = 150
COMPARED_RANGE = (1.0, 8.0)
"""Range of S over which frontiers are compared; every method that chooses is measured there."""
GRACE = 0.25
"""Largest distance inside COMPARED_RANGE at which a measured curve may begin or end."""
SHOWN_FROM = 10
"""Fewest images with one S whose accuracy is drawn."""

Curve = Sequence[Sequence[float]]
"""Points [S, accuracy in 0..1]."""


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG."""
    FigureCanvasAgg(figure)  # pyplot would keep every figure in a global list and may want a display
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    write_atomically(path, buffer.getvalue())
    return path


def draw_table(table: PublishedTable, cells: Sequence[Cell], data: str, path: Path) -> Path:
    """Draw the accuracy of every method and stage: ours filled with its error bar, the paper's hollow."""
    shown = [cell for cell in cells if cell.accuracy is not None or cell.published is not None]
    figure = Figure(figsize=(8, 1.2 + 0.27 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for place, cell in enumerate(shown):
        # Only the first point of each kind gets a label, or the legend would repeat it for every row.
        if cell.published is not None:
            label = "paper" if place == _first(shown, "published") else None
            axes.plot(cell.published[0], place, "D", mfc="none", mec=COLOURS[1], label=label)
        if cell.accuracy is not None:
            error = 100 * (cell.error or 0.0)
            label = "ours" if place == _first(shown, "accuracy") else None
            axes.errorbar(
                100 * cell.accuracy, place, xerr=error, fmt="o", color=COLOURS[0], capsize=2, label=label
            )
    names = [_label(table, cell) for cell in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()  # the first row of the table is on top
    axes.set_xlabel("accuracy on the test split, %")
    axes.set_title(f"{table.title}: {data}")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left")
    return save(figure, path)


def _first(cells: Sequence[Cell], field: str) -> int:
    return next((place for place, cell in enumerate(cells) if getattr(cell, field) is not None), -1)


def _label(table: PublishedTable, cell: Cell) -> str:
    bought = "" if cell.patches is None else f"  (S = {cell.patches:.1f})"
    return f"{table.methods[cell.method]} {STAGE_NAMES[cell.stage]}".rstrip() + bought


def area(curve: Curve) -> float | None:
    """Return the mean accuracy over COMPARED_RANGE, by trapezoids; None if the curve does not span it."""
    # (points, 2) -> two arrays (points,), ascending in S as np.interp requires.
    sizes, accuracies = np.array(sorted(map(tuple, curve)), dtype=float).T
    first, last = COMPARED_RANGE
    if sizes[0] > first + GRACE or sizes[-1] < last - GRACE:
        return None
    # The measured points inside COMPARED_RANGE and its two ends.
    inside = np.unique(np.clip(np.append(sizes, COMPARED_RANGE), first, last))
    heights = np.interp(inside, sizes, accuracies)
    return float(np.trapezoid(heights, inside) / (last - first))


def draw_frontier(curves: Mapping[str, Curve], title: str, path: Path) -> Path:
    """Draw accuracy against S for every method, in the legend by falling `area`.

    Methods without a choice come last. The first word of a name is its method, which has one colour and
    marker; a dotted line is a choice of patches under our classifier.
    """
    figure = Figure(figsize=(10.5, 5), layout="constrained")
    axes = figure.subplots()
    areas = {name: area(curve) for name, curve in curves.items()}
    order = sorted(curves, key=lambda name: -(areas[name] or 0.0))
    # dict.fromkeys removes repetitions and keeps the order, which a set would not.
    methods = list(dict.fromkeys(_method(name) for name in order))
    for name in order:
        mean, place = areas[name], methods.index(_method(name))
        sizes, accuracies = zip(*sorted(map(tuple, curves[name])), strict=True)
        axes.plot(
            sizes,
            # A single point is a method that buys all or nothing: a hollow black marker, no line.
            [100 * accuracy for accuracy in accuracies],
            marker=MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)] if len(sizes) > 1 else "black",
            markerfacecolor=None if len(sizes) > 1 else "none",
            linestyle=_line(name) if len(sizes) > 1 else "none",
            linewidth=3 if name.startswith("Loupe") else 1.5,
            markersize=5 if len(sizes) > 1 else 7,
            label=name if mean is None else f"{name} ({100 * mean:.1f})",
        )
    axes.set_xlabel("S, mean number of patches bought of 16")
    axes.set_ylabel("accuracy on the test split, %")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(
        title="in brackets: mean accuracy from S = {:g} to {:g}".format(*COMPARED_RANGE),
        # Outside the axes: a dozen curves leave no free corner.
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        fontsize=8,
        title_fontsize=8,
    )
    return save(figure, path)


def _method(name: str) -> str:
    return name.split(maxsplit=1)[0].rstrip(",")


def _line(name: str) -> str:
    if "oracle" in name.lower():
        return "--"
    return ":" if name.endswith("our classifier") else "-"


def draw_points(
    points: Sequence[tuple[float, float, str]], title: str, xlabel: str, path: Path, *, joined: bool = True
) -> Path:
    """Draw labelled points (x, accuracy in 0..1, label): Fig. 1a and both halves of Fig. 5."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(points)
    style = "o-" if joined else "o"
    axes.plot([x for x, _, _ in ordered], [100 * y for _, y, _ in ordered], style, color=COLOURS[0])
    for x, y, label in ordered:
        axes.annotate(label, (x, 100 * y), textcoords="offset points", xytext=(5, 6), fontsize=9)
    axes.margins(x=0.2, y=0.12)  # room for the last label
    axes.set_xlabel(xlabel)
    axes.set_ylabel("accuracy on the test split, %")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    return save(figure, path)


def by_patches(right: Tensor, selected: Tensor) -> list[tuple[int, float, float]]:
    """Return (S, share of images that bought S, their accuracy) for each S that occurs: Fig. 7 left.

    right is float (N,), selected bool (N, 16).
    """
    bought = selected.sum(1)  # (N, 16) -> (N,)
    found = []
    for size in range(PATCHES + 1):
        mine = bought == size
        if bool(mine.any()):  # the accuracy of no image is undefined
            found.append((size, float(mine.float().mean()), float(right[mine].float().mean())))
    return found


def draw_policy(right: Tensor, selected: Tensor, title: str, path: Path) -> Path:
    """Draw Fig. 7: accuracy and share of images by S, and each patch's purchases by id and by place."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    left, middle, place = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 0.8))
    groups = by_patches(right, selected)
    sizes = [size for size, _, _ in groups]
    left.bar(sizes, [100 * share for _, share, _ in groups], color=COLOURS[5], label="share of images")
    # Few images give an error bar as long as the axis.
    common = [group for group in groups if group[1] * len(right) >= SHOWN_FROM]
    left.errorbar(
        [size for size, _, _ in common],
        [100 * accuracy for _, _, accuracy in common],
        yerr=[100 * (p * (1 - p) / (share * len(right))) ** 0.5 for _, share, p in common],
        fmt="o-", color=COLOURS[1], capsize=2, label=f"accuracy, if at least {SHOWN_FROM} images",
    )  # fmt: skip
    left.set(xlabel="S, patches bought per image", ylabel="%", ylim=(0, 105), title="by S")
    left.set_xticks(sizes)
    left.legend(fontsize=8)
    often = selected.float().mean(0)  # (N, 16) -> (16,)
    middle.bar(range(PATCHES), often.tolist(), color=COLOURS[0])
    middle.set(xlabel="patch id (down the columns)", ylabel="share of images that buy it", title="by patch")
    middle.set_xticks(range(PATCHES))
    middle.tick_params(axis="x", labelsize=7)
    _heat_map(place, often)
    figure.suptitle(title)
    return save(figure, path)


def patch_grid(values: Tensor) -> Tensor:
    """Arrange values (16,) by patch id as (row, column) on the tile."""
    # Not values.reshape(4, 4): ids run down the columns, so that would be the transposed tile.
    grid = torch.empty(GRID, GRID)
    for index in range(PATCHES):
        grid[row_col(index)] = values[index]
    return grid


def _heat_map(axes: Axes, often: Tensor) -> None:
    axes.imshow(patch_grid(often).numpy(), cmap="viridis", vmin=0, vmax=max(float(often.max()), 1e-6))
    for index in range(PATCHES):
        row, column = row_col(index)
        # Text must contrast with viridis, which is dark for small values.
        dark = float(often[index]) < 0.6 * float(often.max())
        colour = "white" if dark else "black"
        axes.text(
            column, row, f"{index}\n{often[index]:.2f}", ha="center", va="center", color=colour, fontsize=7
        )
    axes.set_axis_off()
    axes.set_title("on the tile")


def draw_gallery(tiles: Sequence[tuple[Tensor, Tensor, Tensor, str]], title: str, path: Path) -> Path:
    """Draw Figs. 4 and 6, with one column per tile.

    A tile is hr uint8 (3, H, H), lr uint8 (3, h, h), selected (16,) and a caption. The rows are the LR
    tile, the HR tile, and the HR tile with dimmed patches that were not bought.
    """
    figure = Figure(figsize=(1.6 * len(tiles), 5.4), layout="constrained")
    grid = figure.subplots(3, len(tiles), squeeze=False)
    for column, (hr, lr, selected, caption) in enumerate(tiles):
        # (3, H, H) -> (H, H, 3), as matplotlib expects.
        sharp = hr.permute(1, 2, 0).float().numpy() / 255
        side = hr.shape[-1] // GRID
        # (4, 4) -> (H, H, 1): each patch as a block of side x side pixels, broadcast over the colours.
        bought = np.kron(patch_grid(selected.float()).numpy(), np.ones((side, side)))[..., None]
        for row, picture in enumerate((lr.permute(1, 2, 0).numpy(), sharp, sharp * (0.25 + 0.75 * bought))):
            grid[row, column].imshow(picture, interpolation="nearest")
            grid[row, column].set_axis_off()
        grid[0, column].set_title(caption, fontsize=7)
    figure.suptitle(title, fontsize=10)
    return save(figure, path)
