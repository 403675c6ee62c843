"""Bundles: networks and their manifest, to and from bytes.

A bundle is `manifest.json` and one safetensors file per network; nothing is ever unpickled.
This module maps file names to bytes, and its callers read and write the files.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

from torch import Tensor, nn

from models.backbones import build_backbone
from models.counts import Counts, mixture
from models.grid import GRID
from models.manifest import BundleError, ClassifyManifest, CountManifest, CurvePoint, Kind, Manifest
from models.manifest_json import manifest_from_json, manifest_to_json
from models.patch_counter import PatchCounter, PatchCounterConfig
from models.policy import PolicyConfig, PolicyNetwork, utilities
from models.scene_policy import ScenePolicy, ScenePolicyConfig
from models.two_stream import TwoStreamClassifier
from models.weights import dump_weights, fill_weights

__all__ = [
    "MANIFEST",
    "Bundle",
    "BundleError",
    "ClassifyBundle",
    "ClassifyManifest",
    "CountBundle",
    "CountManifest",
    "CurvePoint",
    "Manifest",
    "build_bundle",
    "check_files",
    "dump_bundle",
    "load_bundle",
    "manifest_from_json",
    "manifest_sha256",
    "manifest_to_json",
]

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle(ABC):
    """Networks in float32 and evaluation mode, with their manifest."""

    manifest: Manifest

    @property
    def sha256(self) -> str:
        """The digest of the manifest as dumped; it covers the weights, whose digests the manifest holds."""
        return manifest_sha256(self.manifest)

    @property
    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """The networks by name; `<name>.safetensors` holds the weights."""


@dataclass(frozen=True)
class ClassifyBundle(Bundle):
    """A policy of tiles and a two-stream classifier."""

    manifest: ClassifyManifest
    policy: PolicyNetwork
    classifier: TwoStreamClassifier

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The policy and the two streams."""
        modules = (self.policy, self.classifier.hr, self.classifier.lr)
        return dict(zip(self.manifest.networks, modules, strict=True))

    def utilities(self, lr: Tensor) -> Tensor:
        """Return the utilities (B, 16), each in 0..1, of normalised LR tiles (B, 3, h, h)."""
        # An exponent of 0 needs no LR stream, whose pass would only cost time.
        coarse = self.classifier.coarse(lr) if self.policy.config.uncertainty_exponent else None
        return utilities(self.policy(lr, coarse))


