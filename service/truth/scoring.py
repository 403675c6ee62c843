"""How many labels are right where the true label of a tile is known. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.planner.curve import wilson


@dataclass(frozen=True, kw_only=True)
class TrueLabel:
    """The true label of a tile, and who gave it."""

    label: str
    key_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """Tiles whose true label is known, and how many of them are labelled right."""

    tiles: int = 0
    right: int = 0
    lr_right: int = 0
    """Labelled right from low resolution only."""

    def __add__(self, other: "LabelScore") -> "LabelScore":
        return LabelScore(
            tiles=self.tiles + other.tiles,
            right=self.right + other.right,
            lr_right=self.lr_right + other.lr_right,
        )

    @property
    def share(self) -> float | None:
        """Share of right labels; None without a tile."""
        return self.right / self.tiles if self.tiles else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share; None without a tile."""
        return wilson(self.right / self.tiles, self.tiles) if self.tiles else None

    @property
    def lr_share(self) -> float | None:
        """Share of right labels from low resolution only; None without a tile."""
        return self.lr_right / self.tiles if self.tiles else None

    @property
    def lr_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of that share; None without a tile."""
        return wilson(self.lr_right / self.tiles, self.tiles) if self.tiles else None


def score_by_class(
    tiles: Iterable[Mapping[str, Any]], truth: Mapping[int, TrueLabel]
) -> dict[str, LabelScore]:
    """Return the score of each true class, in alphabetical order; tiles without a true label do not count."""
    found: dict[str, LabelScore] = {}
    for tile in tiles:
        known = truth.get(tile["tile"])
        if known is not None:
            one = LabelScore(
                tiles=1,
                right=int(tile["label"] == known.label),
                lr_right=int(tile["lr_label"] == known.label),
            )
            found[known.label] = found.get(known.label, LabelScore()) + one
    return dict(sorted(found.items()))


def total_score(by_class: Mapping[str, LabelScore]) -> LabelScore:
    """Add up the scores of all classes."""
    return sum(by_class.values(), start=LabelScore())
