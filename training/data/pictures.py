"""A picture file to its pixels at the two resolutions of a recipe."""

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

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels"""


def open_picture(file: Path) -> Image.Image:
    """RGB, fully decoded. DataError if the file is missing, empty, cut off or no picture."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    if not content:
        raise DataError(f"{file} is empty")
    try:
        with Image.open(BytesIO(content)) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is not a readable image: {error}") from error


def two_resolutions(
    picture: Image.Image, hr_size: int, lr_size: int, box: Box | None = None
) -> tuple[Tensor, Tensor]:
    """uint8 hr (3, hr_size, hr_size) and lr (3, lr_size, lr_size), both from the original pixels.

    The LR sensor does not look through the HR one. A picture that is nearly square is stretched to a
    square (UC Merced's are a few pixels off); of any other the centre square is taken, as ImageNet's
    protocol does: stretching it would change shapes.
    """
    square = picture.crop(_whole(box or centre_box(*picture.size)))
    fine = square.resize((hr_size, hr_size), Image.Resampling.BILINEAR)  # Pillow's is antialiased
    coarse = downsample(as_tensor(square).unsqueeze(0), lr_size)[0].round().to(torch.uint8)
    return as_tensor(fine), coarse


def centre_box(width: int, height: int) -> Box:
    """The whole picture if it is nearly square, else the square in its middle."""
    short, long = sorted((width, height))
    if long <= NEARLY_SQUARE * short:
        return 0, 0, width, height
    left, top = (width - short) / 2, (height - short) / 2
    return left, top, left + short, top + short


def as_tensor(picture: Image.Image) -> Tensor:
    """uint8 (3, H, W)."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def _whole(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(value) for value in box)
    return left, top, right, bottom
