"""The card of a bundle, and how plans and curves describe it."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import BaseModel, Field

from models.manifest import ClassifyManifest, CountManifest, Guarantee, Kind, Loss, Manifest
from models.tasks import Task
from service.bundles.predictor import Predictor


def identify(predictor: Predictor) -> dict[str, Any]:
    """Return the name, version and sha256 of a bundle, and any objects and licence, as a plan stores them."""
    manifest = predictor.manifest
    objects = {"objects": manifest.objects} if isinstance(manifest, CountManifest) else {}
    licence = {"licence": manifest.licence} if manifest.licence else {}
    named = {"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256}
    return named | objects | licence


def accuracy_source(predictor: Predictor, task: Task | None = None) -> str:
    """Describe how a bundle's accuracy for a task was measured, and what it does not promise."""
    manifest = predictor.manifest
    name = f"{manifest.name} {manifest.version}"
    if not manifest.curve_for(task or manifest.default_task):
        return f"The bundle {name} was released without an evaluation curve."
    return (
        f"Accuracy is what the bundle {name} reached on {images_named(manifest)} when only patches above the "
        "threshold were bought. It is no promise for this scene."
    )


def images_named(manifest: Manifest) -> str:
    """Name the images that the curve was measured on, for a sentence."""
    split = manifest.curve_split
    return "its test images" if split == "test" else split or "an evaluation set that it does not name"


def images_measured(manifest: Manifest) -> int | None:
    """Return the number of images that the curve was measured on; None if the evaluation omits it."""
    split = manifest.evaluation.get(manifest.curve_split)
    images = split.get("images") if isinstance(split, Mapping) else None
    return images if isinstance(images, int) and images > 0 else None


def site_interval(manifest: Manifest, task: Task, threshold: float) -> tuple[float, float] | None:
    """Return the 95 % interval of the accuracy that a bundle that counts reached at a threshold.

    It comes from a bootstrap over sites. None if the evaluation does not state it.
    """
    try:
        measured = manifest.evaluation[manifest.curve_split]["tasks"][task]["curve"]
        accuracy = next(one["accuracy"] for one in measured if one["threshold"] == threshold)
        return float(accuracy["low"]), float(accuracy["high"])
    except (KeyError, TypeError, ValueError, StopIteration):  # the evaluation has no fixed form
        return None


class TaskOut(BaseModel):
    """One of the tasks that a bundle offers, with its operating point and measured curve."""

    task: Task = Field(
        description="`label`: correct labels; `count`: correct counts; `find`: objects in bought patches."
    )
    threshold: float = Field(description="Utility from which the objective `policy` buys a patch.")
    curve: list[dict[str, float]] = Field(
        description="Evaluation by threshold: `threshold`, `mean_patches` bought per tile, and `accuracy`, "
        "the share of tiles classified correctly. Bundles that count add `found`, the share of all objects "
        "that lie in bought patches, and `count_error`, the mean absolute error of a tile's count."
    )

    @classmethod
    def of(cls, manifest: Manifest, task: Task) -> "TaskOut":
        """Write a task of a bundle."""
        points = [
            {name: value for name, value in asdict(point).items() if value is not None}
            for point in manifest.curve_for(task)
        ]
        return cls(task=task, threshold=manifest.threshold_for(task), curve=points)


class CertifiedGuarantee(BaseModel):
    """A guarantee that plans with a bundle can have, and what it cost at the sites that certified it."""

    guarantee: str = Field(description="Value of the option `guarantee` of a plan.", examples=["labels:0.05"])
    loss: Loss = Field(
        description="`labels`: labels lost against buying every patch; `objects`: objects missed."
    )
    at_most: float = Field(description="Largest loss of the mean site, a share from 0 to 1.")
    sure: float = Field(description="Probability with which that holds, from 0 to 1.")
    sites: int = Field(description="Number of sites that it was certified on.")
    task: Task = Field(description="Task of a plan with this guarantee.")
    threshold: float = Field(description="Utility in that task from which a patch is bought.")
    mean_patches: float = Field(description="Mean number of patches, of 16, bought per tile at those sites.")

    @classmethod
    def of(cls, one: Guarantee) -> "CertifiedGuarantee":
        """Write a guarantee of a manifest."""
        return cls(guarantee=f"{one.loss}:{one.at_most:g}", **asdict(one))


