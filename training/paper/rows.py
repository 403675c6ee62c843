"""Rows: what one method did on every test image, kept so that any two can be compared image by image."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from training.run.checkpoints import load_tensors, save_tensors


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured line of a table, for one seed."""

    method: str
    """A key of published.METHODS."""
    stage: str
    """pt, ft1 or ft2; empty where a method has no stages."""
    right: Tensor
    """float32 (N,): 1 where the label is right, a mean where several draws were made."""
    selected: Tensor
    """bool (N, 16): what was bought; the first draw where several were made."""
    facts: dict[str, Any]
    """JSON-serialisable: `curve` [[S, accuracy], ...], `milliseconds`, and what else a method tells."""

    @property
    def accuracy(self) -> float:
        """Share of right labels."""
        return float(self.right.double().mean())

    @property
    def mean_patches(self) -> float:
        """S."""
        return float(self.selected.double().sum(1).mean())

    @property
    def standard_error(self) -> float:
        """Of the accuracy, over images."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / len(self.right))


def save_row(folder: Path, row: Row) -> None:
    """As <folder>/<method>[-<stage>].safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{row.method}-{row.stage}" if row.stage else row.method
    facts = {"method": row.method, "stage": row.stage, "facts": row.facts}
    tensors = {"right": row.right.float(), "selected": row.selected.bool()}
    save_tensors(folder / f"{name}.safetensors", tensors, facts)


def load_rows(folder: Path) -> list[Row]:
    """Every row saved in a folder, by name; none if it does not exist."""
    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        tensors, facts = load_tensors(path)
        rows.append(Row(right=tensors["right"], selected=tensors["selected"], **facts))
    return rows
