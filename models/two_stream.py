"""The two-stream classifier: an HR stream on bought pixels and an LR stream on the free LR tile."""

import torch
from torch import Tensor, nn

from models.grid import PATCHES
from models.preprocess import Fill, compose, upsample


def fuse(hr_probabilities: Tensor, lr_probabilities: Tensor, bought: Tensor, exponent: float = 1.0) -> Tensor:
    """Mix two streams' probabilities (B, N) by the number of bought patches S (B,), to (B, N).

    The HR stream weighs w = (S / 16) ** exponent and the LR stream 1 - w; exponent 1 is the paper's
    eq. 7. With any positive exponent S = 0 gives the LR stream and S = 16 the HR stream; an exponent
    below 1 gives the first patches more weight. Raise ValueError unless the exponent is positive.
    """
    if exponent <= 0:
        raise ValueError(f"The fusion exponent {exponent} is not positive.")
    weight = (bought.to(hr_probabilities.dtype) / PATCHES).pow(exponent).unsqueeze(1)  # (B, 1)
    return weight * hr_probabilities + (1 - weight) * lr_probabilities


def calibrate(probabilities: Tensor, temperature: float) -> Tensor:
    """Scale mixed probabilities (B, N) by a temperature: p ** (1 / T), normalised.

    The argmax never changes.
    """
    if temperature == 1.0:
        return probabilities
    # The clamp keeps log finite where a stream gives a class probability 0.
    return torch.softmax(probabilities.clamp_min(1e-12).log() / temperature, dim=1)


class TwoStreamClassifier(nn.Module):
    """The classifier f_cl of the paper (section 3), with an explicit fill for pixels that are not bought."""

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
        """Return the logits (B, N) of the HR stream on the composed input."""
        logits: Tensor = self.hr(compose(hr, lr, selected, self.fill))
        return logits

    def lr_logits(self, lr: Tensor) -> Tensor:
        """Return the logits (B, N) of the LR stream on the upsampled LR tile."""
        logits: Tensor = self.lr(upsample(lr, self.lr_input_size))
        return logits

    def coarse(self, lr: Tensor) -> Tensor:
        """Return the uncalibrated probabilities (B, N) of the LR stream."""
        return torch.softmax(self.lr_logits(lr).float(), dim=1)  # in fp32: bf16 keeps under three digits

    def mixture(self, hr: Tensor, lr: Tensor, selected: Tensor, coarse: Tensor | None = None) -> Tensor:
        """Return the uncalibrated mixed probabilities (B, N) of eq. 7, whose likelihood training maximises.

        A caller that tries several choices for one tile passes the result of `coarse`, to compute it once.
        """
        sharp = torch.softmax(self.hr_logits(hr, lr, selected).float(), dim=1)
        coarse = self.coarse(lr) if coarse is None else coarse
        return fuse(sharp, coarse, selected.float().sum(1), self.fusion_exponent)

    def forward(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Return calibrated probabilities (B, N) for hr (B, 3, H, H), lr (B, 3, h, h), selected (B, 16).

        hr and lr are normalised; in patches that are not selected, hr may hold any value.
        """
        return calibrate(self.mixture(hr, lr, selected), self.temperature)
