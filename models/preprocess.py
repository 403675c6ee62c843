"""Preprocessing from pixels to network inputs, shared by training and serving so that they cannot differ."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from models.grid import GRID, patch_side

Fill = Literal["zero", "lr"]


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Map uint8 (B, 3, H, W) to float32 (pixels - mean) / std per band; mean and std are in 0..255."""
    # (3,) -> (1, 3, 1, 1), so that each band broadcasts over the batch and its pixels.
    centre = torch.tensor(mean, dtype=torch.float32, device=pixels.device).view(1, -1, 1, 1)
    scale = torch.tensor(std, dtype=torch.float32, device=pixels.device).view(1, -1, 1, 1)
    return (pixels.to(torch.float32) - centre) / scale


def downsample(images: Tensor, size: int) -> Tensor:
    """Average (B, C, H, W) over areas to (B, C, size, size), as a coarser sensor would.

    Integer ratios give exact box averages; at other ratios neighbouring boxes share their edge pixels.
    """
    values = images if images.is_floating_point() else images.to(torch.float32)
    return F.adaptive_avg_pool2d(values, (size, size))


def upsample(lr: Tensor, size: int) -> Tensor:
    """Interpolate (B, C, h, w) bilinearly to (B, C, size, size), aligning pixel areas."""
    if lr.shape[-2:] == (size, size):
        return lr
    # align_corners=True would shift every pixel but the centre, and LR content would leave its patch.
    return F.interpolate(lr, (size, size), mode="bilinear", align_corners=False)


def mask_image(selected: Tensor, size: int) -> Tensor:
    """Spread a choice of patches (B, 16) over the pixels of its tile: (B, 1, size, size), 1 = bought."""
    step = patch_side(size)
    values = selected if selected.is_floating_point() else selected.to(torch.float32)
    # Patch ids run down the columns, so the reshape gives (B, 1, col, row); images are (B, 1, row, col).
    grid = values.reshape(-1, 1, GRID, GRID).transpose(2, 3)
    return grid.repeat_interleave(step, 2).repeat_interleave(step, 3)


def compose(hr: Tensor, lr: Tensor, selected: Tensor, fill: Fill) -> Tensor:
    """Compose the HR stream's input (B, 3, H, H): bought HR pixels, and the fill everywhere else.

    hr (B, 3, H, H) and lr (B, 3, h, h) are normalised, so the fill "zero" is the mean colour, as in the
    authors' code; the fill "lr" is the upsampled LR tile. selected is (B, 16).
    A not-bought pixel never reaches the output, not even a NaN.
    """
    bought = mask_image(selected, hr.shape[-1]) > 0  # (B, 1, H, H)
    other = upsample(lr, hr.shape[-1]).to(hr.dtype) if fill == "lr" else torch.zeros_like(hr)
    return torch.where(bought, hr, other)  # not hr * bought: NaN * 0 is NaN
