"""Substitutes for real imagery archives, made by code."""

import io
import tarfile
from pathlib import Path

from PIL import Image

CLASSES = [f"class{number:02d}" for number in range(21)]


def make_uc_merced(folder: Path) -> Path:
    """Write a substitute for uc-merced.tar: a test image's grey is ten times its class, train is white."""
    path = folder / "uc-merced.tar"
    with tarfile.open(path, "w") as tar:
        for part in ("train", "test"):
            for number, name in enumerate(CLASSES):
                for index in range(3):
                    grey = 255 if part == "train" else number * 10
                    size = (250, 256) if index == 0 else (256, 256)  # some are a few pixels off
                    content = io.BytesIO()
                    Image.new("RGB", size, (grey, grey, grey)).save(content, "JPEG")
                    entry = tarfile.TarInfo(f"uc-merced/{part}/{name}/{name}{index}.jpg")
                    entry.size = content.tell()
                    content.seek(0)
                    tar.addfile(entry, content)
    return path
