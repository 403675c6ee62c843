"""Backbones by name: the CIFAR ResNets of He et al. 2016, torchvision's ResNets, any timm network."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

CIFAR_BLOCKS = {"resnet8": 1, "resnet32": 5}
"""Blocks per stage, n, of a network with stages [n, n, n]; its depth is 6 n + 2."""

RESNETS = {
    "resnet10": ("BasicBlock", [1, 1, 1, 1]),
    "resnet18": ("BasicBlock", [2, 2, 2, 2]),
    "resnet34": ("BasicBlock", [3, 4, 6, 3]),
    "resnet50": ("Bottleneck", [3, 4, 6, 3]),
}
"""Kind of block and blocks per stage of torchvision's ResNets."""

HALF_RESNET18 = "resnet18_half"
"""ResNet18 with half the channels after its stem, small enough to train on two CPU cores."""


def build_backbone(name: str, classes: int) -> nn.Module:
    """Build a randomly initialised network that maps (B, 3, H, H) to logits (B, classes).

    Raise ValueError if the name is unknown.
    """
    if name in CIFAR_BLOCKS:
        return CifarResNet(CIFAR_BLOCKS[name], classes)
    return _residual(name, classes) if name in RESNETS else _of_timm(name, classes)


def _residual(name: str, classes: int) -> nn.Module:
    # torchvision loads torch's compiler, 2.5 s of CPU time: only who wants such a network pays for it.
    from torchvision.models import resnet  # noqa: PLC0415  (as just said)

    kind, layers = RESNETS[name]
    network: nn.Module = resnet.ResNet(getattr(resnet, kind), layers, num_classes=classes)
    return network


def _of_timm(name: str, classes: int) -> nn.Module:
    import timm  # noqa: PLC0415  (it imports torchvision)

    if name == HALF_RESNET18:
        block: Any = timm.models.resnet.BasicBlock  # timm annotates the parameter as an instance, not a class
        half: nn.Module = timm.models.resnet.ResNet(
            block, (2, 2, 2, 2), num_classes=classes, channels=(32, 64, 128, 256)
        )
        return half
    # Accept only names in timm's own registry: "hf_hub:..." would download from the network.
    if not timm.is_model(name):
        raise ValueError(f"The backbone {name!r} is unknown.")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    if name.startswith("efficientnet_lite"):
        # The ImageNet weights were trained with TensorFlow's eps, not 1e-5.
        _set_batch_norm_eps(network, 1e-3)
    return network


def features_of(name: str, stages: tuple[int, ...]) -> nn.Module:
    """Build a randomly initialised network that maps (B, 3, H, W) to the features of some of its stages.

    Stage n has stride 2 ** (n + 1); later stages are left out. Raise ValueError if the name is not timm's,
    or if the network has no such stages.
    """
    import timm  # noqa: PLC0415  (it imports torchvision)

    if not timm.is_model(name):
        raise ValueError(f"The backbone {name!r} is unknown.")
    try:
        network: Any = timm.create_model(name, features_only=True, out_indices=stages, pretrained=False)
        strides = tuple(network.feature_info.reduction())
    # Every family of timm's networks that has no such features says so with another exception.
    except (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"The backbone {name!r} has no features of the stages {stages}: {error}") from error
    if strides != (wanted := tuple(2 ** (stage + 1) for stage in stages)):
        raise ValueError(f"The backbone {name!r} has features of the strides {strides}, not {wanted}.")
    if name.startswith("efficientnet_lite"):
        _set_batch_norm_eps(network, 1e-3)
        # timm keeps all blocks. Those after the last stage would be stored and run for nothing.
        last = int(network.feature_info.module_name()[-1].removeprefix("blocks."))
        network.blocks = network.blocks[: last + 1]
    module: nn.Module = network
    return module


def _set_batch_norm_eps(network: nn.Module, eps: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps


class CifarBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, width, H / stride, W / stride)."""
        inner: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class CifarResNet(nn.Module):
    """A 3x3 stem and three stages of n blocks with 16, 32 and 64 channels (He et al. 2016, section 4.2)."""

    def __init__(self, n: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        stages = [_stage(16, 16, n, 1), _stage(16, 32, n, 2), _stage(32, 64, n, 2)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(64, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, 3, H, H) to logits (B, classes)."""
        features = self.stages(self.stem(x)).mean((2, 3))  # (B, 64, H / 4, H / 4) -> (B, 64)
        logits: Tensor = self.head(features)
        return logits


def _stage(width_in: int, width: int, n: int, stride: int) -> nn.Sequential:
    first = CifarBlock(width_in, width, stride)
    return nn.Sequential(first, *(CifarBlock(width, width, 1) for _ in range(n - 1)))
