"""Measurement of a counting bundle: each task's operating point and curve, Fixed-H beside them, calibration.

Every figure is rounded, so that measuring again on another machine gives the card. Intervals are those of a
bootstrap over sites, with 95 %.
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from models.bundle import CountBundle
from models.fixed_orders import FIXED_H
from models.grid import PATCHES
from models.manifest import CountManifest, CurvePoint, Guarantee
from models.tasks import Task
from training.data.object_scenes import ObjectScenes
from training.methods.baselines import fixed_masks
from training.objects.counter import read_patches
from training.objects.guarantee import Losses
from training.objects.maps import maps_of, tiles_of
from training.objects.outcome import answers, bootstrap, count_error, found, labels_right
from training.objects.policy import expected_counts
from training.objects.presence import presence_auc
from training.objects.promises import task_values
from training.objects.site_losses import site_losses
from training.objects.tiles import ObjectTiles
from training.product.measure import TABLE_PATCHES

COVERAGES = (0.8, 0.95)
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a choice of patches in each tile, float64 (N,)."""

    patches: Tensor
    found: Tensor
    right: Tensor
    error: Tensor

    @classmethod
    def of(cls, tiles: ObjectTiles, bought: Tensor, bins: tuple[int, ...]) -> "Outcome":
        """Measure a choice, bool (N, 16)."""
        return cls(
            patches=bought.double().sum(1),
            found=found(tiles, bought),
            right=labels_right(tiles, bought, bins),
            error=count_error(tiles, bought),
        )

    def between(self, other: "Outcome", share: float) -> "Outcome":
        """Return the outcome at `share` of the way to another one."""
        return Outcome(
            **{name: torch.lerp(value, getattr(other, name), share) for name, value in vars(self).items()}
        )

    def __sub__(self, other: "Outcome") -> "Outcome":
        return Outcome(**{name: value - getattr(other, name) for name, value in vars(self).items()})


def tiles_seen_by(bundle: CountBundle, data: ObjectScenes, split: str) -> ObjectTiles:
    """Return the tiles of a split with what the bundle expects of them and reads in them, on the CPU."""
    scenes = data.of(split)
    # The layout that service uses: another one rounds differently.
    for network in bundle.networks.values():
        network.to(memory_format=torch.channels_last)
    expected = expected_counts(bundle.policies, scenes)
    readings = [
        bundle.manifest.fusion.fuse(read_patches(bundle.counter, scene), counts.mean)
        for scene, counts in zip(scenes, expected, strict=True)
    ]
    return tiles_of(maps_of(scenes, expected, readings, data.of("train"), bundle.manifest.lr_size))


def measure(bundle: CountBundle, data: ObjectScenes, split: str) -> dict[str, Any]:
    """Measure all figures of the card on one split; the result is JSON-serialisable."""
    return {"data_digest": data.digest, **figures(tiles_seen_by(bundle, data, split), bundle.manifest)}


def remeasure(bundle: CountBundle, data: ObjectScenes, split: str) -> dict[str, Any]:
    """Measure a released bundle on a split of a data set.

    Raise ValueError unless the data set has the bundle's sizes and classes, and scenes in that split.
    """
    manifest = bundle.manifest
    for name in ("tile_m", "lr_size", "hr_size", "bins"):
        wanted = json.loads(json.dumps(getattr(manifest, name)))  # the facts of a data set come from JSON
        if data.facts[name] != wanted:
            raise ValueError(
                f"The data set's {name} is {data.facts[name]}, but that of the bundle {manifest.name!r} is "
                f"{wanted}."
            )
    if not data.of(split):
        raise ValueError(f"The data set has no scene of the split {split}.")
    return measure(bundle, data, split)


