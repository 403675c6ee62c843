"""The accuracy beside the savings, read from the bundle's evaluation curve."""

from models.bundle import CurvePoint
from service.dashboard.overview import BundleAccuracy, bundle_accuracy
from tests.support.bundles import make_manifest


def point(threshold: float, mean_patches: float, accuracy: float) -> CurvePoint:
    return CurvePoint(threshold=threshold, mean_patches=mean_patches, accuracy=accuracy)


def test_bundle_accuracy_reads_the_curve_at_threshold_and_ends() -> None:
    curve = (point(0.0, 16, 0.93), point(0.5, 4.2, 0.91), point(1.01, 0, 0.7))
    manifest = make_manifest(curve=curve, curve_split="test", threshold=0.5)

    assert bundle_accuracy(manifest) == BundleAccuracy(
        bundle="tiny 1", split="test", accuracy=0.91, mean_patches=4.2, none=0.7, all=0.93
    )


def test_bundle_accuracy_is_none_without_a_curve() -> None:
    assert bundle_accuracy(make_manifest()) is None


def test_bundle_accuracy_is_none_where_the_curve_has_no_end() -> None:
    quality = bundle_accuracy(make_manifest(curve=(point(0.5, 4.2, 0.91),)))

    assert quality is not None
    assert (quality.none, quality.all) == (None, None)
