"""Checkpoints: written whole or not at all, and restored strictly."""

from pathlib import Path

import pytest
import torch
from torch import nn

from training.run.checkpoints import (
    load_tensors,
    load_training,
    save_tensors,
    save_training,
    write_atomically,
)


def trained(network: nn.Module, steps: int, optimiser: torch.optim.Optimizer) -> None:
    for _ in range(steps):
        loss = network(torch.ones(2, 3)).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_write_atomically_leaves_the_old_file_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.ones(2)}, {"epoch": 1})

    def power_cut(_descriptor: int) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("os.fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write_atomically(path, b"half a fi")
    tensors, facts = load_tensors(path)
    assert (tensors["x"].tolist(), facts) == ([1.0, 1.0], {"epoch": 1})


def test_write_atomically_writes_in_the_first_process_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        write_atomically(tmp_path / f"rank{rank}", b"here")
    assert [path.name for path in tmp_path.iterdir()] == ["rank0"]


def test_load_training_restores_the_optimisers_moments(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    one, two = (torch.optim.AdamW(network.parameters(), 0.1) for network in (first, second))
    trained(first, 3, one)
    save_training(tmp_path / "c", {"network": first}, one, {"epoch": 3})
    assert load_training(tmp_path / "c", {"network": second}, two) == {"epoch": 3}
    trained(first, 2, one)
    trained(second, 2, two)
    assert torch.equal(first.weight, second.weight)


def test_load_training_refuses_another_network(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    save_training(tmp_path / "c", {"network": network}, torch.optim.AdamW(network.parameters()), {})
    other = nn.Linear(4, 2)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_training(tmp_path / "c", {"network": other}, torch.optim.AdamW(other.parameters()))
