"""Provenance of a bundle: the revision of the code, and the machine."""

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import torch

from training.run.machine import computes_bf16


@cache
def git_revision() -> str:
    """Return the commit of this checkout when first asked, or "unknown" outside one."""
    # An installed package may have neither git nor a checkout: training works there too.
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    # No check: outside a checkout git fails, which is an answer and not an error.
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    return result.stdout.strip() or "unknown"


def hardware(device: torch.device) -> str:
    """Describe the device for a report, without the machine's name.

    A CPU without bf16 is marked: figures computed in fp32 differ a little.
    """
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    bf16 = "" if computes_bf16(device) else ", without bf16"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}{bf16})"
