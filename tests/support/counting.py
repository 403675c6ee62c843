"""Bundles that count, with networks that are known functions of their pixels."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.bundle import CountBundle, dump_bundle
from models.counts import Counts
from models.manifest import Guarantee
from models.patch_counter import PatchCounter
from models.scene_policy import ScenePolicy
from service.bundles.counting import CountPredictor
from tests.support.bundles import make_count_bundle, make_count_manifest, make_geotiff, make_pixels

DISPERSION = 0.5
LR_M, HR_M, PATCH_PX = 5.0, 1.25, 16
"""Pixels of the tiny bundle that counts, and the side of a patch in HR pixels."""
GUARANTEES = (
    Guarantee(
        loss="labels", at_most=0.05, sure=0.9, sites=60, task="label", threshold=0.0052855, mean_patches=9.7
    ),
    Guarantee(
        loss="labels", at_most=0.1, sure=0.9, sites=60, task="label", threshold=0.0053085, mean_patches=6.4
    ),
    Guarantee(
        loss="objects", at_most=0.1, sure=0.9, sites=60, task="find", threshold=1.0375, mean_patches=5.2
    ),
)
"""Guarantees of a bundle with the tasks `label` and `find`."""


class BrightnessPolicy(nn.Module):
    """Expects as many objects in a patch as its mean brightness, after a blur over `reach` pixels.

    The brightness is normalised, plus 1: 0 for black and 2 for white.
    """

    def __init__(self, patch_px: int, reach: int = 0) -> None:
        super().__init__()
        self.patch_px, self.reach = patch_px, reach
        self.shown: list[tuple[int, ...]] = []

    def forward(self, lr: Tensor) -> Counts:
        """Map normalised scenes (B, 3, H, W) to the counts of their patches."""
        self.shown.append(tuple(lr.shape))
        grey = lr.mean(1, keepdim=True) + 1
        # The border is repeated, as at the edge of a scene; a window must not show it inside.
        blurred = F.avg_pool2d(F.pad(grey, [self.reach] * 4, mode="replicate"), 2 * self.reach + 1, 1)
        mean = F.avg_pool2d(blurred, self.patch_px)[:, 0] + 1e-6
        return Counts(mean=mean, dispersion=torch.full_like(mean, DISPERSION))


class BrightnessCounter(nn.Module):
    """Reads as many objects in a patch as its normalised mean brightness, plus 1."""

    def forward(self, hr: Tensor) -> Tensor:
        """Map normalised patches (N, 3, s, s) to readings (N,)."""
        return hr.mean((1, 2, 3)) + 1


def known_bundle(reach: int = 0) -> CountBundle:
    """Return a bundle that counts by brightness."""
    manifest = make_count_manifest()
    policy = BrightnessPolicy(manifest.lr_size // 4, reach)
    return CountBundle(manifest, (cast(ScenePolicy, policy),), cast(PatchCounter, BrightnessCounter()))


def hold_counting(bundle: CountBundle) -> CountPredictor:
    """Return the predictor of a bundle in memory, on the CPU."""
    return CountPredictor(bundle.manifest, "0" * 64, torch.device("cpu"), lambda: bundle)


def write_count_bundle(folder: Path, **overrides: Any) -> Path:
    """Write a bundle with random weights as files and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in dump_bundle(make_count_bundle(**overrides)).items():
        (folder / name).write_bytes(content)
    return folder


def hr_pixels(tile: int, patch: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a patch's pixels: the scene four times as fine, with detail of its own."""
    row, column = tile // 3 * 4 + patch % 4, tile % 3 * 4 + patch // 4
    lr = scene_pixels()[:, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
    detail = np.random.default_rng(100 * tile + patch).integers(-9, 10, (3, PATCH_PX, PATCH_PX))
    return np.asarray(np.clip(lr.repeat(4, 1).repeat(4, 2) + detail, 0, 255), np.uint8)


def hr_patch(tile: int, patch: int) -> bytes:
    """Write a patch of `scene_pixels` as a GeoTIFF."""
    row, column = tile // 3 * 4 + patch % 4, tile % 3 * 4 + patch // 4
    return make_geotiff(
        hr_pixels(tile, patch), west=500_000 + column * 20, north=5_300_000 - row * 20, gsd_m=HR_M
    )


def scene_pixels() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a scene of 2 x 3 tiles for the tiny bundle that counts: 16 x 16 pixels of 5 m each."""
    return make_pixels(height=32, width=48, seed=5)
