"""Manifests to and from JSON. A manifest from elsewhere is not trusted: every field is checked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from itertools import pairwise
from typing import Any, get_args

from models.grid import GRID, PATCHES
from models.json_fields import (
    Reader,
    any_text,
    exactly,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    sha256,
    text,
)
from models.manifest import (
    BANDS,
    FORMAT,
    BundleError,
    ClassifyManifest,
    CountManifest,
    CurvePoint,
    Kind,
    Manifest,
    Task,
    ValueCurve,
    count_classes,
)
from models.symmetry import SYMMETRIES

MOST_MEMBERS = 8
"""Most policies in an ensemble: each is built before its weights are checked."""
ADDED_LATER = {"doubt_exponent": 0.0, "licence": "", "default_task": "label"}
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
        if document.get(name) == unused:
            del document[name]  # a bundle released before this field existed keeps its digest
    if manifest.kind != "classify":  # the only kind that the first bundles could have
        document["kind"] = manifest.kind
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _plain(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as plain data; a figure that a curve lacks is left out."""
    # Only the two figures of CurvePoint can be None.
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


def _read(name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BundleError(f"The manifest field {name} is wrong: {error}.") from error


def _classes(value: Any) -> tuple[str, ...]:
    names = list_of(text, 2, 10_000)(value)
    if len(set(names)) != len(names):  # two outputs of the classifier would report as one class
        raise ValueError("a class is named twice")
    return names


def _bands(value: Any) -> tuple[str, ...]:
    if value != list(BANDS):
        raise ValueError(f"only {', '.join(BANDS)} are supported")
    return BANDS


def _point(figures: Mapping[str, Reader]) -> Callable[[Any], CurvePoint]:
    """Return a reader of a curve point with some figures, each with its reader."""

    def read(value: Any) -> CurvePoint:
        if not isinstance(value, dict) or value.keys() != figures.keys():
            *most, last = figures
            raise ValueError(f"a curve point has {', '.join(most)} and {last}")
        return CurvePoint(**{name: one(value[name]) for name, one in figures.items()})

    return read


_POSITIVE = number(0, 1e9, open_low=True)
_CLASSIFY_POINT = _point(
    {
        # 1.01 is the end of every curve: no utility reaches it, so nothing is bought.
        "threshold": number(0, 1.01),
        "mean_patches": number(0, PATCHES),
        "accuracy": number(0, 1),
    }
)
_COUNT_POINT = _point(
    {
        "threshold": number(0, 1e9),
        "mean_patches": number(0, PATCHES),
        "accuracy": number(0, 1),
        "found": number(0, 1),
        "count_error": number(0, 1e9),
    }
)


def _values(value: Any) -> dict[Task, ValueCurve]:
    offered = mapping(value)
    tasks: tuple[Task, ...] = get_args(Task)
    if not offered or not offered.keys() <= set(tasks):
        raise ValueError(f"expected an object with some of {', '.join(tasks)}")
    return {task: _value_curve(offered[task]) for task in tasks if task in offered}


def _value_curve(value: Any) -> ValueCurve:
    if not isinstance(value, dict) or value.keys() != {"threshold", "curve"}:
        raise ValueError("a task has threshold and curve")
    return ValueCurve(
        threshold=number(0, 1e9)(value["threshold"]), curve=list_of(_COUNT_POINT, 0, 1000)(value["curve"])
    )


_SHARED: dict[str, Reader] = {
    "name": text,
    "version": text,
    "classes": _classes,
    "hr_size": integer(4, 4096),
    "lr_size": integer(1, 1024),
    "tile_m": _POSITIVE,
    "lr_gsd_m": _POSITIVE,
    "hr_gsd_m": _POSITIVE,
    "mean": list_of(number(-1e6, 1e6), 3, 3),
    "std": list_of(_POSITIVE, 3, 3),
    "bands": _bands,
    "curve_split": any_text,
    "default_task": one_of(*get_args(Task)),
    "licence": any_text,
    "evaluation": mapping,
    "data_digest": any_text,
    "git_revision": any_text,
    "weights": lambda value: {name: sha256(digest) for name, digest in mapping(value).items()},
    "format": integer(FORMAT, FORMAT),
}
_NETWORKS = ("policy", "hr", "lr")
READERS: dict[Kind, dict[str, Reader]] = {
    "classify": {
        **_SHARED,
        "mode": one_of("paper", "product"),
        "fill": one_of("zero", "lr"),
        "backbones": exactly(_NETWORKS, text),
        "input_sizes": exactly(_NETWORKS, integer(1, 4096)),
        "policy_views": integer(1, SYMMETRIES),
        "doubt_exponent": number(0, 100),
        "fusion_exponent": number(0, 100, open_low=True),
        "temperature": number(0, 100, open_low=True),
        "threshold": number(0, 1),
        "curve": list_of(_CLASSIFY_POINT, 0, 1000),
    },
    "count": {
        **_SHARED,
        "objects": text,
        "bins": list_of(integer(1, 1_000), 1, 100),
        "policy_backbone": text,
        "counter_backbone": text,
        "members": integer(1, MOST_MEMBERS),
        "views": integer(1, SYMMETRIES),
        "values": _values,
    },
}
"""Reader of each JSON field, by kind of bundle."""
