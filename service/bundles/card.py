"""The served bundle's card."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from models.manifest import Manifest
from service.bundles.predictor import Predictor
from service.errors import ConflictError


class BundleChangedError(ConflictError):
    """The plan was made with another bundle than the one served now."""

    code = "bundle-changed"
    title = "The plan's bundle is not served any more"


def check_same_bundle(provenance: Mapping[str, Any], predictor: Predictor) -> None:
    """Raise BundleChangedError unless the plan's own bundle is the one served."""
    bundle = provenance["bundle"]
    if bundle["sha256"] != predictor.sha256:
        raise BundleChangedError(
            f"the plan was made with {bundle['name']} {bundle['version']}, which is not served any more; "
            "plan the scene again",
            bundle=bundle,
        )


def accuracy_source(predictor: Predictor) -> str:
    """Say where a bundle's accuracy figures come from, and what they are not."""
    manifest = predictor.manifest
    name = f"{manifest.name} {manifest.version}"
    if not manifest.curve:
        return f"The bundle {name} was released without an evaluation curve."
    where = manifest.curve_split or "an evaluation set it does not name"
    return (
        f"Accuracy is what the bundle {name} reached on {where} when only patches above the threshold were "
        "bought; it is no promise for this scene."
    )


def images_measured(manifest: Manifest) -> int | None:
    """How many images the curve was measured on; None where the evaluation does not say."""
    split = manifest.evaluation.get(manifest.curve_split)
    images = split.get("images") if isinstance(split, Mapping) else None
    return images if isinstance(images, int) and images > 0 else None


class BundleOut(BaseModel):
    """A bundle's card: its manifest without the weights."""

    name: str
    version: str
    sha256: str
    mode: str
    classes: list[str]
    bands: list[str]
    lr_size: int = Field(description="low-resolution pixels along a tile")
    hr_size: int = Field(description="high-resolution pixels along a tile")
    tile_m: float
    lr_gsd_m: float
    hr_gsd_m: float
    threshold: float = Field(description="the utility from which the objective `policy` buys")
    backbones: dict[str, str]
    curve: list[dict[str, float]] = Field(description="threshold, mean patches bought, accuracy")
    accuracy_source: str
    evaluation: dict[str, Any]
    data_digest: str
    git_revision: str

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
