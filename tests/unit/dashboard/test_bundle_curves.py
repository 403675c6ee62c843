"""Curves of bundles: rows from the fewest patches to the most, and the point by which plans buy."""

from pathlib import Path

import pytest

from models.bundle import CurvePoint
from service.bundles.registry import Bundles, open_bundles
from service.dashboard.bundle_curves import CURVE_COLUMNS, curve_rows, read_bundles
from tests.support.bundles import write_bundle

CURVE = tuple(
    CurvePoint(threshold=threshold, mean_patches=patches, accuracy=accuracy)
    for threshold, patches, accuracy in ((0.0, 16, 0.93), (0.45, 4.2, 0.91), (1.01, 0, 0.7))
)


def opened(folder: Path) -> Bundles:
    return open_bundles(folder.parent, None, "cpu", 1)


def test_curve_names_the_point_nearest_to_the_threshold(tmp_path: Path) -> None:
    bundles = opened(write_bundle(tmp_path / "tiny", curve=CURVE, curve_split="a held-out split"))
    (view,) = read_bundles(bundles)
    (curve,) = view.curves
    assert (view.is_default, view.split, curve.threshold) == (True, "a held-out split", 0.5)
    assert [row.point.mean_patches for row in curve.rows] == [0, 4.2, 16]
    assert [row.is_operating for row in curve.rows] == [False, True, False]
    assert curve.chart is not None
    (dot,) = curve.chart.dots
    assert dot.kind == "plan"


def test_rows_of_the_file_have_every_point(tmp_path: Path) -> None:
    bundles = opened(write_bundle(tmp_path / "tiny", curve=CURVE, curve_split="a held-out split"))
    rows = [dict(zip(CURVE_COLUMNS, row, strict=True)) for row in curve_rows(read_bundles(bundles))]
    assert [(row["threshold"], row["accuracy"]) for row in rows] == [(1.01, 0.7), (0.45, 0.91), (0.0, 0.93)]
    assert [row["operating_point"] for row in rows] == ["no", "yes", "no"]


def test_bundle_without_a_curve_has_no_chart(bundle_folder: Path) -> None:
    (view,) = read_bundles(opened(bundle_folder))
    assert view.curves[0].rows == []
    assert view.curves[0].chart is None


def test_server_without_a_bundle_has_no_curve(tmp_path: Path) -> None:
    with pytest.raises(StopIteration):
        next(iter(read_bundles(open_bundles(tmp_path, None, "cpu", 1))))
