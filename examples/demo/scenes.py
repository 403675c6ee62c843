"""Scenes of the demo: a low-resolution file to plan, a mosaic that delivers it, and the truth per tile."""

import csv
from dataclasses import dataclass
from pathlib import Path

LR_FILE, HR_FILE, TRUTH_FILE = "lr.tif", "hr.tif", "truth.csv"
TRUTH_COLUMNS = ("tile", "true_label", "photograph")

SAMPLE = Path(__file__).parent / "sample"
"""Folder of the scene that is in the repository."""
STARTER = "ucmerced"
"""Name of the starter bundle."""


@dataclass(frozen=True, kw_only=True)
class DemoScene:
    """A scene whose true labels are known.

    `lr` is the GeoTIFF to plan with the bundle named `bundle`, whose measured accuracy is on the page `card`.
    `hr` is a GeoTIFF that shows every patch, as a provider delivers it. `truth` is the right label of each
    tile, in the order of the plan. `words` describes the imagery to the reader.
    """

    lr: Path
    hr: Path
    truth: tuple[str, ...]
    bundle: str
    card: str
    words: str


def demo_scenes() -> list[DemoScene]:
    """Return the scenes that the demo shows, in their order."""
    sample = DemoScene(
        lr=SAMPLE / LR_FILE,
        hr=SAMPLE / HR_FILE,
        truth=read_truth(SAMPLE / TRUTH_FILE),
        bundle=STARTER,
        card="models/bundles/starter/README.md",
        words=(
            "Twelve aerial photographs of UC Merced Land Use (USGS, public domain), one for each of twelve "
            "classes, drawn from the test split with a fixed seed. The bundle was not trained on them. They "
            "are the tiles of one scene at an INVENTED position. Its low-resolution pixels (LR, 9.75 m) are "
            "SIMULATED: they are averages of the high-resolution pixels (HR, 0.3 m)."
        ),
    )
    return [sample]


def read_truth(path: Path) -> tuple[str, ...]:
    """Read a CSV whose columns `tile` and `true_label` list every tile, from 0."""
    with path.open(newline="") as file:
        classes = {int(row["tile"]): row["true_label"] for row in csv.DictReader(file)}
    return tuple(classes[tile] for tile in range(len(classes)))
