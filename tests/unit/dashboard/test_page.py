"""The accuracy that stands beside the savings comes from the bundle's own curve."""

from models.bundle import CurvePoint
from service.dashboard.page import BundleAccuracy, bundle_accuracy
from tests.support.bundles import make_manifest


def point(threshold: float, mean_patches: float, accuracy: float) -> CurvePoint:
    return CurvePoint(threshold=threshold, mean_patches=mean_patches, accuracy=accuracy)


def test_reads_the_curve_at_the_threshold_and_at_its_ends() -> None:
    curve = (point(0.0, 16, 0.93), point(0.5, 4.2, 0.91), point(1.01, 0, 0.7))
    manifest = make_manifest(curve=curve, curve_split="test", threshold=0.5)

    assert bundle_accuracy(manifest) == BundleAccuracy(
        bundle="tiny 1", split="test", accuracy=0.91, mean_patches=4.2, none=0.7, all=0.93
    )


def test_says_nothing_about_a_bundle_that_was_not_measured() -> None:
    assert bundle_accuracy(make_manifest()) is None


def test_leaves_open_what_the_curve_does_not_reach() -> None:
    quality = bundle_accuracy(make_manifest(curve=(point(0.5, 4.2, 0.91),)))

    assert quality is not None
    assert (quality.none, quality.all) == (None, None)
