"""The manifests of bundles: their networks, their inputs, and their measured accuracy.

A classifying bundle labels whole tiles. A counting bundle counts objects in patches.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

from models.fusion import Fusion
from models.preprocess import Fill
from models.second_look import SecondLook
from models.tasks import Task

Kind = Literal["classify", "count"]
Mode = Literal["paper", "product"]

BANDS = ("red", "green", "blue")
FORMAT = 1


class BundleError(ValueError):
    """A manifest or a weights file that is malformed, or that does not belong to the others."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One threshold on the value of patches, and what buying by it was measured to give."""

    threshold: float
    """In units of the task's value: a utility in 0..1, or a number of objects."""
    mean_patches: float
    accuracy: float
    """Share of tiles with the right class."""
    found: float | None = None
    """Share of all objects that lie in bought patches; None for a classifying bundle."""
    count_error: float | None = None
    """Mean absolute error of a tile's count; None for a classifying bundle."""


@dataclass(frozen=True, kw_only=True)
class ValueCurve:
    """The operating point of a task, and its measured curve."""

    threshold: float
    curve: tuple[CurvePoint, ...] = ()


Loss = Literal["labels", "objects"]
"""Share of a site that a guarantee bounds: labels lost against buying everything, or objects missed."""


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """A threshold that bounds the mean loss of sites, certified on sites that no network had learnt."""

    loss: Loss
    at_most: float
    """Largest loss of the mean site, a share of 0..1."""
    sure: float
    """Probability, over the sites that it was certified on, that the bound holds."""
    sites: int
    """Number of those sites."""
    task: Task
    """Task whose value the threshold is on: a patch is bought if its value is at least the threshold."""
    threshold: float
    mean_patches: float
    """Mean number of patches, of 16, that it buys of a tile of those sites."""


@dataclass(frozen=True, kw_only=True)
class Manifest(ABC):
    """Every property that bundles of all kinds have, except weights. Sizes in pixels, lengths in metres."""

    kind: ClassVar[Kind]

    name: str
    version: str
    classes: tuple[str, ...]
    hr_size: int
    lr_size: int
    tile_m: float
    lr_gsd_m: float
    hr_gsd_m: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bands: tuple[str, ...] = BANDS
    curve_split: str = ""
    default_task: Task = "label"
    licence: str = ""
    """Licence of the training data, which binds the weights too; empty if none is stated."""
    evaluation: Mapping[str, Any]
    data_digest: str
    git_revision: str
    weights: Mapping[str, str]
    """sha256 of each weights file, by file name; empty until the bundle is dumped."""
    format: int = FORMAT

    @property
    @abstractmethod
    def networks(self) -> tuple[str, ...]:
        """Names of the networks; `<name>.safetensors` holds the weights."""

    @property
    @abstractmethod
    def task_values(self) -> Mapping[Task, ValueCurve]:
        """Operating point and curve of each task that the bundle offers."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks that the bundle offers."""
        return tuple(self.task_values)

    def threshold_for(self, task: Task) -> float:
        """Return the value from which a patch is bought. Raise ValueError if the task is not offered."""
        return self._of(task).threshold

    def curve_for(self, task: Task) -> tuple[CurvePoint, ...]:
        """Return the measured curve of a task. Raise ValueError if the task is not offered."""
        return self._of(task).curve

    def _of(self, task: Task) -> ValueCurve:
        if task not in self.task_values:
            raise ValueError(
                f"The bundle {self.name} {self.version} has no task {task!r}, only {', '.join(self.tasks)}."
            )
        return self.task_values[task]


@dataclass(frozen=True, kw_only=True)
class ClassifyManifest(Manifest):
    """Every property of a classifying bundle except its weights."""

    kind: ClassVar[Kind] = "classify"

    mode: Mode
    fill: Fill
    backbones: Mapping[str, str]
    """Backbone of each network."""
    input_sizes: Mapping[str, int]
    """Side of each network's input."""
    policy_views: int = 1
    """Number of symmetries of the tile that the policy averages over, 1 to 8."""
    uncertainty_exponent: float = 0.0
    """Exponent of the LR stream's label uncertainty in a patch's score; 0 ignores the uncertainty."""
    fusion_exponent: float = 1.0
    temperature: float = 1.0
    threshold: float = 0.5
    curve: tuple[CurvePoint, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks: keys of `backbones` and `input_sizes`."""
        return "policy", "hr", "lr"

    @property
    def task_values(self) -> Mapping[Task, ValueCurve]:
        """The one task of a classifying bundle."""
        return {"label": ValueCurve(threshold=self.threshold, curve=self.curve)}


@dataclass(frozen=True, kw_only=True)
class CountManifest(Manifest):
    """Every property of a counting bundle except its weights."""

    kind: ClassVar[Kind] = "count"

    objects: str
    """Name of the counted objects, as a plural noun: "oil tanks"."""
    bins: tuple[int, ...]
    """Smallest counts of the classes after the first: (1, 10) makes the classes 0, 1 to 9, 10 or more."""
    policy_backbone: str
    counter_backbone: str
    members: int = 1
    """Number of policies in the ensemble."""
    views: int = 1
    """Number of symmetries of the scene that a policy averages over, 1 to 8."""
    values: Mapping[Task, ValueCurve]
    fusion: Fusion
    """How a reading and the expected count of a bought patch make its count."""
    second_look: SecondLook | None = None
    """How what was seen in bought patches revises what is expected of the others; None: not at all."""
    guarantees: tuple[Guarantee, ...] = ()
    """Thresholds with a guarantee; at most one for each loss and share."""

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks: the policies of the ensemble, then the counter."""
        return *(f"policy{number}" for number in range(self.members)), "counter"

    @property
    def task_values(self) -> Mapping[Task, ValueCurve]:
        """Operating point and curve of each task that was measured."""
        return self.values


def count_classes(bins: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the classes by count, in the order of their counts."""
    edges = (0, *bins)
    names = [f"{low}" if high - low == 1 else f"{low} to {high - 1}" for low, high in pairwise(edges)]
    return *names, f"{edges[-1]} or more"
