"""A small training for several processes: `torchrun ... --module tests.support.distributed FOLDER`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.training import CPU, tiny_run
from training.run import processes
from training.run.batches import Batch
from training.run.loop import Step, train_stage
from training.run.recipe import Stage


def step_for(net: nn.Module) -> Step[Batch]:
    """Return the cross-entropy step of a network on LR tiles."""

    def step(batch: Batch) -> tuple[Tensor, Mapping[str, Tensor | float]]:
        loss = F.cross_entropy(net(batch.lr), batch.labels)
        return loss, {"loss": loss, "images": float(len(batch.chosen))}

    return step


def train(out: Path) -> None:
    """Train one network without batch norm and an averaged one with it; check that all processes agree."""
    with processes.joined(CPU):
        tiny = tiny_run(out, augmentation="none")
        torch.manual_seed(1)
        net = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
        # 18 images in batches of 7: two batches of 7 and 11, so that shares are unequal.
        stage = Stage(epochs=3, learning_rate=0.05, batch=7, optimiser="sgd")
        train_stage(tiny.run, "toy", {"net": net}, tiny.data, stage, step_for(net))
        torch.manual_seed(2)
        normed = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Linear(48, 3))
        averaged = Stage(epochs=1, learning_rate=0.05, batch=7, optimiser="sgd", ema=0.5)
        train_stage(tiny.run, "averaged", {"net": normed}, tiny.data, averaged, step_for(normed))
        states = [*net.state_dict().values(), *normed.state_dict().values()]
        total = torch.stack([value.double().sum() for value in states])
        if processes.world_size() > 1:
            gathered = [torch.zeros_like(total) for _ in range(processes.world_size())]
            torch.distributed.all_gather(gathered, total)
            assert torch.equal(*gathered), "the processes hold different weights"


if __name__ == "__main__":
    train(Path(sys.argv[1]))
