"""A bundle's policy, two-stream classifier and manifest, to and from bytes.

A bundle is `manifest.json` and one safetensors file per network; nothing is ever unpickled.
This module maps file names to bytes, and its callers read and write the files.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from models.backbones import build_backbone
from models.manifest import (
    NETWORKS,
    BundleError,
    CurvePoint,
    Manifest,
    manifest_from_json,
    manifest_to_json,
)
from models.policy import PolicyConfig, PolicyNetwork, utilities
from models.two_stream import TwoStreamClassifier

__all__ = [
    "MANIFEST",
    "Bundle",
    "BundleError",
    "CurvePoint",
    "Manifest",
    "build_bundle",
    "dump_bundle",
    "load_bundle",
    "manifest_from_json",
    "manifest_to_json",
]

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Bundle:
    """Networks in float32 and evaluation mode, with their manifest."""

    manifest: Manifest
    policy: PolicyNetwork
    classifier: TwoStreamClassifier

    @property
    def sha256(self) -> str:
        """The digest of the manifest as dumped; it covers the weights, whose digests the manifest holds."""
        return hashlib.sha256(manifest_to_json(self.manifest).encode()).hexdigest()

    def utilities(self, lr: Tensor) -> Tensor:
        """Return the utilities (B, 16), each in 0..1, of normalised LR tiles (B, 3, h, h)."""
        # An exponent of 0 needs no LR stream, whose pass would only cost time.
        coarse = self.classifier.coarse(lr) if self.policy.config.uncertainty_exponent else None
        return utilities(self.policy(lr, coarse))


def build_bundle(manifest: Manifest) -> Bundle:
    """Build the networks that a manifest describes, with random weights.

    Raise BundleError on an unknown backbone.
    """
    classes = len(manifest.classes)
    try:
        policy = PolicyNetwork(
            PolicyConfig(
                backbone=manifest.backbones["policy"],
                input_size=manifest.input_sizes["policy"],
                views=manifest.policy_views,
                head="independent" if manifest.mode == "paper" else "diminishing",
                uncertainty_exponent=manifest.uncertainty_exponent,
            )
        )
        hr = build_backbone(manifest.backbones["hr"], classes)
        lr = build_backbone(manifest.backbones["lr"], classes)
    except ValueError as error:
        raise BundleError(str(error)) from error
    classifier = TwoStreamClassifier(
        hr,
        lr,
        lr_input_size=manifest.input_sizes["lr"],
        fill=manifest.fill,
        fusion_exponent=manifest.fusion_exponent,
        temperature=manifest.temperature,
    )
    return Bundle(manifest, policy.eval(), classifier.eval())


def load_bundle(files: Mapping[str, bytes]) -> Bundle:
    """Load a bundle from its files by name, on the CPU in float32.

    Files other than `manifest.json` and its `*.safetensors` are ignored.
    Raise BundleError if a file is missing, altered or malformed.
    """
    if MANIFEST not in files:
        raise BundleError(f"The bundle lacks {MANIFEST}.")
    try:
        manifest = manifest_from_json(files[MANIFEST].decode())
    except UnicodeDecodeError as error:
        raise BundleError(f"{MANIFEST} is not UTF-8.") from error
    bundle = build_bundle(manifest)
    for network, module in _modules(bundle).items():
        name = f"{network}.safetensors"
        _fill(module, name, _verified(files, name, manifest.weights[name]))
    return bundle


def dump_bundle(bundle: Bundle, **changes: Any) -> dict[str, bytes]:
    """Return the files of a bundle by name; `changes` replace fields of its manifest.

    The manifest's digests of the weights are computed here.
    """
    files = {
        f"{network}.safetensors": save_tensors(
            {key: _stored(value) for key, value in module.state_dict().items()}
        )
        for network, module in _modules(bundle).items()
    }
    weights = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = replace(bundle.manifest, **changes, weights=weights)
    return {MANIFEST: manifest_to_json(manifest).encode(), **files}


def _modules(bundle: Bundle) -> dict[str, nn.Module]:
    modules = (bundle.policy, bundle.classifier.hr, bundle.classifier.lr)
    return dict(zip(NETWORKS, modules, strict=True))


def _stored(value: Tensor) -> Tensor:
    kept = value.detach().cpu()
    if kept.is_floating_point():
        # Vectors (biases, batch norm) stay in fp32: a variance may leave the range of fp16.
        kept = kept.to(torch.float16 if kept.ndim > 1 else torch.float32)
    return kept.contiguous()  # safetensors refuses strided views, such as channels_last kernels


def _verified(files: Mapping[str, bytes], name: str, digest: str) -> bytes:
    if name not in files:
        raise BundleError(f"The bundle lacks {name}.")
    if hashlib.sha256(files[name]).hexdigest() != digest:
        raise BundleError(f"The sha256 of {name} differs from the manifest's.")
    return files[name]


def _fill(module: nn.Module, name: str, content: bytes) -> None:
    try:
        stored = load_tensors(content)  # never torch.load: a pickle runs code when it is read
        state = {key: _loaded(value) for key, value in stored.items()}
        module.load_state_dict(state, strict=True)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise BundleError(f"{name} does not hold the network that the manifest describes: {error}") from error


def _loaded(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    single = value.to(torch.float32)
    # One NaN would make every utility NaN, and a comparison with NaN silently buys nothing.
    if not bool(torch.isfinite(single).all()):
        raise ValueError("A weight is not finite.")
    return single
