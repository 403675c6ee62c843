"""Readers of the JSON fields of manifests, by kind of bundle: each checks its own field."""

from typing import Any, get_args

from models.fusion import Fusion
from models.grid import PATCHES
from models.json_fields import (
    Reader,
    any_text,
    exactly,
    integer,
    list_of,
    mapping,
    number,
    one_of,
    record,
    sha256,
    short_text,
    text,
)
from models.manifest import BANDS, FORMAT, CurvePoint, Guarantee, Kind, Loss, ValueCurve
from models.second_look import SecondLook
from models.symmetry import SYMMETRIES
from models.tasks import Task

MOST_MEMBERS = 8
"""Most policies in an ensemble: each is built before its weights are checked."""
MOST_NAME = 99
"""Most characters of a name and of a version: requests name a bundle as name@version in 200."""


def _classes(value: Any) -> tuple[str, ...]:
    names = list_of(text, 2, 10_000)(value)
    if len(set(names)) != len(names):  # two outputs of the classifier would report as one class
        raise ValueError("a class is named twice")
    return names


def _bands(value: Any) -> tuple[str, ...]:
    if value != list(BANDS):
        raise ValueError(f"only {', '.join(BANDS)} are supported")
    return BANDS


_POSITIVE = number(0, 1e9, open_low=True)
_CLASSIFY_POINT = record(
    "a curve point",
    CurvePoint,
    {
        # 1.01 is the end of every curve: no utility reaches it, so nothing is bought.
        "threshold": number(0, 1.01),
        "mean_patches": number(0, PATCHES),
        "accuracy": number(0, 1),
    },
)
_COUNT_POINT = record(
    "a curve point",
    CurvePoint,
    {
        "threshold": number(0, 1e9),
        "mean_patches": number(0, PATCHES),
        "accuracy": number(0, 1),
        "found": number(0, 1),
        "count_error": number(0, 1e9),
    },
)


_VALUE_CURVE = record(
    "a task",
    ValueCurve,
    {"threshold": number(0, 1e9), "curve": list_of(_COUNT_POINT, 0, 1000)},
)


def _values(value: Any) -> dict[Task, ValueCurve]:
    offered = mapping(value)
    tasks: tuple[Task, ...] = get_args(Task)
    if not offered or not offered.keys() <= set(tasks):
        raise ValueError(f"expected an object with some of {', '.join(tasks)}")
    return {task: _VALUE_CURVE(offered[task]) for task in tasks if task in offered}


_COEFFICIENTS = list_of(number(-100, 100), 3, 3)
_FUSION = record("a fusion", Fusion, {"mean": _COEFFICIENTS, "dispersion": _COEFFICIENTS})
_SECOND_LOOK = record(
    "a second look",
    SecondLook,
    {
        "near": number(0, 1e4, open_low=True),
        "prior": number(0, 1e9, open_low=True),
        "far_share": number(0, 1),
        "discount": number(0, 1e9),
        "before": number(0, 1),
    },
)
_GUARANTEE = record(
    "a guarantee",
    Guarantee,
    {
        "loss": one_of(*get_args(Loss)),
        "at_most": number(0, 1, open_low=True),
        "sure": number(0, 1, open_low=True),
        "sites": integer(1, 1_000_000),
        "task": one_of(*get_args(Task)),
        "threshold": number(0, 1e9),
        "mean_patches": number(0, PATCHES),
    },
)

_SHARED: dict[str, Reader] = {
    "name": short_text(MOST_NAME),
    "version": short_text(MOST_NAME),
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
        "fusion": _FUSION,
        "second_look": _SECOND_LOOK,
        "guarantees": list_of(_GUARANTEE, 0, 100),
    },
}
"""Reader of each JSON field, by kind of bundle."""
