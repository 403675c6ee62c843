"""Labels on our own scenes against true labels: charts and rows of how far confidences can be trusted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.dashboard.chart import Chart, Point, line_chart
from service.truth.calibration import BundleResult, ConfidenceGroup
from service.truth.schemas import ScoreFigures
from service.web.tabular import Columns

LABEL_COLUMNS: Columns = {
    "bundle": "text", "group": "text", "of": "text", "tiles": "integer", "right": "integer",
    "lr_right": "integer", "share": "text", "share_low": "text", "share_high": "text",
    "mean_confidence": "text", "taken_for": "text",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LabelView:
    """The result of a bundle's labels on scenes of the workspace."""

    result: BundleResult
    score: ScoreFigures
    chart: Chart | None
    """Share of right labels by confidence; None with fewer than two groups."""

    @classmethod
    def of(cls, result: BundleResult) -> "LabelView":
        """Draw a result."""
        return cls(result=result, score=ScoreFigures.of(result.score), chart=_chart(result.groups))


def _chart(groups: Sequence[ConfidenceGroup]) -> Chart | None:
    """Draw the share of right labels against the mean confidence, and the line on which both are equal."""
    points = [
        Point(
            x=100 * one.mean_confidence,
            y=100 * one.share,
            low=100 * one.interval[0],
            high=100 * one.interval[1],
        )
        for one in groups
    ]
    equal = [Point(x=0, y=0), Point(x=100, y=100)]
    return line_chart(
        points,
        [],
        "Mean confidence of the labels in per cent",
        "Labels that are right",
        " %",
        reference=equal,
    )


def label_rows(results: Iterable[BundleResult]) -> Iterator[Sequence[object]]:
    """Write each true class and each group of confidence as a row of LABEL_COLUMNS."""
    for result in results:
        for one in result.classes:
            score = one.score
            low, high = score.interval or (None, None)
            wrong = "; ".join(f"{label}: {count}" for label, count in one.taken_for)
            yield (
                result.bundle, "true class", one.true_label, score.tiles, score.right, score.lr_right,
                score.share, low, high, None, wrong,
            )  # fmt: skip
        for group in result.groups:
            of = f"{group.low:g} to {group.high:g}"
            yield (
                result.bundle, "confidence", of, group.tiles, group.right, None, group.share, *group.interval,
                group.mean_confidence, None,
            )  # fmt: skip
