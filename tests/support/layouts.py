"""Writers of tiny data sets in their real layouts."""

import csv
import hashlib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets import CIFAR10


def write_cifar(root: Path, *, train: int = 12, test: int = 6) -> type[CIFAR10]:
    """Write CIFAR-10's files with a few images, and return torchvision's reader with their MD5."""
    folder = root / CIFAR10.base_folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    md5 = {}

    def write(name: str, content: object) -> None:
        payload = pickle.dumps(content)
        (folder / name).write_bytes(payload)
        md5[name] = hashlib.md5(payload, usedforsecurity=False).hexdigest()

    for name, count in (("data_batch_1", train), ("test_batch", test)):
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        write(name, {"data": pixels, "labels": [number % 2 for number in range(count)]})
    write("batches.meta", {"label_names": ["cat", "dog"]})

    class Tiny(CIFAR10):  # type: ignore[misc]  # torchvision has no types
        """CIFAR-10 with two classes and one training file."""

    Tiny.train_list = [["data_batch_1", md5["data_batch_1"]]]
    Tiny.test_list = [["test_batch", md5["test_batch"]]]
    Tiny.meta = {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}
    return Tiny


def write_fmow(root: Path) -> Path:
    """Write fMoW-rgb with a picture and its JSON per object, some of them false detections."""
    rng = np.random.default_rng(0)
    for split, places in (("train", 3), ("val", 2)):
        for category in ("airport", "zoo", "false_detection"):
            for number in range(places):
                folder = root / split / category / f"{category}_{number}"
                folder.mkdir(parents=True)
                name = f"{category}_{number}_0_rgb"
                pixels = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}.jpg")
                box = {"category": category, "ID": number, "box": [20, 10, 30, 20]}
                document = {"bounding_boxes": [box], "img_width": 80, "img_height": 60}
                (folder / f"{name}.json").write_text(json.dumps(document))
    return root


def write_raster(
    path: Path, pixels: NDArray[Any], *, gsd: float, left: float = 500_000.0, crs: str = "EPSG:32633"
) -> Path:
    """Write (bands, H, W) as a GeoTIFF of `gsd` metres whose upper left corner is at `left`, 5,000,000."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=bands,
        dtype=pixels.dtype,
        crs=crs,
        transform=Affine(gsd, 0, left, 0, -gsd, 5_000_000.0),
    ) as target:
        target.write(pixels)
    return path


def write_pairs(root: Path, *, count: int = 6) -> Path:
    """Write pairs over the same 80 m: LR of 8 px in reflectance times 10,000, HR of 32 px in uint8."""
    rng = np.random.default_rng(0)
    rows: list[Sequence[object]] = []
    for number in range(count):
        lr, hr = f"lr/{number}.tif", f"hr/{number}.tif"
        write_raster(root / lr, rng.integers(0, 4000, (3, 8, 8)).astype(np.uint16), gsd=10.0)
        write_raster(root / hr, rng.integers(0, 256, (3, 32, 32)).astype(np.uint8), gsd=2.5)
        rows.append([lr, hr, ("farm", "port")[number % 2], "train" if number < 4 else "test"])
    return write_csv(root / "pairs.csv", rows)


def write_csv(path: Path, rows: Sequence[Sequence[object]], header: str = "lr,hr,label,split") -> Path:
    """Write a CSV."""
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path
