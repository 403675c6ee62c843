"""Small valid settings, bundles and GeoTIFFs made by code, so that the repository keeps no binary file."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from models.bundle import (
    MANIFEST,
    ClassifyBundle,
    ClassifyManifest,
    CountBundle,
    CountManifest,
    build_bundle,
    dump_bundle,
    manifest_from_json,
    manifest_sha256,
)
from models.fusion import Fusion
from models.manifest import ValueCurve
from service.bundles.classifying import ClassifyPredictor
from service.settings import Settings

LR_SIZE, LR_GSD_M = 8, 10.0
HR_SIZE, HR_GSD_M = 32, 2.5
TILE_M = LR_SIZE * LR_GSD_M
UTM_32N = "EPSG:32632"


def usd(amount: str, **more: str) -> dict[str, str]:
    """Return an amount as the API writes it, with further fields."""
    return {"amount": amount, "currency": "USD", **more}


def make_settings(home: Path, **overrides: Any) -> Settings:
    """Make settings that read no file and use the CPU; `home` holds the state."""
    values: dict[str, Any] = {
        "home": home,
        "device": "cpu",
        "threads": 1,
        "port": 0,
        "bundles": home / "no-bundles",
        "expiry_seconds": 86_400,  # no sweep unless a test asks for one
        "worker": False,  # as the sweep
    }
    return Settings(_env_file=None, **(values | overrides))


def make_manifest(**overrides: Any) -> ClassifyManifest:
    """Make a tiny bundle's manifest: three classes, tiles of 80 m with 8 x 8 LR and 32 x 32 HR pixels."""
    values: dict[str, Any] = {
        "name": "tiny", "version": "1", "mode": "product", "classes": ("farm", "forest", "harbour"),
        "hr_size": HR_SIZE, "lr_size": LR_SIZE, "tile_m": TILE_M, "lr_gsd_m": LR_GSD_M, "hr_gsd_m": HR_GSD_M,
        "mean": (90.0, 95.0, 85.0), "std": (50.0, 45.0, 40.0), "fill": "lr",
        "backbones": {"policy": "resnet8", "hr": "resnet8", "lr": "resnet8"},
        "input_sizes": {"policy": LR_SIZE, "hr": HR_SIZE, "lr": LR_SIZE},
        "evaluation": {}, "data_digest": "", "git_revision": "", "weights": {},
    }  # fmt: skip
    return ClassifyManifest(**(values | overrides))


def make_bundle(seed: int = 0, **overrides: Any) -> ClassifyBundle:
    """Make a bundle with random weights that depend only on `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_bundle(make_manifest(**overrides))


def make_count_manifest(**overrides: Any) -> CountManifest:
    """Make the manifest of a tiny bundle that counts, for tiles of 80 m with 16 x 16 LR pixels."""
    values: dict[str, Any] = {
        "name": "tiny-count", "version": "1", "objects": "oil tanks", "bins": (1, 10),
        "classes": ("0", "1 to 9", "10 or more"),
        "hr_size": 64, "lr_size": 16, "tile_m": TILE_M, "lr_gsd_m": TILE_M / 16, "hr_gsd_m": TILE_M / 64,
        "mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0),
        "policy_backbone": "mobilenetv3_small_050", "counter_backbone": "mobilenetv3_small_050",
        "values": {
            task: ValueCurve(threshold=threshold)
            for task, threshold in (("label", 0.01), ("count", 1.0), ("find", 0.5))
        },
        "fusion": Fusion(mean=(0.0, 1.0, 0.0), dispersion=(-2.0, 0.0, 0.0)),
        "evaluation": {}, "data_digest": "", "git_revision": "", "weights": {},
    }  # fmt: skip
    return CountManifest(**(values | overrides))


def make_count_bundle(seed: int = 0, **overrides: Any) -> CountBundle:
    """Make a bundle that counts with random weights that depend only on `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_bundle(make_count_manifest(**overrides))


def hold(bundle: ClassifyBundle) -> ClassifyPredictor:
    """Return the predictor of a bundle in memory, on the CPU."""
    return ClassifyPredictor(bundle.manifest, bundle.sha256, torch.device("cpu"), lambda: bundle)


@cache
def tiny_provenance() -> dict[str, Any]:
    """Return the tiny bundle's part of a plan's provenance."""
    manifest = manifest_from_json(dump_bundle(make_bundle())[MANIFEST].decode())
    bundle = {"name": manifest.name, "version": manifest.version, "sha256": manifest_sha256(manifest)}
    return {"bundle": bundle}


def write_bundle(folder: Path, **overrides: Any) -> Path:
    """Write a bundle as files and return its folder, which is made if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in dump_bundle(make_bundle(**overrides)).items():
        (folder / name).write_bytes(content)
    return folder


def make_pixels(bands: int = 3, height: int = 16, width: int = 24, seed: int = 0) -> NDArray[np.uint8]:
    """Make random pixels as uint8 (bands, height, width)."""
    return np.random.default_rng(seed).integers(0, 256, (bands, height, width), dtype=np.uint8)


def make_geotiff(
    pixels: NDArray[Any] | None = None,
    *,
    west: float = 500_000.0,
    north: float = 5_300_000.0,
    gsd_m: float = LR_GSD_M,
    crs: str = UTM_32N,
    tags: Mapping[str, str] | None = None,
    **profile: Any,
) -> bytes:
    """Make GeoTIFF bytes, by default 3 bands of 16 x 24 pixels of 10 m (2 x 3 tiles) in UTM zone 32 north.

    `tags` are items of its GDAL metadata.
    """
    pixels = make_pixels() if pixels is None else pixels
    bands, height, width = pixels.shape
    place = {"transform": Affine(gsd_m, 0, west, 0, -gsd_m, north), "crs": crs}
    shape = {"count": bands, "height": height, "width": width, "dtype": pixels.dtype.name}
    with MemoryFile() as file:
        with file.open(driver="GTiff", **(shape | place | profile)) as raster:
            raster.write(pixels)
            raster.update_tags(**(tags or {}))
        return bytes(file.read())
