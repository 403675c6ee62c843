"""Measured rows, stored with one result per test image so that any two can be compared image by image."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from training.run.checkpoints import load_tensors, save_tensors


@dataclass(frozen=True, kw_only=True)
class MeasuredRow:
    """A measured line of a table for one seed."""

    method: str
    """Key of the method in the table's `methods`."""
    stage: str
    """Stage pt, ft1 or ft2; empty for a method without stages."""
    right: Tensor
    """Correctness as float32 (N,): 1 for a correct label; the mean over draws if there were several."""
    selected: Tensor
    """Bought patches as bool (N, 16); those of the first draw if there were several."""
    facts: dict[str, Any]
    """Further JSON-serialisable results by method, such as `curve` [[S, accuracy], ...], `milliseconds`."""

    @property
    def accuracy(self) -> float:
        """Share of correct labels."""
        return float(self.right.double().mean())  # float32 would round the sum over many images

    @property
    def mean_patches(self) -> float:
        """S, the mean number of patches bought."""
        return float(self.selected.double().sum(1).mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the accuracy over images."""
        # Binomial, which is an upper bound where `right` is a mean over draws.
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.right))


def save_row(folder: Path, row: MeasuredRow) -> None:
    """Save a row as <folder>/<method>[-<stage>].safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{row.method}-{row.stage}" if row.stage else row.method
    # The name is repeated inside: "bagnet_stn-ft1" could not be split back without knowing the methods.
    facts = {"method": row.method, "stage": row.stage, "facts": row.facts}
    tensors = {"right": row.right.float(), "selected": row.selected.bool()}
    save_tensors(folder / f"{name}.safetensors", tensors, facts)


def load_rows(folder: Path) -> list[MeasuredRow]:
    """Load every row of a folder, sorted by file name; none if the folder does not exist."""
    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        tensors, facts = load_tensors(path)  # tensors, and method, stage and facts as JSON in the header
        rows.append(MeasuredRow(right=tensors["right"], selected=tensors["selected"], **facts))
    return rows
