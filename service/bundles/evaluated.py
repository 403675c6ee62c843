"""Results of a bundle's evaluation, for each way to choose patches and each number of patches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.grid import PATCHES
from models.manifest import ClassifyManifest, Manifest
from models.tasks import Task
from service.bundles.card import site_interval

Way = Literal["nothing", "plan", "central", "random", "everything"]
"""Way to choose patches. `plan`: by the policy; `central`: Fixed-H; `random`: the evaluation's Stochastic,
which prefers the middle."""

_BASELINES: Mapping[Way, str] = {"central": "fixed_h", "random": "stochastic"}
NEAR = 1.0
"""Largest difference in patches per tile at which a measured row is shown."""


@dataclass(frozen=True, kw_only=True)
class MeasuredRow:
    """A number of patches per tile, and the accuracy that the evaluation measured with it."""

    patches_per_tile: float
    accuracy: float
    interval: tuple[float, float] | None = None
    """95 % interval from a bootstrap over sites; None if the evaluation states none."""
    found: float | None = None
    count_error: float | None = None


def measured_row(manifest: Manifest, task: Task, way: Way, patches_per_tile: float) -> MeasuredRow | None:
    """Return the row of a way whose number of patches is closest, the smaller of two equally close ones.

    None if the evaluation has no row within NEAR. Without any patch and with all of them, ways are alike.
    """
    ways: tuple[Way, ...] = (way, "nothing", "everything")
    rows = [row for one in ways for row in _rows(manifest, task, one)]
    # A bundle may state its evaluation as a curve only, which then holds both ends too.
    rows += [row for row in _rows(manifest, task, "plan") if row.patches_per_tile in {0, PATCHES}]
    near = [row for row in rows if abs(row.patches_per_tile - patches_per_tile) <= NEAR]
    return min(
        near,
        key=lambda row: (abs(row.patches_per_tile - patches_per_tile), row.patches_per_tile),
        default=None,
    )


def _rows(manifest: Manifest, task: Task, way: Way) -> tuple[MeasuredRow, ...]:
    split = manifest.evaluation.get(manifest.curve_split)
    try:
        if way == "plan":
            return tuple(_curve(manifest, task))
        if isinstance(manifest, ClassifyManifest):
            return tuple(_classified(split, way))
        return tuple(_counted(split, way))
    except (AttributeError, KeyError, TypeError, ValueError):  # the evaluation has no fixed form
        return ()


def _curve(manifest: Manifest, task: Task) -> Iterator[MeasuredRow]:
    for point in manifest.curve_for(task):
        yield MeasuredRow(
            patches_per_tile=point.mean_patches,
            accuracy=point.accuracy,
            interval=site_interval(manifest, task, point.threshold),
            found=point.found,
            count_error=point.count_error,
        )


def _classified(split: Any, way: Way) -> Iterator[MeasuredRow]:
    """Read the evaluation of a bundle that classifies, which has accuracies only."""
    if way == "nothing":
        yield MeasuredRow(patches_per_tile=0, accuracy=float(split["lr_only"]["accuracy"]))
    elif way == "everything":
        yield MeasuredRow(patches_per_tile=PATCHES, accuracy=float(split["all_patches"]["accuracy"]))
    else:
        by_patches = split["baselines"][_BASELINES[way]]["accuracy_by_patches"]
        for patches, accuracy in by_patches.items():
            yield MeasuredRow(patches_per_tile=float(patches), accuracy=float(accuracy))


def _counted(split: Any, way: Way) -> Iterator[MeasuredRow]:
    """Read the evaluation of a bundle that counts, whose figures have intervals."""
    rows = split[_BASELINES[way]].values() if way in _BASELINES else [split[way]]
    for row in rows:
        accuracy = row["accuracy"]
        yield MeasuredRow(
            patches_per_tile=float(row["mean_patches"]),
            accuracy=float(accuracy["value"]),
            interval=(float(accuracy["low"]), float(accuracy["high"])),
            found=float(row["found"]["value"]),
            count_error=float(row["count_error"]["value"]),
        )
