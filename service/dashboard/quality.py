"""What the loaded bundle's savings cost in accuracy, read from its evaluation curve. Pure."""

from dataclasses import dataclass

from models.bundle import Manifest
from models.grid import PATCHES


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Accuracies in 0..1 on the bundle's own evaluation split; None where the curve has no such point."""

    bundle: str
    split: str
    accuracy: float
    mean_patches: float
    none: float | None
    """With no patch bought: low resolution alone."""
    all: float | None
    """With all sixteen patches bought."""


def quality_of(manifest: Manifest) -> Quality | None:
    """Read the curve at the bundle's own threshold and at its ends; None without a curve."""
    if not manifest.curve:
        return None
    chosen = min(manifest.curve, key=lambda point: abs(point.threshold - manifest.threshold))
    accuracy_at = {point.mean_patches: point.accuracy for point in manifest.curve}
    return Quality(
        bundle=f"{manifest.name} {manifest.version}",
        split=manifest.curve_split or "an unnamed split",
        accuracy=chosen.accuracy,
        mean_patches=chosen.mean_patches,
        none=accuracy_at.get(0),
        all=accuracy_at.get(PATCHES),
    )