def guarantees_of(manifest: Manifest) -> tuple[Guarantee, ...]:
    """Return the guarantees of a bundle, by loss and share; a bundle that classifies has none."""
    certified = manifest.guarantees if isinstance(manifest, CountManifest) else ()
    return tuple(sorted(certified, key=lambda one: (one.loss, one.at_most)))


class BundleOut(BaseModel):
    """The card of a bundle: its manifest without the weights."""

    name: str = Field(description="Name of the bundle.")
    version: str = Field(description="Version of the bundle.")
    default: bool = Field(description="Whether plans use this bundle when they name none.")
    sha256: str = Field(description="SHA-256 of the manifest, which holds the digest of each weights file.")
    licence: str | None = Field(
        description="Licence of the training data, which binds the weights and labels made with them too. "
        "Null if the bundle states none."
    )
    kind: Kind = Field(description="`classify`: labels whole tiles; `count`: counts objects in patches.")
    objects: str | None = Field(description="Objects that are counted. Null for a bundle that counts none.")
    mode: str | None = Field(
        description="`paper`: as published; `product`: utilities are the expected loss saved per patch. Null "
        "for a bundle that counts."
    )
    classes: list[str] = Field(description="Class names, in the order of the classifier's outputs.")
    bands: list[str] = Field(description="Bands that the networks read, in order.")
    lr_size: int = Field(description="Low-resolution pixels along a side of a tile.")
    hr_size: int = Field(description="High-resolution pixels along a side of a tile.")
    tile_m: float = Field(description="Side of a tile on the ground, in metres.")
    lr_gsd_m: float = Field(description="Low-resolution ground sample distance, in metres.")
    hr_gsd_m: float = Field(description="High-resolution ground sample distance, in metres.")
    backbones: dict[str, str] = Field(description="Architecture of each network.")
    tasks: list[TaskOut] = Field(description="Tasks that a plan can pay for.")
    default_task: Task = Field(description="Task of plans that name none.")
    threshold: float = Field(description="Threshold of the default task.")
    curve: list[dict[str, float]] = Field(description="Curve of the default task.")
    guarantees: list[CertifiedGuarantee] = Field(
        description="Guarantees that a plan can have. Empty if the bundle certifies none."
    )
    second_look: bool = Field(
        description="Whether delivered patches revise what the bundle expects of the others, for a next "
        "round."
    )
    accuracy_source: str = Field(description="How the accuracy was measured.")
    evaluation: dict[str, Any] = Field(description="Evaluation report of the release.")
    data_digest: str = Field(description="Digest of the training data.")
    git_revision: str = Field(description="Revision of the code that trained the bundle.")

    @classmethod
    def of(cls, predictor: Predictor, *, default: bool) -> "BundleOut":
        """Write the card of a bundle that is held."""
        manifest = predictor.manifest
        shared = {name: getattr(manifest, name) for name in cls.model_fields if name in SHARED}
        tasks = [TaskOut.of(manifest, task) for task in manifest.tasks]
        chosen = TaskOut.of(manifest, manifest.default_task)
        return cls(
            **shared,
            **_of_kind(manifest),
            default=default,
            sha256=predictor.sha256,
            licence=manifest.licence or None,
            kind=manifest.kind,
            tasks=tasks,
            threshold=chosen.threshold,
            curve=chosen.curve,
            guarantees=[CertifiedGuarantee.of(one) for one in guarantees_of(manifest)],
            second_look=isinstance(manifest, CountManifest) and manifest.second_look is not None,
            accuracy_source=accuracy_source(predictor),
        )


SHARED = {field.name for field in fields(Manifest)} - {"licence"}
"""Fields of the card that every manifest has under the same name."""


def _of_kind(manifest: Manifest) -> dict[str, Any]:
    """Return the fields of the card that depend on the bundle's kind."""
    if isinstance(manifest, CountManifest):
        networks = {"policy": manifest.policy_backbone, "counter": manifest.counter_backbone}
        return {"objects": manifest.objects, "mode": None, "backbones": networks}
    if isinstance(manifest, ClassifyManifest):
        return {"objects": None, "mode": manifest.mode, "backbones": dict(manifest.backbones)}
    raise TypeError(f"no card describes {type(manifest).__name__}")
