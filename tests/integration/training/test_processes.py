"""Two real processes under torchrun against one: the same gradients, one set of files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from tests.support.training import tiny_run
from torch import nn

from training.run import processes
from training.run.loop import train_stage
from training.run.recipe import Stage

with processes.joined(torch.device("cpu")):
    tiny = tiny_run(Path(sys.argv[1]), augmentation="none")
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))

    def step(batch):
        loss = F.cross_entropy(net(batch.lr), batch.labels)
        return loss, {"loss": loss, "images": float(len(batch.chosen))}

    # 18 images in batches of 7: two batches of 7 and 11, so that shares are unequal.
    stage = Stage(epochs=3, learning_rate=0.05, batch=7, optimiser="sgd")
    train_stage(tiny.run, "toy", {"net": net}, tiny.data, stage, step)
    torch.manual_seed(2)
    normed = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Linear(48, 3))

    def normed_step(batch):
        loss = F.cross_entropy(normed(batch.lr), batch.labels)
        return loss, {"loss": loss}

    averaged = Stage(epochs=1, learning_rate=0.05, batch=7, optimiser="sgd", ema=0.5)
    train_stage(tiny.run, "averaged", {"net": normed}, tiny.data, averaged, normed_step)
    total = torch.stack([net[1].weight.sum(), normed[1].running_mean.sum(), normed[2].weight.sum()]).detach()
    if processes.world_size() > 1:
        gathered = [torch.zeros(3) for _ in range(processes.world_size())]
        torch.distributed.all_gather(gathered, total)
        assert torch.equal(*gathered), "the processes hold different weights"
"""


def run(folder: Path, count: int) -> Path:
    out = folder / f"out{count}"
    out.mkdir()
    script = folder / "train.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    path = os.pathsep.join((str(root), str(root / "tests")))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*command, str(script), str(out)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def outs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    return {count: run(folder, count) for count in (1, 2)}


def test_two_processes_learn_what_one_does(outs):
    one, two = (load_file(outs[count] / "toy.safetensors") for count in (1, 2))
    for name, value in one.items():
        assert torch.allclose(two[name], value, atol=1e-5), name


def test_averaged_weights_go_with_the_statistics_of_every_process(outs):
    saved = load_file(outs[2] / "averaged.safetensors")
    for name in ("running_mean", "running_var"):
        assert torch.equal(saved[f"average net/1.{name}"], saved[f"net/1.{name}"])
    alone = load_file(outs[1] / "averaged.safetensors")
    mean = "average net/1.running_mean"
    assert torch.allclose(saved[mean], alone[mean], atol=0.05)  # shares of a batch are unequal


def test_one_process_writes_the_files(outs):
    assert len((outs[2] / "metrics.jsonl").read_text().splitlines()) == 3 + 1
    assert len(list((outs[2] / "tensorboard").iterdir())) == 2  # a file a stage
