"""Labels against true labels: by class, by confidence, and the calibration error."""

import pytest

from service.truth.calibration import EDGES, KnownTile, by_bundle, by_class, by_confidence


def tile(
    true: str, label: str, confidence: float = 0.9, lr: str = "farm", bundle: str = "tiny 1"
) -> KnownTile:
    return KnownTile(bundle=bundle, true_label=true, label=label, confidence=confidence, lr_label=lr)


def test_classes_are_scored_with_their_wrong_labels_commonest_first() -> None:
    tiles = [
        tile("port", "port"), tile("port", "farm"), tile("port", "wood"), tile("port", "wood"),
        tile("farm", "farm"),
    ]  # fmt: skip
    farm, port = by_class(tiles)
    assert (farm.true_label, farm.score.right, farm.score.lr_right, farm.taken_for) == ("farm", 1, 1, ())
    assert (port.score.tiles, port.score.right, port.score.lr_right) == (4, 1, 0)
    assert port.taken_for == (("wood", 2), ("farm", 1))


@pytest.mark.parametrize("confidence", [0.0, 0.3, *EDGES[1:-1], 0.999, 1.0])
def test_every_confidence_is_in_one_group_that_holds_it(confidence: float) -> None:
    (group,) = by_confidence([tile("port", "port", confidence)])
    assert group.low <= confidence <= group.high
    assert confidence < group.high or confidence == 1.0
    assert (group.tiles, group.right, group.mean_confidence) == (1, 1, confidence)


def test_calibration_error_is_the_weighted_distance_of_confidence_and_share() -> None:
    tiles = [tile("port", "port", 0.92), tile("port", "farm", 0.94), *[tile("farm", "farm", 0.65)] * 2]
    (result,) = by_bundle(tiles)
    # Two of four tiles at 0.93 with a share of 0.5, two at 0.65 with a share of 1.
    assert result.calibration_error == pytest.approx(0.5 * (0.93 - 0.5) + 0.5 * (1 - 0.65))


def test_labels_as_sure_as_they_are_right_have_no_calibration_error() -> None:
    tiles = [tile("port", "port", 0.75)] * 3 + [tile("port", "farm", 0.75)]
    (result,) = by_bundle(tiles)
    assert result.calibration_error == pytest.approx(0)


def test_bundles_are_apart_the_one_with_most_known_tiles_first() -> None:
    tiles = [tile("port", "port", bundle="b 1"), *[tile("farm", "port", bundle="a 2")] * 2]
    first, second = by_bundle(tiles)
    assert [(one.bundle, one.score.tiles, one.score.right) for one in (first, second)] == [
        ("a 2", 2, 0),
        ("b 1", 1, 1),
    ]


def test_nothing_known_has_no_result() -> None:
    assert by_bundle([]) == []
