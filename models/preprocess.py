"""Pixels to network inputs. Training and serving share this code, so that they cannot differ."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from models.grid import GRID, patch_side

Fill = Literal["zero", "lr"]


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(pixels - mean) / std per band: uint8 (B, 3, H, W) -> float32; mean and std in 0..255 units."""
    centre = torch.tensor(mean, dtype=torch.float32, device=pixels.device).view(1, -1, 1, 1)
    scale = torch.tensor(std, dtype=torch.float32, device=pixels.device).view(1, -1, 1, 1)
    return (pixels.to(torch.float32) - centre) / scale


def downsample(images: Tensor, size: int) -> Tensor:
    """Average (B, C, H, W) over areas down to (B, C, size, size), as a coarser sensor would.

    Integer ratios are exact box averages; for others neighbouring boxes share their edge pixels.
    """
    values = images if images.is_floating_point() else images.to(torch.float32)
    return F.adaptive_avg_pool2d(values, (size, size))


def upsample(lr: Tensor, size: int) -> Tensor:
    """Bilinear (B, C, h, w) -> (B, C, size, size), pixel areas aligned (align_corners False)."""
    if lr.shape[-2:] == (size, size):
        return lr
    return F.interpolate(lr, (size, size), mode="bilinear", align_corners=False)


def mask_image(selected: Tensor, size: int) -> Tensor:
    """Spread a choice of patches (B, 16) over the pixels of its tile: (B, 1, size, size), 1 = bought."""
    step = patch_side(size)
    values = selected if selected.is_floating_point() else selected.to(torch.float32)
    grid = values.reshape(-1, 1, GRID, GRID).transpose(2, 3)  # (B, 1, col, row) -> (B, 1, row, col)
    return grid.repeat_interleave(step, 2).repeat_interleave(step, 3)


def compose(hr: Tensor, lr: Tensor, selected: Tensor, fill: Fill) -> Tensor:
    """What the HR stream sees: bought HR pixels, elsewhere zeros or the upsampled LR.

    hr (B, 3, H, H) and lr (B, 3, h, h) are normalised, so "zero" is the mean colour, as in the
    authors' code; selected is (B, 16). A not-bought pixel never reaches the output, not even a NaN.
    """
    bought = mask_image(selected, hr.shape[-1]) > 0  # (B, 1, H, H)
    other = upsample(lr, hr.shape[-1]).to(hr.dtype) if fill == "lr" else torch.zeros_like(hr)
    return torch.where(bought, hr, other)
