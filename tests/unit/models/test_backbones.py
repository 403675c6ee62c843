"""Networks by name, and what building one imports."""

import subprocess
import sys
from pathlib import Path


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
