"""Data-parallel training under torchrun: equal networks in every process, and a share of each batch.

DistributedDataParallel wraps `forward`, and most steps call other methods of several networks; here the
gradients are averaged after the backward pass, in one message a step.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

LONGEST_WAIT = timedelta(days=2)
"""Time-out of a wait for other processes; torch's 10 minutes end the run while process 0 measures alone."""


def rank() -> int:
    """Return the number that torchrun gave this process, or 0; process 0 writes the files."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the group that torchrun set up, if it did; yields the device of this process."""
    # torchrun sets it; without torchrun there is one process and nothing to join.
    if "LOCAL_RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        # Tensors made without a device, and NCCL, follow the current device: it must be this process's.
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def share(chosen: Tensor) -> Tensor:
    """Return this process's part of a batch of indices (B,)."""
    # Contiguous parts in the order of the ranks: together they are the batch.
    return chosen.tensor_split(world_size())[rank()]


def average_gradients(parameters: Iterable[nn.Parameter], weight: float) -> None:
    """Replace gradients by their sum over processes times `weight`, this process's share of the batch."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    # One flat message (P,): a message for each parameter would wait for the network each time.
    flat = torch.cat([gradient.flatten() for gradient in gradients]) * weight
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def average_buffers(networks: Iterable[nn.Module]) -> None:
    """Give every process the mean of the running statistics."""
    if world_size() == 1:
        return
    for network in networks:
        for buffer in network.buffers():
            # Each process saw its own share of the batches; batch norm's integer counters are equal already.
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer.div_(world_size())


def average(values: dict[str, float]) -> dict[str, float]:
    """Return the means over processes of an epoch's metrics."""
    if world_size() == 1:
        return values
    # Sorted: every process must put the same metric in the same place of the message.
    names = sorted(values)
    means = torch.tensor([values[name] for name in names], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        means = means.cuda()
    # Every process sums the same names: a metric that one lacks would hang all of them here.
    dist.all_reduce(means)
    return dict(zip(names, (means / world_size()).tolist(), strict=True))


def wait() -> None:
    """Wait for every process: files that process 0 wrote before can be read afterwards."""
    if world_size() > 1:
        dist.barrier()
