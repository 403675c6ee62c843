"""SRGAN: super-resolve the LR tile, then classify the result (Ledig et al., CVPR 2017).

The paper uses "the SR images in the downstream tasks" (section 5.2): a copy of HR-CNN is trained on them,
as LR-CNN is on the LR ones. HR-CNN itself cannot read them: at CPU scale on CIFAR-10 its accuracy was 37.9 %
and LR-CNN's 69.0 %.

Generator: SRResNet (16 residual blocks of 64 channels in the paper; fewer here by default). Losses: content
(mean squared error of pixels), perceptual (mean squared error of features) and adversarial, weighted as in
their eq. 3. The features are those of our own HR-CNN before its last layer, where they took VGG's: no VGG
comes with the project, and what matters here is what HR-CNN sees.
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.preprocess import upsample
from training.methods.classifiers import frozen, train_classifier
from training.run.batches import Batch, TrainingImages
from training.run.evaluate import TilePredictor
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.recipe import Stage
from training.run.seeds import seed_start

CHANNELS, BLOCKS = 48, 6
ADVERSARIAL = 1e-3
PERCEPTUAL = 6e-3
CONTENT_ONLY = 1 / 3
"""Share of the stage before the discriminator and the features join in."""


class SuperResolver(nn.Module):
    """Generator from LR (B, 3, h, h) to HR (B, 3, size, size).

    Residual blocks at LR, then doublings by pixel shuffle; a size that doublings do not reach exactly is
    resized bilinearly. The output is added to the bilinear upsampling.
    """

    def __init__(self, lr_size: int, hr_size: int, channels: int = CHANNELS, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.hr_size = hr_size
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, 1, 1), nn.PReLU(channels))
        self.blocks = nn.Sequential(*(_Residual(channels) for _ in range(blocks)))
        # Nearest power of two; the rest of the way is bilinear.
        doublings = max(0, round(math.log2(hr_size / lr_size)))
        self.doublings = nn.Sequential(*(_doubling(channels) for _ in range(doublings)))
        self.to_pixels = nn.Conv2d(channels, 3, 3, 1, 1)
        # It starts as the bilinear upsampling: from noise, few steps would not reach it.
        nn.init.zeros_(self.to_pixels.weight)
        nn.init.zeros_(self.to_pixels.bias)  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Return normalised HR of normalised LR."""
        features = self.stem(lr)  # (B, C, h, h)
        # The generator learns what bilinear upsampling lacks: fine detail, small against the whole.
        detail = self.to_pixels(self.doublings(features + self.blocks(features)))
        return upsample(detail, self.hr_size) + upsample(lr, self.hr_size)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        # No batch norm, unlike the paper's: with few steps it colours the images.
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.PReLU(channels),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.layers(x)
        return x + inner


def _doubling(channels: int) -> nn.Sequential:
    # (B, 4 C, h, h) -> (B, C, 2 h, 2 h): each group of four channels becomes a 2 x 2 block of pixels.
    return nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(channels))


class Discriminator(nn.Module):
    """Network from HR (B, 3, H, H) to the logit that it is real (B,)."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        widths = (3, channels, 2 * channels, 4 * channels)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits; a sigmoid makes them probabilities."""
        # (B, 4 C, H / 8, H / 8) -> (B, 4 C): a mean over places takes tiles of any size.
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits[:, 0]


def train_super_resolution(
    run: Run, data: TrainingImages, classifier: nn.Module, config: Stage, lr_size: int, hr_size: int
) -> SuperResolver:
    """Train the generator from lr_size to hr_size pixels; `classifier`, HR-CNN, is not changed."""
    seed_start(run.seed, "srgan")
    generator = SuperResolver(lr_size, hr_size)
    discriminator = Discriminator()

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        made = generator(batch.lr).float()
        content = F.mse_loss(made, batch.hr)
        # A first third by content alone, as their SRResNet initialisation: a discriminator that tells blurred
        # images at once has nothing to teach.
        if batch.progress < CONTENT_ONLY:
            return content, {"loss": content}
        # Eq. 3 of their paper: content, features before the last layer (B, F), and fooling the discriminator.
        generating = PERCEPTUAL * F.mse_loss(features(classifier, made), features(classifier, batch.hr))
        # Its own weights are held: the generator's loss would make it worse at telling.
        with weights_held(discriminator):
            generating = generating + ADVERSARIAL * _cross_entropy(discriminator(made), real=True)
        telling = _cross_entropy(discriminator(batch.hr), real=True)
        # Detached, the other way round: the generator must not learn to be found out.
        telling = telling + _cross_entropy(discriminator(made.detach()), real=False)
        loss = content + generating + telling
        return loss, {"loss": content + generating, "content_loss": content, "discriminator_loss": telling}

    networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
    train_stage(run, "srgan", networks, data, config, step)
    frozen(generator)
    return generator


def train_super_resolved(
    run: Run, data: TrainingImages, generator: SuperResolver, classifier: nn.Module, config: Stage
) -> nn.Module:
    """Train a copy of `classifier`, HR-CNN, on super-resolved LR; returns it frozen."""

    @torch.no_grad()
    def view(batch: Batch) -> Tensor:
        made: Tensor = generator(batch.lr).float()
        return made

    # From HR-CNN, as LR-CNN does by the paper: both rows then differ by their input.
    network = copy.deepcopy(classifier).requires_grad_(True)
    return train_classifier(run, "srgan_cnn", network, view, data, config)


def super_resolved_predictor(generator: SuperResolver, classifier: nn.Module) -> TilePredictor:
    """Return a predictor on super-resolved LR; it ignores HR and the choice of patches."""

    def predictor(_hr: Tensor, lr: Tensor, _selected: Tensor) -> Tensor:
        return torch.softmax(classifier(generator(lr)).float(), dim=1)

    return predictor


def features(network: nn.Module, images: Tensor) -> Tensor:
    """Return the input of a classifier's last linear layer, (B, F)."""
    # A hook and not a method of the backbones: it works for every one of them.
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    caught: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0]))
    try:
        network(images)
    finally:
        hook.remove()
    return caught[0].float()


@contextmanager
def weights_held(network: nn.Module) -> Iterator[None]:
    """Keep gradients out of a network's weights; they still pass through to its input."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _cross_entropy(logits: Tensor, *, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits.float(), float(real)))
