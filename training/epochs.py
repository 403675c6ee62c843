"""What every stage shares: seeds, the learning-rate schedule, resuming and the metrics file."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from training.checkpoints import load_training, save_training


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where and how a run happens."""

    out: Path
    seed: int
    device: torch.device
    resume: bool = False

    def log(self, **metrics: float | str) -> None:
        """Append one line to metrics.jsonl; every name is explained in training/README.md."""
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(metrics) + "\n")


def seed_everything(seed: int, stage: str, epoch: int) -> None:
    """The one place where seeds are set: each epoch has its own, so a resumed run repeats an unbroken one."""
    digest = hashlib.sha256(f"{seed} {stage} {epoch}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:7], "big"))


def learning_rate(progress: float, peak: float, warm_up: float = 0.15) -> float:
    """Linear warm-up, then a half cosine to zero; progress in 0..1."""
    if progress < warm_up:
        return peak * (progress / warm_up * 0.95 + 0.05)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the same rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def batches(indices: Tensor, size: int) -> Iterator[Tensor]:
    """Shuffled batches; the last, ragged one joins the one before it: batch norm needs company."""
    shuffled = indices[torch.randperm(len(indices))]
    count = max(1, len(indices) // size)
    yield from shuffled.tensor_split([size * i for i in range(1, count)])


def inference_precision(device: torch.device) -> AbstractContextManager[None]:
    """bf16 for passes without gradient: 1.6 to 2.3 times faster, also on CPUs that have avx512_bf16.

    Training on the CPU stays in fp32: measured slower in bf16 below 224 px.
    """
    return torch.autocast(device.type, torch.bfloat16)


def training_precision(device: torch.device) -> AbstractContextManager[None]:
    """bf16 on CUDA only."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def run_epochs(
    run: Run,
    stage: str,
    epochs: int,
    networks: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    one_epoch: Callable[[int], Mapping[str, float]],
) -> None:
    """Run, log and save epochs 0 .. epochs - 1 of a stage, from where a resumed run stopped."""
    path = run.out / f"{stage}.safetensors"
    start = 0
    if run.resume and path.exists():
        start = int(load_training(path, networks, optimiser)["epoch"]) + 1
    for epoch in tqdm(range(start, epochs), desc=stage, initial=start, total=epochs):
        seed_everything(run.seed, stage, epoch)
        begun = time.monotonic()
        metrics = one_epoch(epoch)
        run.log(stage=stage, epoch=epoch, seconds=round(time.monotonic() - begun, 1), **metrics)
        save_training(path, networks, optimiser, {"stage": stage, "epoch": epoch})
