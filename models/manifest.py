"""The manifest of a bundle: its networks, their inputs, and their measured accuracy."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from models.grid import GRID
from models.preprocess import Fill

Mode = Literal["paper", "product"]
NETWORKS = ("policy", "hr", "lr")
"""Keys of `backbones` and `input_sizes`; `<key>.safetensors` holds the weights."""

BANDS = ("red", "green", "blue")
FORMAT = 1
ADDED_LATER = {"doubt_exponent": 0.0}
"""JSON fields that the first bundles of this format lack, each with the value that its absence means."""
JSON_NAMES = {"uncertainty_exponent": "doubt_exponent"}
"""Fields whose JSON name is older than their name in Python; released manifests keep the JSON name."""


class BundleError(ValueError):
    """A manifest or a weights file that is malformed, or that does not belong to the others."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One threshold on the utilities, the mean number of patches it buys, and the accuracy of the labels."""

    threshold: float
    mean_patches: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Every property of a bundle except its weights. Sizes are in pixels, lengths in metres."""

    name: str
    version: str
    mode: Mode
    classes: tuple[str, ...]
    hr_size: int
    lr_size: int
    tile_m: float
    lr_gsd_m: float
    hr_gsd_m: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fill: Fill
    backbones: Mapping[str, str]
    input_sizes: Mapping[str, int]
    bands: tuple[str, ...] = BANDS
    policy_views: int = 1
    """Number of symmetries of the tile that the policy averages over, 1 to 8."""
    uncertainty_exponent: float = 0.0
    """Exponent of the LR stream's label uncertainty in a patch's score; 0 ignores the uncertainty."""
    fusion_exponent: float = 1.0
    temperature: float = 1.0
    threshold: float = 0.5
    curve: tuple[CurvePoint, ...] = ()
    curve_split: str = ""
    evaluation: Mapping[str, Any]
    data_digest: str
    git_revision: str
    weights: Mapping[str, str]
    """sha256 of each weights file, by file name; empty until the bundle is dumped."""
    format: int = FORMAT


def manifest_to_json(manifest: Manifest) -> str:
    """Return the canonical JSON text of a manifest: sorted keys, floats that read back exactly.

    The text must not change for a released manifest: a bundle's identity is its sha256.
    """
    document = {JSON_NAMES.get(name, name): value for name, value in asdict(manifest).items()}
    for name, unused in ADDED_LATER.items():
        if document[name] == unused:
            del document[name]  # a bundle released before this field existed keeps its digest
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_from_json(text: str) -> Manifest:
    """Read and check a manifest. Raise BundleError, naming the first field that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BundleError(f"The manifest is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise BundleError("The manifest is not a JSON object.")
    _check_keys(document)
    values: dict[str, Any] = {name: _read(name, value) for name, value in document.items()}
    for name, json_name in JSON_NAMES.items():
        if json_name in values:
            values[name] = values.pop(json_name)
    manifest = Manifest(**values)
    _check_sizes(manifest)
    return manifest


def _check_keys(document: dict[str, Any]) -> None:
    known = {JSON_NAMES.get(field.name, field.name) for field in fields(Manifest)}
    if missing := sorted(known - document.keys() - ADDED_LATER.keys()):
        raise BundleError(f"The manifest lacks the fields {', '.join(missing)}.")
    # An unknown field may change what the networks mean, so a newer bundle is refused, not half understood.
    if unknown := sorted(document.keys() - known):
        raise BundleError(f"The manifest has the unknown fields {', '.join(unknown)}.")


def _check_sizes(manifest: Manifest) -> None:
    size = manifest.hr_size
    if size % GRID:  # each of the 4 x 4 patches has a whole number of pixels
        raise BundleError(f"The manifest's hr_size of {size} px is not a multiple of {GRID}.")
    hr_input = manifest.input_sizes["hr"]
    if hr_input != size:  # TwoStreamClassifier feeds the composed tile to the HR stream without resizing it
        raise BundleError(f"The manifest's input_sizes hr of {hr_input} px differs from hr_size, {size} px.")
    if manifest.lr_size > size:
        raise BundleError(
            f"The manifest's lr_size of {manifest.lr_size} px is larger than hr_size, {size} px."
        )


def _read(name: str, value: Any) -> Any:
    try:
        return READERS[name](value)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"The manifest field {name} is wrong: {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a non-empty string")
    return value


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    return read


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        # bool is a subclass of int: isinstance would let `true` pass as 1.
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{value!r} is not an integer in {low}..{high}")
        return value

    return read


