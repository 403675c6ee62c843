"""PCN: partially coupled networks for very low resolutions (Wang et al., CVPR 2016).

Two networks, one for HR and one for LR, share part of the filters of every convolution and keep the rest to
themselves. Trained together, the shared part carries what HR teaches over to LR; afterwards the LR network
is used alone. The share is 3/4 here, and batch norms and the last layer stay with each network: the paper's
text does not settle either for residual networks. Its super-resolution pre-training is left out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from models.preprocess import upsample
from training.methods.classifiers import frozen
from training.run.batches import Batch, TrainingImages
from training.run.folder import Run
from training.run.initial_weights import new_network
from training.run.loop import train_stage
from training.run.recipe import Stage

SHARED = 0.75


class SharedFilters(nn.Module):
    """Parametrisation of an LR convolution's weight: its first filters are the HR convolution's."""

    def __init__(self, other: nn.Conv2d, shared: int) -> None:
        super().__init__()
        # In a tuple, so that the HR network does not become a part of the LR one.
        self.other = (other,)
        self.shared = shared

    def forward(self, own: Tensor) -> Tensor:
        """Replace filters 0 .. shared - 1 of `own` (out, in, k, k); same shape."""
        # Read in every pass, not copied once: gradients of both networks reach the shared filters.
        return torch.cat((self.other[0].weight[: self.shared], own[self.shared :]))


def couple(hr: nn.Module, lr: nn.Module, share: float = SHARED) -> None:
    """Make the first `share` of the filters of each convolution of `lr` those of `hr`.

    ValueError if the networks differ in shape.
    """
    pairs = zip(_convolutions(hr), _convolutions(lr), strict=True)
    for sharp, coarse in pairs:
        if sharp.weight.shape != coarse.weight.shape:
            raise ValueError("Only networks of the same shape can be coupled.")
        # (out, in, k, k): filters are counted along the output channels.
        shared = math.floor(share * coarse.out_channels)
        parametrize.register_parametrization(coarse, "weight", SharedFilters(sharp, shared))


def decouple(lr: nn.Module) -> None:
    """Write the shared filters into `lr`, which becomes a plain network."""
    for coarse in _convolutions(lr):
        parametrize.remove_parametrizations(coarse, "weight")


def train_coupling(
    run: Run, data: TrainingImages, backbone: str, input_size: int, config: Stage, *, pretrained: bool
) -> nn.Module:
    """Train both networks on labels; returns the LR one, plain and frozen.

    Its input is LR upsampled to `input_size`.
    """
    classes = len(data.images.classes)
    sharp = new_network(run, "pcn_hr", backbone, classes, pretrained=pretrained)
    coarse = new_network(run, "pcn", backbone, classes, pretrained=pretrained)
    couple(sharp, coarse)

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        logits = coarse(upsample(batch.lr, input_size)).float()
        # One step for both networks: the shared filters must serve HR and LR at once.
        losses = [
            F.cross_entropy(answer, batch.labels, label_smoothing=config.label_smoothing)
            for answer in (sharp(batch.hr).float(), logits)
        ]
        loss = losses[0] + losses[1]
        right = (logits.argmax(1) == batch.labels).float().mean()
        return loss, {"loss": loss, "train_accuracy": right}

    train_stage(run, "pcn", {"hr": sharp, "network": coarse}, data, config, step)
    # A plain network again: checkpoints and measuring need no HR network.
    decouple(coarse)
    return frozen(coarse)


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]
