"""The reader of CIFAR-10 and CIFAR-100 as published, through torchvision.

The files are pickles. torchvision compares each file with its published MD5 before it opens any, and
unpickles nothing without a match. The check below runs first, to name the file that differs.
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
    """Return the folder that torchvision expects as root: `folder`, its parent, or a subfolder.

    Raise DataError if none of them holds the files.
    """
    inside = sorted(p for p in folder.iterdir() if p.is_dir())
    # The parent too: users also pass cifar-10-batches-py itself.
    for place in (folder, folder.parent, *inside):
        if (place / kind.base_folder).is_dir():
            return place
    raise DataError(f"{folder} holds no folder {kind.base_folder}/.")


def file_problems(root: Path, kind: type[CIFAR10]) -> list[str]:
    """Return a sentence for each file that is missing or differs from the published one."""
    found = []
    meta = (kind.meta["filename"], kind.meta["md5"])
    for name, md5 in (*kind.train_list, *kind.test_list, meta):
        file = root / kind.base_folder / name
        if not file.is_file():
            found.append(f"{file} is missing.")
        elif hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != md5:
            found.append(f"{file} is not the published file: its MD5 differs.")
    return found


def read_cifar(folder: Path, kind: type[CIFAR10], *, train: bool, hr_size: int, lr_size: int) -> Images:
    """Read one split. HR is the 32 px original, or resized if the recipe asks for another size.

    Raise DataError if a file is missing or differs from the published one.
    """
    root = find_root(folder, kind)
    if found := file_problems(root, kind):
        raise DataError("\n".join(found))
    data: Any = kind(str(root), train=train, download=False)
    # (N, H, W, 3), as stored -> (N, 3, H, W).
    pixels = torch.from_numpy(np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)))
    hr = pixels
    if hr_size != pixels.shape[-1]:
        resized = torch.nn.functional.interpolate(
            pixels.float(), (hr_size, hr_size), mode="bilinear", antialias=True
        )
        hr = resized.round().clamp(0, 255).to(torch.uint8)  # a plain cast truncates and wraps
    return Images(
        hr=hr,
        # From the original pixels, not from a resized HR: the LR sensor does not see through the HR one.
        lr=downsample(pixels, lr_size).round().to(torch.uint8),
        labels=torch.tensor(data.targets),
        classes=tuple(data.classes),
        digests=tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in pixels.numpy()),
    )