def _number(low: float, high: float, *, open_low: bool = False) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise ValueError(f"{value!r} is not a finite number")
        if not low <= value <= high or (open_low and value == low):
            raise ValueError(f"{value} is not in {low}..{high}")
        return float(value)

    return read


def _list_of(read: Callable[[Any], Any], low: int, high: int) -> Callable[[Any], tuple[Any, ...]]:
    def read_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise ValueError(f"expected a list of {low} to {high} items")
        return tuple(read(item) for item in value)

    return read_list


def _classes(value: Any) -> tuple[str, ...]:
    names = _list_of(_text, 2, 10_000)(value)
    if len(set(names)) != len(names):  # two outputs of the classifier would report as one class
        raise ValueError("a class is named twice")
    return names


def _per_network(read: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def read_networks(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or set(value) != set(NETWORKS):
            raise ValueError(f"expected exactly {', '.join(NETWORKS)}")
        return {key: read(value[key]) for key in NETWORKS}

    return read_networks


def _curve_point(value: Any) -> CurvePoint:
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(CurvePoint)}:
        raise ValueError("a curve point has threshold, mean_patches and accuracy")
    return CurvePoint(
        # 1.01 is the end of every curve: no utility reaches it, so nothing is bought.
        threshold=_number(0, 1.01)(value["threshold"]),
        mean_patches=_number(0, 16)(value["mean_patches"]),
        accuracy=_number(0, 1)(value["accuracy"]),
    )


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    return value


def _weights(value: Any) -> dict[str, str]:
    if set(_mapping(value)) != {f"{network}.safetensors" for network in NETWORKS}:
        raise ValueError(f"expected a sha256 for each of {', '.join(NETWORKS)}.safetensors")
    for digest in value.values():
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"{digest!r} is not a sha256 in hexadecimal")
    return dict(value)


def _bands(value: Any) -> tuple[str, ...]:
    if value != list(BANDS):
        raise ValueError(f"only {', '.join(BANDS)} are supported")
    return BANDS


POSITIVE = _number(0, 1e9, open_low=True)

READERS: dict[str, Callable[[Any], Any]] = {
    "name": _text,
    "version": _text,
    "mode": _one_of("paper", "product"),
    "classes": _classes,
    "hr_size": _integer(4, 4096),
    "lr_size": _integer(1, 1024),
    "tile_m": POSITIVE,
    "lr_gsd_m": POSITIVE,
    "hr_gsd_m": POSITIVE,
    "mean": _list_of(_number(-1e6, 1e6), 3, 3),
    "std": _list_of(POSITIVE, 3, 3),
    "fill": _one_of("zero", "lr"),
    "backbones": _per_network(_text),
    "input_sizes": _per_network(_integer(1, 4096)),
    "bands": _bands,
    "policy_views": _integer(1, 8),
    "doubt_exponent": _number(0, 100),
    "fusion_exponent": _number(0, 100, open_low=True),
    "temperature": _number(0, 100, open_low=True),
    "threshold": _number(0, 1),
    "curve": _list_of(_curve_point, 0, 1000),
    "curve_split": str,
    "evaluation": _mapping,
    "data_digest": str,
    "git_revision": str,
    "weights": _weights,
    "format": _integer(FORMAT, FORMAT),
}
