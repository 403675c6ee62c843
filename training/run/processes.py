"""Several processes on one training, started by torchrun: equal networks, each its share of every batch."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

LONGEST_WAIT = timedelta(days=2)
"""The others wait while process 0 measures alone; torch's 10 minutes would end the run meanwhile."""


def rank() -> int:
    """Number of this process, torchrun's or 0; 0 is the one that writes files."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the group that torchrun set up, if it did; yields the device of this process."""
    if "LOCAL_RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def share(chosen: Tensor) -> Tensor:
    """This process's part of a batch."""
    return chosen.tensor_split(count())[rank()]


def average_gradients(parameters: Iterable[nn.Parameter], weight: float) -> None:
    """Replace gradients by their sum over processes times `weight`, this one's share of the batch.

    One flat message for all of them. With one process nothing changes.
    """
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients]) * weight
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def average_buffers(networks: Iterable[nn.Module]) -> None:
    """Give every process the mean of the running statistics, each having seen its own share."""
    if count() == 1:
        return
    for network in networks:
        for buffer in network.buffers():
            if buffer.is_floating_point():
                dist.all_reduce(buffer)
                buffer.div_(count())


def average(values: dict[str, float]) -> dict[str, float]:
    """Means over processes of an epoch's metrics."""
    if count() == 1:
        return values
    names = sorted(values)
    means = torch.tensor([values[name] for name in names], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        means = means.cuda()
    dist.all_reduce(means)
    return dict(zip(names, (means / count()).tolist(), strict=True))


def wait() -> None:
    """Until every process is here: files written by process 0 can then be read."""
    if count() > 1:
        dist.barrier()
