"""Manifests to and from JSON. A manifest from elsewhere is not trusted: every field is checked."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from itertools import pairwise
from typing import Any

from models.grid import GRID
from models.json_fields import Reader, one_of
from models.manifest import (
    BundleError,
    ClassifyManifest,
    CountManifest,
    Kind,
    Manifest,
    count_classes,
)
from models.manifest_fields import READERS

ADDED_LATER: dict[str, Any] = {
    "doubt_exponent": 0.0,
    "licence": "",
    "default_task": "label",
    "second_look": None,
    "guarantees": (),
}
"""JSON fields that the first bundles of this format lack, each with the value that its absence means."""
JSON_NAMES = {"uncertainty_exponent": "doubt_exponent"}
"""Fields whose JSON name is older than their name in Python; released manifests keep the JSON name."""
KINDS: dict[Kind, type[ClassifyManifest] | type[CountManifest]] = {
    "classify": ClassifyManifest,
    "count": CountManifest,
}


def manifest_to_json(manifest: Manifest) -> str:
    """Return the canonical JSON text of a manifest: sorted keys, floats that read back exactly.

    The text must not change for a released manifest: a bundle's identity is its sha256.
    """
    document = {JSON_NAMES.get(name, name): value for name, value in _plain(manifest).items()}
    for name, unused in ADDED_LATER.items():
        if name in document and document[name] == unused:
            del document[name]  # a bundle released before this field existed keeps its digest
    if manifest.kind != "classify":  # the only kind that the first bundles could have
        document["kind"] = manifest.kind
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as plain data; what it lacks is left out."""
    # A figure of a curve, a measured figure or the second look can be None.
    return asdict(
        manifest, dict_factory=lambda items: {key: value for key, value in items if value is not None}
    )


def manifest_from_json(content: str) -> ClassifyManifest | CountManifest:
    """Read and check a manifest. Raise BundleError, naming the first field that is wrong."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"The manifest is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise BundleError("The manifest is not a JSON object.")
    kind = _read("kind", one_of(*KINDS), document.pop("kind", "classify"))
    made = KINDS[kind]
    _check_keys(document, made)
    values = {name: _read(name, READERS[kind][name], value) for name, value in document.items()}
    for name, json_name in JSON_NAMES.items():
        if json_name in values:
            values[name] = values.pop(json_name)
    manifest = made(**values)
    _check_shared(manifest)
    if isinstance(manifest, CountManifest):
        _check_counting(manifest)
    else:
        _check_classifying(manifest)
    return manifest


def _check_keys(document: Mapping[str, Any], made: type[Manifest]) -> None:
    known = {JSON_NAMES.get(field.name, field.name) for field in fields(made)}
    if missing := sorted(known - document.keys() - ADDED_LATER.keys()):
        raise BundleError(f"The manifest lacks the fields {', '.join(missing)}.")
    # An unknown field may change what the networks mean, so a newer bundle is refused, not half understood.
    if unknown := sorted(document.keys() - known):
        raise BundleError(f"The manifest has the unknown fields {', '.join(unknown)}.")


def _check_shared(manifest: Manifest) -> None:
    if manifest.hr_size % GRID:  # each of the 4 x 4 patches has a whole number of pixels
        raise BundleError(f"The manifest's hr_size of {manifest.hr_size} px is not a multiple of {GRID}.")
    if manifest.lr_size > manifest.hr_size:
        raise BundleError(
            f"The manifest's lr_size of {manifest.lr_size} px is larger than hr_size, {manifest.hr_size} px."
        )
    if manifest.default_task not in manifest.tasks:
        raise BundleError(
            f"The manifest's default_task {manifest.default_task} is not one of its tasks, "
            f"{', '.join(manifest.tasks)}."
        )
    files = {f"{network}.safetensors" for network in manifest.networks}
    if manifest.weights.keys() != files:
        raise BundleError(
            f"The manifest field weights is wrong: expected a sha256 for each of {', '.join(sorted(files))}."
        )


def _check_classifying(manifest: ClassifyManifest) -> None:
    hr_input = manifest.input_sizes["hr"]
    if hr_input != manifest.hr_size:  # TwoStreamClassifier feeds the composed tile unresized
        raise BundleError(
            f"The manifest's input_sizes hr of {hr_input} px differs from hr_size, {manifest.hr_size} px."
        )


def _check_counting(manifest: CountManifest) -> None:
    if manifest.lr_size % GRID:  # the policy pools its features to patches of whole pixels
        raise BundleError(f"The manifest's lr_size of {manifest.lr_size} px is not a multiple of {GRID}.")
    if any(low >= high for low, high in pairwise(manifest.bins)):
        raise BundleError(f"The manifest's bins {', '.join(map(str, manifest.bins))} do not rise.")
    if manifest.classes != (expected := count_classes(manifest.bins)):
        raise BundleError(
            f"The manifest's classes are {', '.join(manifest.classes)}; its bins make {', '.join(expected)}."
        )
    _check_guarantees(manifest)


def _check_guarantees(manifest: CountManifest) -> None:
    promised = [(guarantee.loss, guarantee.at_most) for guarantee in manifest.guarantees]
    for loss, at_most in promised:
        if promised.count((loss, at_most)) > 1:  # a plan could not tell which threshold is meant
            raise BundleError(f"The manifest has the guarantee {loss} of at most {at_most:g} twice.")
    if missing := {guarantee.task for guarantee in manifest.guarantees} - set(manifest.tasks):
        raise BundleError(
            f"The manifest's guarantees are on the task {', '.join(sorted(missing))}; its tasks are "
            f"{', '.join(manifest.tasks)}."
        )


def _read(name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BundleError(f"The manifest field {name} is wrong: {error}.") from error
