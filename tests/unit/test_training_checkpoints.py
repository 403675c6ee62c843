import json
import math

import pytest
import torch
from torch import nn

from training.checkpoints import load_tensors, load_training, save_tensors, save_training, write_atomically
from training.epochs import Run, batches, learning_rate, run_epochs, seed_everything


def trained(network: nn.Module, steps: int, optimiser: torch.optim.Optimizer) -> None:
    for _ in range(steps):
        loss = network(torch.ones(2, 3)).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"x": torch.ones(2)}, {"epoch": 1})

    def power_cut(_descriptor):
        raise OSError("power cut")

    monkeypatch.setattr("os.fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write_atomically(path, b"half a fi")
    tensors, facts = load_tensors(path)
    assert (tensors["x"].tolist(), facts) == ([1.0, 1.0], {"epoch": 1})


def test_optimiser_moments_come_back(tmp_path):
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    one, two = (torch.optim.AdamW(network.parameters(), 0.1) for network in (first, second))
    trained(first, 3, one)
    save_training(tmp_path / "c", {"network": first}, one, {"epoch": 3})
    assert load_training(tmp_path / "c", {"network": second}, two) == {"epoch": 3}
    trained(first, 2, one)
    trained(second, 2, two)
    assert torch.equal(first.weight, second.weight)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    network = nn.Linear(3, 2)
    save_training(tmp_path / "c", {"network": network}, torch.optim.AdamW(network.parameters()), {})
    other = nn.Linear(4, 2)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_training(tmp_path / "c", {"network": other}, torch.optim.AdamW(other.parameters()))


def drawn(run: Run, epochs: int) -> list[float]:
    """What a stage draws at random in each epoch."""
    network, values = nn.Linear(3, 2), []
    optimiser = torch.optim.AdamW(network.parameters())

    def one_epoch(_epoch):
        values.append(float(torch.rand(())))
        return {"value": values[-1]}

    run_epochs(run, "stage", epochs, {"network": network}, optimiser, one_epoch)
    return values


def test_a_resumed_stage_goes_on_where_it_stopped(tmp_path):
    def run(name: str, *, resume: bool) -> Run:
        (tmp_path / name).mkdir(exist_ok=True)
        return Run(out=tmp_path / name, seed=0, device=torch.device("cpu"), resume=resume)

    unbroken = drawn(run("a", resume=False), 4)
    assert drawn(run("b", resume=False), 2) + drawn(run("b", resume=True), 4) == unbroken
    assert drawn(run("b", resume=True), 4) == []
    logged = [json.loads(line) for line in (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in logged] == [0, 1, 2, 3]
    assert [line["value"] for line in logged] == unbroken


def test_every_seed_stage_and_epoch_draws_differently():
    values = set()
    for place in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1)]:
        seed_everything(*place)
        values.add(float(torch.rand(())))
    assert len(values) == 4


def test_learning_rate_warms_up_and_cools_to_nothing():
    rates = [learning_rate(step / 100, 1.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 15
    assert math.isclose(rates[-1], 0.0, abs_tol=1e-12)


@pytest.mark.parametrize("count", [1, 7, 8, 15, 17])
def test_batches_cover_everything_and_none_is_ragged(count):
    parts = list(batches(torch.arange(count), 8))
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    assert min(len(part) for part in parts) >= min(count, 8)
