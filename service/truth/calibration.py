"""Labels of all orders against the true labels that users gave: by true class and by confidence. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.planner.curve import wilson
from service.truth.scoring import LabelScore

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Bounds of the groups of confidence; a group includes its lower bound, and the last one its upper too."""


@dataclass(frozen=True, kw_only=True)
class KnownTile:
    """A labelled tile whose true label is known. Confidences are probabilities in 0..1."""

    bundle: str
    """Name and version of the bundle that labelled it."""
    true_label: str
    label: str
    confidence: float
    lr_label: str
    """Label from low resolution only."""


@dataclass(frozen=True, kw_only=True)
class ConfidenceGroup:
    """Tiles that were labelled with about the same confidence."""

    low: float
    high: float
    tiles: int
    right: int
    mean_confidence: float

    @property
    def share(self) -> float:
        """Share of right labels."""
        return self.right / self.tiles

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        return wilson(self.share, self.tiles)


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """The tiles of one true class, and the wrong labels that they got."""

    true_label: str
    score: LabelScore
    taken_for: tuple[tuple[str, int], ...]
    """Wrong labels with their numbers of tiles, commonest first."""


@dataclass(frozen=True, kw_only=True)
class BundleResult:
    """Score of a bundle's labels where true labels are known."""

    bundle: str
    score: LabelScore
    classes: tuple[ClassResult, ...]
    groups: tuple[ConfidenceGroup, ...]

    @property
    def calibration_error(self) -> float:
        """Mean distance of confidence from the share of right labels, weighted by tiles (ECE).

        Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3, with the groups of EDGES.
        """
        gaps = (one.tiles * abs(one.share - one.mean_confidence) for one in self.groups)
        return sum(gaps) / self.score.tiles


def by_bundle(tiles: Iterable[KnownTile]) -> list[BundleResult]:
    """Return the result of each bundle, the one with the most known tiles first."""
    members: dict[str, list[KnownTile]] = {}
    for tile in tiles:
        members.setdefault(tile.bundle, []).append(tile)
    results = [
        BundleResult(bundle=bundle, score=_score(of), classes=by_class(of), groups=by_confidence(of))
        for bundle, of in members.items()
    ]
    return sorted(results, key=lambda one: (-one.score.tiles, one.bundle))


def by_class(tiles: Sequence[KnownTile]) -> tuple[ClassResult, ...]:
    """Return the result of each true class, in alphabetical order."""
    members: dict[str, list[KnownTile]] = {}
    for tile in tiles:
        members.setdefault(tile.true_label, []).append(tile)
    return tuple(
        ClassResult(true_label=true_label, score=_score(of), taken_for=_wrong(of))
        for true_label, of in sorted(members.items())
    )


def by_confidence(tiles: Sequence[KnownTile]) -> tuple[ConfidenceGroup, ...]:
    """Return the groups of confidence that hold a tile, from the least to the most confident."""
    groups = []
    for low, high in pairwise(EDGES):
        of = [one for one in tiles if low <= one.confidence < high or one.confidence == high == EDGES[-1]]
        if of:
            mean = sum(one.confidence for one in of) / len(of)
            right = _score(of).right
            groups.append(
                ConfidenceGroup(low=low, high=high, tiles=len(of), right=right, mean_confidence=mean)
            )
    return tuple(groups)


def _score(tiles: Sequence[KnownTile]) -> LabelScore:
    return LabelScore(
        tiles=len(tiles),
        right=sum(one.label == one.true_label for one in tiles),
        lr_right=sum(one.lr_label == one.true_label for one in tiles),
    )


def _wrong(tiles: Sequence[KnownTile]) -> tuple[tuple[str, int], ...]:
    counts = Counter(one.label for one in tiles if one.label != one.true_label)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
