"""Decoding of a picture file to pixels at the two resolutions of a recipe."""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from models.preprocess import downsample
from training.data.images import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
NEARLY_SQUARE = 1.1
"""Largest ratio of the sides of a picture that is stretched to a square instead of cropped."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edges in pixels."""


def open_picture(file: Path) -> Image.Image:
    """Decode a picture to RGB in full.

    Raise DataError if the file is missing, empty, cut off or no picture.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    if not content:
        raise DataError(f"{file} is empty.")
    try:
        with Image.open(BytesIO(content)) as image:
            return image.convert("RGB")  # decodes now: Image.open only reads the header
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is not a readable image: {error}.") from error


def two_resolutions(
    picture: Image.Image, hr_size: int, lr_size: int, box: Box | None = None
) -> tuple[Tensor, Tensor]:
    """Return uint8 hr (3, hr_size, hr_size) and lr (3, lr_size, lr_size) of a picture or of a box in it.

    Without a box, a picture that is nearly square is stretched to a square; of any other the centre square
    is taken.
    """
    square = picture.crop(_whole(box or centre_box(*picture.size)))
    fine = square.resize((hr_size, hr_size), Image.Resampling.BILINEAR)  # Pillow's resize antialiases
    # LR comes from the original pixels, because an LR sensor does not look through the HR one.
    coarse = downsample(as_tensor(square).unsqueeze(0), lr_size)[0].round().to(torch.uint8)
    return as_tensor(fine), coarse


def centre_box(width: int, height: int) -> Box:
    """Return the whole picture if it is nearly square, else the square in its middle."""
    short, long = sorted((width, height))
    # UC Merced's pictures are a few pixels off square; cropping them would lose ground.
    if long <= NEARLY_SQUARE * short:
        return 0, 0, width, height
    # As in ImageNet's protocol: stretching such a picture would change shapes.
    left, top = (width - short) / 2, (height - short) / 2
    return left, top, left + short, top + short


def as_tensor(picture: Image.Image) -> Tensor:
    """Return a picture as uint8 (3, H, W)."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)


def _whole(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(value) for value in box)
    return left, top, right, bottom
