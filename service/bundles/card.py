"""The served bundle's card, and the checks that a request and a plan mean that bundle."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from models.manifest import Manifest
from service.bundles.predictor import Predictor
from service.errors import ConflictError, InvalidInputError


class BundleUnknownError(InvalidInputError):
    """The request insists on a bundle that this server does not serve."""

    code = "bundle-unknown"
    title = "This bundle is not served here"


class BundleChangedError(ConflictError):
    """The plan was made with another bundle than the one served now."""

    code = "bundle-changed"
    title = "The plan's bundle is no longer served"


def identify(predictor: Predictor) -> dict[str, Any]:
    """Return the name, version and sha256 of the served bundle, as a plan stores them."""
    manifest = predictor.manifest
    return {"name": manifest.name, "version": manifest.version, "sha256": predictor.sha256}


def check_served(wanted: str | None, predictor: Predictor) -> None:
    """Raise BundleUnknownError unless `wanted` is None or names the served bundle.

    A bundle is named by its name, by name@version, or by its sha256.
    """
    served = identify(predictor)
    version = f"{served['name']}@{served['version']}"
    if wanted is not None and wanted not in (served["name"], version, served["sha256"]):
        raise BundleUnknownError(
            f"The request asks for the bundle {wanted!r}, but this server serves {version}.",
            bundle=wanted,
            served=served,
        )


def check_same_bundle(provenance: Mapping[str, Any], predictor: Predictor) -> None:
    """Raise BundleChangedError unless the plan's own bundle is the one served."""
    bundle = provenance["bundle"]
    if bundle["sha256"] != predictor.sha256:
        raise BundleChangedError(
            f"The plan was made with {bundle['name']} {bundle['version']}, which is no longer served. "
            "Plan the scene again.",
            bundle=bundle,
        )


def accuracy_source(predictor: Predictor) -> str:
    """Describe how a bundle's accuracy figures were measured, and what they do not promise."""
    manifest = predictor.manifest
    name = f"{manifest.name} {manifest.version}"
    if not manifest.curve:
        return f"The bundle {name} was released without an evaluation curve."
    where = manifest.curve_split or "an evaluation set it does not name"
    return (
        f"Accuracy is what the bundle {name} reached on {where} when only patches above the threshold were "
        "bought. It is no promise for this scene."
    )


def images_measured(manifest: Manifest) -> int | None:
    """Return the number of images that the curve was measured on; None if the evaluation omits it."""
    split = manifest.evaluation.get(manifest.curve_split)
    images = split.get("images") if isinstance(split, Mapping) else None
    return images if isinstance(images, int) and images > 0 else None


class BundleOut(BaseModel):
    """The card of a bundle: its manifest without the weights."""

    name: str = Field(description="Name of the bundle.")
    version: str = Field(description="Version of the bundle.")
    sha256: str = Field(description="SHA-256 of the manifest, which holds the digest of each weights file.")
    mode: str = Field(
        description="`paper`: as published; `product`: utilities are the expected loss saved per patch."
    )
    classes: list[str] = Field(description="Class names, in the order of the classifier's outputs.")
    bands: list[str] = Field(description="Bands that the networks read, in order.")
    lr_size: int = Field(description="Low-resolution pixels along a side of a tile.")
    hr_size: int = Field(description="High-resolution pixels along a side of a tile.")
    tile_m: float = Field(description="Side of a tile on the ground, in metres.")
    lr_gsd_m: float = Field(description="Low-resolution ground sample distance, in metres.")
    hr_gsd_m: float = Field(description="High-resolution ground sample distance, in metres.")
    threshold: float = Field(description="Utility from which the objective `policy` buys a patch.")
    backbones: dict[str, str] = Field(description="Architecture of each network.")
    curve: list[dict[str, float]] = Field(
        description="Evaluation by threshold: `threshold`, `mean_patches` bought per tile, and `accuracy`, "
        "the share of tiles classified correctly."
    )
    accuracy_source: str = Field(description="How the accuracy was measured.")
    evaluation: dict[str, Any] = Field(description="Evaluation report of the release.")
    data_digest: str = Field(description="Digest of the training data.")
    git_revision: str = Field(description="Revision of the code that trained the bundle.")

    @classmethod
    def of(cls, predictor: Predictor) -> "BundleOut":
        """Write the served bundle."""
        manifest = predictor.manifest
        copied = {
            name: getattr(manifest, name)
            for name in cls.model_fields
            if name not in {"sha256", "curve", "accuracy_source"}
        }
        curve = [
            {"threshold": point.threshold, "mean_patches": point.mean_patches, "accuracy": point.accuracy}
            for point in manifest.curve
        ]
        return cls(**copied, sha256=predictor.sha256, curve=curve, accuracy_source=accuracy_source(predictor))
