"""CIFAR-10 and CIFAR-100 as published, read by torchvision.

The files are pickles. torchvision compares each with its published MD5 before it opens any, and
without a match nothing is unpickled; the check below only says so in words first.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from models.preprocess import downsample
from training.data.images import DataError, Images

DATA_SETS: dict[str, type[CIFAR10]] = {"cifar10": CIFAR10, "cifar100": CIFAR100}


def find_root(folder: Path, kind: type[CIFAR10]) -> Path:
    """The folder that holds torchvision's: `folder`, its parent, or a folder in it."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir())
    for place in (folder, folder.parent, *inside):
        if (place / kind.base_folder).is_dir():
            return place
    raise DataError(f"{folder} holds no {kind.base_folder}/")


def problems(root: Path, kind: type[CIFAR10]) -> list[str]:
    """Files that are missing, or differ from the published ones."""
    found = []
    meta = (kind.meta["filename"], kind.meta["md5"])
    for name, md5 in (*kind.train_list, *kind.test_list, meta):
        file = root / kind.base_folder / name
        if not file.is_file():
            found.append(f"{file} is missing")
        elif hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            found.append(f"{file} is not the published file: its MD5 differs")
    return found


def read_cifar(folder: Path, kind: type[CIFAR10], *, train: bool, hr_size: int, lr_size: int) -> Images:
    """One split; HR is the 32 px original, or resized where the recipe asks for another size."""
    root = find_root(folder, kind)
    if found := problems(root, kind):
        raise DataError("\n".join(found))
    data: Any = kind(str(root), train=train, download=False)
    pixels = torch.from_numpy(np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)))
    hr = pixels
    if hr_size != pixels.shape[-1]:
        resized = torch.nn.functional.interpolate(
            pixels.float(), (hr_size, hr_size), mode="bilinear", antialias=True
        )
        hr = resized.round().clamp(0, 255).to(torch.uint8)
    return Images(
        hr=hr,
        lr=downsample(pixels, lr_size).round().to(torch.uint8),
        labels=torch.tensor(data.targets),
        classes=tuple(data.classes),
        digests=tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in pixels.numpy()),
    )