@dataclass(frozen=True)
class CountBundle(Bundle):
    """An ensemble of policies of scenes, and a counter of bought patches."""

    manifest: CountManifest
    policies: tuple[ScenePolicy, ...]
    counter: PatchCounter

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The policies of the ensemble and the counter."""
        return dict(zip(self.manifest.networks, (*self.policies, self.counter), strict=True))

    def expect(self, lr: Tensor) -> Counts:
        """Return the counts (B, R, C) expected in the patches of normalised LR scenes.

        The scenes are (B, 3, R * lr_size / 4, C * lr_size / 4).
        """
        return mixture([policy(lr) for policy in self.policies])

    def read(self, hr: Tensor) -> Tensor:
        """Return the readings (N,) of normalised HR patches, as PatchCounter takes them."""
        reading: Tensor = self.counter(hr)
        return reading


def manifest_sha256(manifest: Manifest) -> str:
    """Return the digest that identifies a bundle."""
    return hashlib.sha256(manifest_to_json(manifest).encode()).hexdigest()


@overload
def build_bundle(manifest: ClassifyManifest) -> ClassifyBundle: ...
@overload
def build_bundle(manifest: CountManifest) -> CountBundle: ...
def build_bundle(manifest: ClassifyManifest | CountManifest) -> ClassifyBundle | CountBundle:
    """Build the networks that a manifest describes, with random weights.

    Raise BundleError on an unknown backbone or an impossible size.
    """
    try:
        if isinstance(manifest, CountManifest):
            return _counting(manifest)
        return _classifying(manifest)
    except ValueError as error:
        raise BundleError(str(error)) from error


def _classifying(manifest: ClassifyManifest) -> ClassifyBundle:
    classes = len(manifest.classes)
    policy = PolicyNetwork(
        PolicyConfig(
            backbone=manifest.backbones["policy"],
            input_size=manifest.input_sizes["policy"],
            views=manifest.policy_views,
            head="independent" if manifest.mode == "paper" else "diminishing",
            uncertainty_exponent=manifest.uncertainty_exponent,
        )
    )
    classifier = TwoStreamClassifier(
        build_backbone(manifest.backbones["hr"], classes),
        build_backbone(manifest.backbones["lr"], classes),
        lr_input_size=manifest.input_sizes["lr"],
        fill=manifest.fill,
        fusion_exponent=manifest.fusion_exponent,
        temperature=manifest.temperature,
    )
    return ClassifyBundle(manifest, policy.eval(), classifier.eval())


def _counting(manifest: CountManifest) -> CountBundle:
    look = ScenePolicyConfig(
        backbone=manifest.policy_backbone, patch_px=manifest.lr_size // GRID, views=manifest.views
    )
    policies = tuple(ScenePolicy(look).eval() for _ in range(manifest.members))
    counter = PatchCounter(
        PatchCounterConfig(backbone=manifest.counter_backbone, patch_px=manifest.hr_size // GRID)
    )
    return CountBundle(manifest, policies, counter.eval())


def check_files(files: Mapping[str, bytes]) -> ClassifyManifest | CountManifest:
    """Return the manifest of a bundle whose weights have the digests that it states. Builds no network.

    Files other than `manifest.json` and the weights that it names are ignored.
    Raise BundleError if a file is missing, altered or malformed.
    """
    if MANIFEST not in files:
        raise BundleError(f"The bundle lacks {MANIFEST}.")
    try:
        manifest = manifest_from_json(files[MANIFEST].decode())
    except UnicodeDecodeError as error:
        raise BundleError(f"{MANIFEST} is not UTF-8.") from error
    for name, digest in manifest.weights.items():
        _check_digest(files, name, digest)
    return manifest


@overload
def load_bundle(files: Mapping[str, bytes]) -> ClassifyBundle | CountBundle: ...
@overload
def load_bundle(files: Mapping[str, bytes], kind: Literal["classify"]) -> ClassifyBundle: ...
@overload
def load_bundle(files: Mapping[str, bytes], kind: Literal["count"]) -> CountBundle: ...
def load_bundle(files: Mapping[str, bytes], kind: Kind | None = None) -> ClassifyBundle | CountBundle:
    """Load a bundle from its files by name, on the CPU in float32.

    Raise BundleError as `check_files` does, and if the bundle is not of the kind given.
    """
    manifest = check_files(files)
    if kind not in (None, manifest.kind):
        raise BundleError(
            f"The bundle {manifest.name} {manifest.version} is of kind {manifest.kind}; one of kind {kind} "
            "is needed."
        )
    bundle = build_bundle(manifest)
    for network, module in bundle.networks.items():
        name = f"{network}.safetensors"
        fill_weights(module, name, files[name])
    return bundle


def dump_bundle(bundle: Bundle, **changes: Any) -> dict[str, bytes]:
    """Return the files of a bundle by name; `changes` replace fields of its manifest.

    The manifest's digests of the weights are computed here.
    """
    files = {f"{name}.safetensors": dump_weights(module) for name, module in bundle.networks.items()}
    weights = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = replace(bundle.manifest, **changes, weights=weights)
    return {MANIFEST: manifest_to_json(manifest).encode(), **files}


def _check_digest(files: Mapping[str, bytes], name: str, digest: str) -> None:
    if name not in files:
        raise BundleError(f"The bundle lacks {name}.")
    if hashlib.sha256(files[name]).hexdigest() != digest:
        raise BundleError(f"The sha256 of {name} differs from the manifest's.")
