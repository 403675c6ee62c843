"""The manifest of a bundle: what the networks are, what they expect, and how well they were measured."""

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
"""Fields that the first bundles of this format lack, and what their absence means."""


class BundleError(ValueError):
    """A bundle's manifest or weights are malformed, or do not belong together."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What one threshold on the utilities buys, on average, and how accurate the labels then are."""

    threshold: float
    mean_patches: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything about a bundle except its weights. Sizes in pixels, lengths in metres."""

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
    """Symmetries of the tile that the policy averages over, 1 to 8."""
    doubt_exponent: float = 0.0
    """Of the LR stream's doubt in a patch's worth; 0, as in bundles from before it, leaves it out."""
    fusion_exponent: float = 1.0
    temperature: float = 1.0
    threshold: float = 0.5
    curve: tuple[CurvePoint, ...] = ()
    curve_split: str = ""
    evaluation: Mapping[str, Any]
    data_digest: str
    git_revision: str
    weights: Mapping[str, str]
    """sha256 of each weights file, by file name. Empty until the bundle is dumped."""
    format: int = FORMAT


def manifest_to_json(manifest: Manifest) -> str:
    """One text for one manifest: sorted keys, floats that read back exactly."""
    document = asdict(manifest)
    for name, unused in ADDED_LATER.items():
        if document[name] == unused:
            del document[name]  # so that a bundle from before keeps its digest
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_from_json(text: str) -> Manifest:
    """Read and check a manifest. BundleError names the first field that is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BundleError(f"manifest is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BundleError("manifest is not a JSON object")
    _check_keys(document)
    manifest = Manifest(**{name: _read(name, value) for name, value in document.items()})
    _check_sizes(manifest)
    return manifest


def _check_keys(document: dict[str, Any]) -> None:
    known = {field.name for field in fields(Manifest)}
    if missing := sorted(known - document.keys() - ADDED_LATER.keys()):
        raise BundleError(f"manifest lacks {', '.join(missing)}")
    if unknown := sorted(document.keys() - known):
        raise BundleError(f"manifest has unknown fields {', '.join(unknown)}")


def _check_sizes(manifest: Manifest) -> None:
    if manifest.hr_size % GRID:
        raise BundleError(f"hr_size {manifest.hr_size} is not a multiple of {GRID}")
    if manifest.input_sizes["hr"] != manifest.hr_size:
        raise BundleError(f"input_sizes hr {manifest.input_sizes['hr']} is not hr_size {manifest.hr_size}")
    if manifest.lr_size > manifest.hr_size:
        raise BundleError(f"lr_size {manifest.lr_size} is larger than hr_size {manifest.hr_size}")


def _read(name: str, value: Any) -> Any:
    try:
        return READERS[name](value)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"manifest field {name}: {error}") from error


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
    if len(set(names)) != len(names):
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