def figures(tiles: ObjectTiles, manifest: CountManifest) -> dict[str, Any]:
    """Measure all figures of the card on tiles as the bundle sees them."""
    everything = torch.ones(len(tiles), PATCHES, dtype=torch.bool)
    fixed = [
        Outcome.of(tiles, fixed_masks(FIXED_H, size, len(tiles)), manifest.bins)
        for size in range(PATCHES + 1)
    ]
    auc = presence_auc(tiles)
    return {
        "images": len(tiles),
        "sites": len(set(tiles.sites)),
        "objects": int(tiles.counts.sum()),
        "presence_auc": _interval(*auc) if auc else None,
        "nothing": _shares(tiles, fixed[0]),
        "everything": _shares(tiles, fixed[PATCHES]),
        "fixed_h": {str(size): _shares(tiles, fixed[size]) for size in TABLE_PATCHES},
        "tasks": {task: _task(tiles, manifest, task, fixed) for task in manifest.tasks},
        "guarantees": [_guaranteed(tiles, manifest, guarantee) for guarantee in manifest.guarantees],
        "coverage": {
            "expected": _coverage(tiles, ~everything),
            "read": _coverage(tiles, everything),
        },
    }


def _guaranteed(tiles: ObjectTiles, manifest: CountManifest, guarantee: Guarantee) -> dict[str, Any]:
    """Measure a guarantee on tiles: its cost, and the mean loss of their sites by perfect readings."""
    exact = replace(tiles, read=tiles.counts, read_variance=torch.zeros_like(tiles.counts))
    values = task_values(tiles, guarantee.task, manifest.bins)
    measured = site_losses(exact, values, manifest.bins, [guarantee.threshold])
    losses: Losses = getattr(measured, guarantee.loss)[0]
    return {
        "loss": guarantee.loss,
        "at_most": guarantee.at_most,
        "mean_patches": round(float((values >= guarantee.threshold).double().sum(1).mean()), _DIGITS),
        "mean_loss": round(float(losses.mean()), _DIGITS),
        "sites_above": round(float((losses > guarantee.at_most).mean()), _DIGITS),
    }


def curve_of(measured: dict[str, Any]) -> tuple[CurvePoint, ...]:
    """Return the curve of a task's measurement as the manifest holds it."""
    return tuple(
        CurvePoint(
            threshold=point["threshold"],
            mean_patches=point["mean_patches"],
            **{name: point[name]["value"] for name in ("accuracy", "found", "count_error")},
        )
        for point in measured["curve"]
    )


def _task(tiles: ObjectTiles, manifest: CountManifest, task: Task, fixed: list[Outcome]) -> dict[str, Any]:
    values = task_values(tiles, task, manifest.bins)

    def at(threshold: float) -> dict[str, Any]:
        ours = Outcome.of(tiles, values >= threshold, manifest.bins)
        mean = float(ours.patches.mean())
        # Fixed-H at the same S, tile by tile between whole numbers of patches.
        low, high = fixed[math.floor(mean)], fixed[math.ceil(mean)]
        blind = low.between(high, mean - math.floor(mean))
        return {
            "threshold": threshold,
            **_shares(tiles, ours),
            "fixed_h": _shares(tiles, blind),
            "gain": _shares(tiles, ours - blind),
        }

    return {
        "served": at(manifest.threshold_for(task)),
        "curve": [at(point.threshold) for point in manifest.curve_for(task)],
    }


def _shares(tiles: ObjectTiles, outcome: Outcome) -> dict[str, Any]:
    """Return the means of an outcome, with the intervals of all but the number of patches."""
    one, objects = torch.ones(len(tiles), dtype=torch.float64), tiles.counts.sum(1)
    parts = {
        "accuracy": (outcome.right, one),
        "found": (outcome.found, objects),
        "count_error": (outcome.error, one),
    }
    return {"mean_patches": round(float(outcome.patches.mean()), _DIGITS)} | {
        name: _interval(float(top.sum() / bottom.sum().clamp_min(1)), *bootstrap(tiles.sites, top, bottom))
        for name, (top, bottom) in parts.items()
    }


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": round(value, _DIGITS), "low": round(low, _DIGITS), "high": round(high, _DIGITS)}


def _coverage(tiles: ObjectTiles, bought: Tensor) -> dict[str, float]:
    """Return the share of tiles whose count lies in the central interval, by the interval's probability."""
    made, true = answers(tiles, bought), tiles.counts.sum(1)
    shares = {}
    for share in COVERAGES:
        low, high = made.interval(share)
        shares[f"{share:g}"] = round(float(((true >= low) & (true <= high)).double().mean()), _DIGITS)
    return shares
