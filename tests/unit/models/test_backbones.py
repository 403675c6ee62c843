"""Networks by name, and what building one imports."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.backbones import features_of


def test_cifar_resnet_is_built_without_torchvision_and_timm() -> None:
    code = (
        "import sys; sys.modules |= {'torchvision': None, 'timm': None}; "
        "from models.backbones import build_backbone; build_backbone('resnet8', 3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_features_have_the_strides_of_their_stages_and_no_later_blocks() -> None:
    fine, coarse = features_of("efficientnet_lite0", (2, 3))(torch.zeros(1, 3, 64, 64))
    assert (fine.shape, coarse.shape) == ((1, 40, 8, 8), (1, 112, 4, 4))
    shallow, whole = (
        sum(weight.numel() for weight in features_of("efficientnet_lite0", stages).parameters())
        for stages in ((2, 3), (1, 2, 3, 4))
    )
    assert shallow < whole / 4


@pytest.mark.parametrize(
    "name", ["hf_hub:x/y", "resnet8", "vit_tiny_patch16_224", "convnext_atto", "vgg11", "dla34"]
)
def test_a_network_without_features_of_these_strides_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        features_of(name, (1, 2, 3, 4))
