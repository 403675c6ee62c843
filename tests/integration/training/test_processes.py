"""Two real processes under torchrun against one: the same gradients, one set of files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.support.distributed import train


def train_in_two_processes(out: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*command, "--module", "tests.support.distributed", str(out)],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def outs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folders = {count: tmp_path_factory.mktemp(f"processes{count}") for count in (1, 2)}
    train(folders[1])
    train_in_two_processes(folders[2])
    return folders


def test_two_processes_learn_what_one_does(outs: dict[int, Path]) -> None:
    one, two = (load_file(outs[count] / "toy.safetensors") for count in (1, 2))
    for name, value in one.items():
        assert torch.allclose(two[name], value, atol=1e-5), name


def test_averaged_weights_go_with_the_statistics_of_every_process(outs: dict[int, Path]) -> None:
    saved = load_file(outs[2] / "averaged.safetensors")
    for name in ("running_mean", "running_var"):
        assert torch.equal(saved[f"average net/1.{name}"], saved[f"net/1.{name}"])
    alone = load_file(outs[1] / "averaged.safetensors")
    mean = "average net/1.running_mean"
    assert torch.allclose(saved[mean], alone[mean], atol=0.05)  # shares of a batch are unequal


def test_first_process_writes_all_files(outs: dict[int, Path]) -> None:
    assert len((outs[2] / "metrics.jsonl").read_text().splitlines()) == 3 + 1
    assert len(list((outs[2] / "tensorboard").iterdir())) == 2  # a file a stage
