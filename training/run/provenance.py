"""What made a bundle: the revision of the code and the machine."""

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import torch

from training.run.precision import computes_bf16


@cache
def git_revision() -> str:
    """Commit of this checkout when first asked, or "unknown" outside one.

    A run asks when it starts: what was committed while it ran is not what ran.
    """
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    return result.stdout.strip() or "unknown"


def hardware(device: torch.device) -> str:
    """In words, without naming the machine, and whether a CPU has no bf16: then figures differ a little."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    bf16 = "" if computes_bf16(device) else ", without bf16"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}{bf16})"
