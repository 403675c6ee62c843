"""The machine's settings: where networks compute in bf16, and how freed memory is kept.

Giving activations back to the system in each step costs a third of the time on a CPU: glibc maps every
block of more than 32 MB and unmaps it when freed, and the kernel clears each page again. Measured on two
cores, EfficientNet-Lite0 in batches of 32: 43 to 60 images/s at 160 px, 16 to 26 at 224 px.
"""

import ctypes
import sys
from contextlib import AbstractContextManager

import torch

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""Names in `torch.cpu.get_capabilities`; the last is ARM's."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of mallopt in glibc's malloc.h."""


def inference_precision(device: torch.device) -> AbstractContextManager[None]:
    """Compute passes without gradient in bf16 where the device has it: 1.6 to 2.3 times as fast as fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device))


def training_precision(device: torch.device, *, bf16_on_cpu: bool) -> AbstractContextManager[None]:
    """Train in bf16 on CUDA, and on a CPU that has it where the recipe asks for it."""
    # On a CPU bf16 is faster for CIFAR networks but not for depthwise convolutions, so the recipe decides.
    wanted = device.type == "cuda" or bf16_on_cpu
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and computes_bf16(device))


def computes_bf16(device: torch.device) -> bool:
    """Return whether the device has instructions for bf16."""
    # A CPU that emulates bf16 takes 7 to 17 times as long as in fp32.
    if device.type != "cpu":
        return True
    has = torch.cpu.get_capabilities()
    # Without oneDNN torch does not use the instructions even where the CPU has them.
    onednn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return onednn and any(has.get(name) for name in BF16_INSTRUCTIONS)


def keep_freed_memory() -> None:
    """Make glibc's malloc keep freed memory; do nothing with another C library."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has no mallopt
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # no block is mapped on its own, however large
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # the heap's end is never given back
