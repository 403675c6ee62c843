"""Watching the places where the service computes or waits for a file, wherever they are imported."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import pytest

from service import blobs
from service.bundles.classifying import ClassifyPredictor
from service.bundles.counting import CountPredictor
from service.bundles.revising import revise_counts
from service.geotiff.quarantine import Quarantine
from service.imagery.coverage import covered_patches
from service.imagery.placement import place_patch
from service.imagery.resampling import resample_patch
from service.imagery.tiling import cut_tiles
from service.planner import decider, plan_purchases
from service.planner.order_shapes import compile_order
from service.planner.patches import margins
from service.plans.alternatives import Alternatives
from service.plans.preview import draw_preview
from service.plans.scene_picture import render_window

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    blobs.get, blobs.keep, blobs.put, compile_order, covered_patches, cut_tiles, decider, draw_preview,
    margins, place_patch, plan_purchases, render_window, resample_patch, revise_counts, blobs.open_checked,
)  # fmt: skip
METHODS: tuple[tuple[type, str], ...] = (
    (ClassifyPredictor, "utilities"), (ClassifyPredictor, "classify"), (CountPredictor, "read"),
    (Quarantine, "decode"), (Alternatives, "compare"),
)  # fmt: skip


def watch_computing(monkeypatch: pytest.MonkeyPatch, entered: Callable[[str], None]) -> None:
    """Call `entered` with the function's name whenever the service computes or waits for a file."""
    for owner, name in METHODS:
        monkeypatch.setattr(owner, name, _reporting(getattr(owner, name), entered))
    for function in FUNCTIONS:
        watched = _reporting(function, entered)
        for module in [one for name, one in sys.modules.items() if name.partition(".")[0] == "service"]:
            for name, value in list(vars(module).items()):
                if value is function:
                    monkeypatch.setattr(module, name, watched)


def _reporting(function: Callable[..., Any], entered: Callable[[str], None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def reporting(*args: Any, **options: Any) -> Any:
        entered(function.__name__)
        return function(*args, **options)

    return reporting
