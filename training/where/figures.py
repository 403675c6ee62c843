"""Pictures of the report `where`: curves against dollars, choices over scenes, calibration of counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.data.boxes import Centres
from training.objects.maps import Mask
from training.paper.figures import COLOURS, MARKERS, save
from training.where.coverage import BINS
from training.where.curves import Curve

MEASURES = {"found": "objects in bought patches, %", "right": "tiles with the right class by count, %"}
DIMMED = 0.35
"""Brightness of pixels that are not bought."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves for one size of patches under one minimum area."""

    title: str
    curves: Sequence[Curve]
    everything_usd: float
    points: Mapping[str, tuple[float, float, float]]
    """Dollars, share found and share of right labels of methods that choose their own number of patches."""


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """A scene with its objects, and the patches that each row buys of it."""

    title: str
    lr: NDArray[np.uint8]
    """Pixels (H, W, 3)."""
    centres: Centres
    """Column and row (N, 2) of the objects, as shares of width and height."""
    masks: Mapping[str, Mask]
    """Bought patches (R, C) by the name of a row."""


def draw_dollars(panels: Sequence[Panel], path: Path, *, few: bool = False) -> Path:
    """Draw objects and labels against dollars, with the 95 % interval of each row as a band.

    With `few` the picture is smaller, and only our rows have bands.
    """
    figure = Figure(figsize=(12, 4) if few else (15, 5.2 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), len(MEASURES), squeeze=False)
    for row, panel in zip(grid, panels, strict=True):
        for axes, (measure, label) in zip(row, MEASURES.items(), strict=True):
            for place, curve in enumerate(panel.curves):
                _line(axes, curve, measure, place, banded=not few or curve.name.startswith("Loupe"))
            for place, (name, (usd, found, right)) in enumerate(panel.points.items()):
                share = found if measure == "found" else right
                marker = MARKERS[place % len(MARKERS)]
                axes.plot(usd, 100 * share, marker, color="black", mfc="none", ms=8, label=name)
            axes.set(xlabel="bill of all scenes, USD", ylabel=label)
            if not few:
                axes.set_title(panel.title)
            axes.set_xlim(0, 1.02 * panel.everything_usd)
            axes.grid(alpha=0.3)
        row[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7 if few else 8)
    if few:
        figure.suptitle(panels[0].title)  # the axes are too narrow for it
    return save(figure, path)


def _line(axes: Axes, curve: Curve, measure: str, place: int, *, banded: bool) -> None:
    colour = COLOURS[place % len(COLOURS)]
    kept = rising(curve.usd)
    usd = [curve.usd[at] for at in kept]
    share, low, high = (100 * np.array([getattr(curve, measure)[at] for at in kept])).T
    ours = curve.name.startswith("Loupe")
    if banded:
        axes.fill_between(usd, low, high, color=colour, alpha=0.12, linewidth=0)
    style = "-" if place < len(COLOURS) else "--"
    axes.plot(usd, share, style, color=colour, linewidth=2.5 if ours else 1.3, label=curve.name)


def rising(usd: Sequence[float]) -> list[int]:
    """Return the sizes that no larger size undercuts: under a minimum area, more patches may cost less."""
    kept: list[int] = []
    for at in reversed(range(len(usd))):
        if not kept or usd[at] < usd[kept[-1]]:
            kept.append(at)
    return kept[::-1]


def draw_scenes(scenes: Sequence[Pictured], path: Path) -> Path:
    """Draw the LR of some scenes, a row each, with bought patches bright and objects as circles."""
    names = list(scenes[0].masks)
    figure = Figure(figsize=(3.4 * len(names), 3.6 * len(scenes)), layout="constrained")
    grid = figure.subplots(len(scenes), len(names), squeeze=False)
    for row, scene in zip(grid, scenes, strict=True):
        for axes, name in zip(row, names, strict=True):
            _scene(axes, scene, scene.masks[name])
        row[0].set_ylabel(scene.title, fontsize=8)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(f"{name}\n{axes.get_title()}", fontsize=8)
    return save(figure, path)


def _scene(axes: Axes, scene: Pictured, mask: Mask) -> None:
    height, width, _ = scene.lr.shape
    block = np.ones((height // mask.shape[0], width // mask.shape[1]))
    bright = np.kron(mask, block)[..., None]
    axes.imshow(scene.lr / 255 * (DIMMED + (1 - DIMMED) * bright), interpolation="nearest")
    axes.contour(bright[..., 0], levels=[0.5], colors=COLOURS[4], linewidths=0.8)
    columns, rows = (scene.centres * (width, height)).T
    axes.plot(columns, rows, "o", mfc="none", mec=COLOURS[1], ms=3, mew=0.6)
    at = np.floor(scene.centres * mask.shape[::-1]).astype(int)
    inside = int(mask[at[:, 1], at[:, 0]].sum())
    axes.set_title(f"{int(mask.sum())} patches, {inside} of {len(at)} objects", fontsize=8)
    axes.set(xticks=[], yticks=[])


def draw_calibration(parts: Mapping[str, Mapping[str, Any]], path: Path) -> Path:
    """Draw predicted counts against true ones, and where the true ones lie in what was predicted."""
    figure = Figure(figsize=(4.2 * len(parts), 7), layout="constrained")
    counts, shares = figure.subplots(2, len(parts), squeeze=False)
    for above, below, (name, part) in zip(counts, shares, parts.items(), strict=True):
        most = max(*part["expected"], *part["true"], 0.1)
        above.plot([0, most], [0, most], "--", color=COLOURS[7], linewidth=1)
        above.plot(part["expected"], part["true"], "o-", color=COLOURS[0])
        above.set(xlabel="predicted count, mean of a tenth", ylabel="true count", title=name)
        # Most patches hold nothing: on a linear axis they would be one point.
        above.set_xscale("symlog", linthresh=0.1)
        above.set_yscale("symlog", linthresh=0.1)
        places = (np.arange(BINS) + 0.5) / BINS
        below.bar(places, [100 * share for share in part["pit"]], 0.9 / BINS, color=COLOURS[5])
        below.axhline(100 / BINS, linestyle="--", color=COLOURS[7], linewidth=1)
        below.set(xlabel="place in the predicted distribution", ylabel="share of the true counts, %")
    return save(figure, path)
