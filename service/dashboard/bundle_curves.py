"""The measured curves of the server's bundles as charts and rows, with their operating points."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.manifest import CurvePoint, Manifest
from models.tasks import Task
from service.bundles.card import CertifiedGuarantee, accuracy_source, guarantees_of, site_interval
from service.bundles.predictor import Predictor
from service.bundles.registry import Bundles
from service.dashboard.chart import Chart, Mark, Point, line_chart
from service.web.tabular import Columns

TASKS: dict[Task, str] = {"label": "Correct labels", "count": "Correct counts", "find": "Find objects"}
"""Tasks as the pages name them."""
CURVE_COLUMNS: Columns = {
    "bundle": "text", "version": "text", "sha256": "text", "default": "text", "task": "text",
    "operating_point": "text", "threshold": "text", "mean_patches": "text", "accuracy": "text",
    "accuracy_low": "text", "accuracy_high": "text", "found": "text", "count_error": "text",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """One threshold of a curve, and what buying by it was measured to give."""

    point: CurvePoint
    interval: tuple[float, float] | None
    """95 % interval of the accuracy; None if the evaluation states none."""
    is_operating: bool
    """Whether plans buy by this threshold, or by the one nearest to it, when they name no other aim."""


@dataclass(frozen=True, kw_only=True)
class TaskCurve:
    """The curve of one task of a bundle."""

    task: Task
    title: str
    threshold: float
    rows: list[CurveRow]
    chart: Chart | None
    """None without at least two measured points."""

    @classmethod
    def of(cls, manifest: Manifest, task: Task) -> "TaskCurve":
        """Read the curve of a task, from the fewest patches to the most."""
        threshold, curve = manifest.threshold_for(task), manifest.curve_for(task)
        chosen = min(curve, key=lambda one: abs(one.threshold - threshold), default=None)
        rows = [
            CurveRow(
                point=one,
                interval=site_interval(manifest, task, one.threshold),
                is_operating=one is chosen,
            )
            for one in sorted(curve, key=lambda one: (one.mean_patches, one.accuracy))
        ]
        return cls(task=task, title=TASKS[task], threshold=threshold, rows=rows, chart=_chart(rows))


@dataclass(frozen=True, kw_only=True)
class BundleView:
    """A bundle of the server with its curves."""

    name: str
    version: str
    sha256: str
    is_default: bool
    kind: str
    classes: Sequence[str]
    split: str
    """Name of the images that the curve was measured on."""
    source: str
    """How the accuracy was measured, and what it does not promise."""
    guarantees: list[CertifiedGuarantee]
    curves: list[TaskCurve]

    @classmethod
    def of(cls, predictor: Predictor, *, is_default: bool) -> "BundleView":
        """Read the card of a bundle."""
        manifest = predictor.manifest
        return cls(
            name=manifest.name,
            version=manifest.version,
            sha256=predictor.sha256,
            is_default=is_default,
            kind="counts objects" if manifest.kind == "count" else "classifies tiles",
            classes=manifest.classes,
            split=manifest.curve_split,
            source=accuracy_source(predictor),
            guarantees=[CertifiedGuarantee.of(one) for one in guarantees_of(manifest)],
            curves=[TaskCurve.of(manifest, task) for task in manifest.tasks],
        )


def read_bundles(bundles: Bundles) -> list[BundleView]:
    """Return every bundle of the server, the default one first."""
    return [BundleView.of(one, is_default=one is bundles.default) for one in bundles]


def curve_rows(views: Iterable[BundleView]) -> Iterator[Sequence[object]]:
    """Write every point of every curve as a row of CURVE_COLUMNS."""
    for view in views:
        own = view.name, view.version, view.sha256, _yes(view.is_default)
        for curve in view.curves:
            for row in curve.rows:
                point, (low, high) = row.point, row.interval or (None, None)
                yield (
                    *own, curve.task, _yes(row.is_operating), point.threshold, point.mean_patches,
                    point.accuracy, low, high, point.found, point.count_error,
                )  # fmt: skip


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _chart(rows: Sequence[CurveRow]) -> Chart | None:
    marks = [Mark(point=_point(row), kind="plan") for row in rows if row.is_operating]
    points = [_point(row) for row in rows]
    return line_chart(points, marks, "Patches bought of the 16 of a tile", "Measured accuracy", y_unit=" %")


def _point(row: CurveRow) -> Point:
    low, high = row.interval or (None, None)
    return Point(
        x=row.point.mean_patches,
        y=100 * row.point.accuracy,
        low=None if low is None else 100 * low,
        high=None if high is None else 100 * high,
    )
