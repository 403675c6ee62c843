"""The two-stream classifier: an HR stream on bought pixels, an LR stream on the free ones."""

import torch
from torch import Tensor, nn

from models.grid import PATCHES
from models.preprocess import Fill, compose, upsample


def fuse(hr_probabilities: Tensor, lr_probabilities: Tensor, bought: Tensor, exponent: float = 1.0) -> Tensor:
    """w p_hr + (1 - w) p_lr with w = (S / 16) ** exponent: (B, N), (B, N), (B,) -> (B, N).

    Exponent 1 is the paper's eq. 7. Any positive exponent keeps its two ends: S = 0 is the LR
    stream, S = 16 the HR stream; below 1 the first patches count for more.
    """
    if exponent <= 0:
        raise ValueError(f"fusion exponent {exponent} is not positive")
    weight = (bought.to(hr_probabilities.dtype) / PATCHES).pow(exponent).unsqueeze(1)  # (B, 1)
    return weight * hr_probabilities + (1 - weight) * lr_probabilities


def calibrate(probabilities: Tensor, temperature: float) -> Tensor:
    """Temperature scaling of mixed probabilities, p ** (1 / T) / sum: never changes the argmax."""
    if temperature == 1.0:
        return probabilities
    return torch.softmax(probabilities.clamp_min(1e-12).log() / temperature, dim=1)


class TwoStreamClassifier(nn.Module):
    """f_cl of the paper (section 3), with the filling of not-bought pixels made explicit."""

    def __init__(
        self,
        hr: nn.Module,
        lr: nn.Module,
        *,
        lr_input_size: int,
        fill: Fill,
        fusion_exponent: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.hr, self.lr = hr, lr
        self.lr_input_size = lr_input_size
        self.fill: Fill = fill
        self.fusion_exponent = fusion_exponent
        self.temperature = temperature

    def hr_logits(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Logits (B, N) of the HR stream on the composed input."""
        logits: Tensor = self.hr(compose(hr, lr, selected, self.fill))
        return logits

    def lr_logits(self, lr: Tensor) -> Tensor:
        """Logits (B, N) of the LR stream on the upsampled LR tile."""
        logits: Tensor = self.lr(upsample(lr, self.lr_input_size))
        return logits

    def coarse(self, lr: Tensor) -> Tensor:
        """Probabilities (B, N) of the LR stream alone."""
        return torch.softmax(self.lr_logits(lr).float(), dim=1)

    def mixture(self, hr: Tensor, lr: Tensor, selected: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Uncalibrated probabilities (B, N), eq. 7: what training takes the likelihood of.

        Whoever asks about several choices for one tile passes what `coarse` said of it.
        """
        sharp = torch.softmax(self.hr_logits(hr, lr, selected).float(), dim=1)
        coarse = self.coarse(lr) if coarse is None else coarse
        return fuse(sharp, coarse, selected.float().sum(1), self.fusion_exponent)

    def forward(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Calibrated probabilities (B, N) from hr (B, 3, H, H), lr (B, 3, h, h), selected (B, 16).

        hr and lr are normalised; where a patch is not selected, hr may hold anything.
        """
        return calibrate(self.mixture(hr, lr, selected), self.temperature)
