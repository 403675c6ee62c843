"""Checkpoints: one safetensors file with its JSON in the header, so that one rename replaces both."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from training.run import processes


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part.

    Only process 0 of several that train together writes.
    """
    if processes.rank() > 0:
        return
    # In the same folder: a rename is atomic within one file system only.
    temporary = path.with_name(path.name + ".partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        # Without the sync a power cut after the rename could leave an empty file under the final name.
        os.fsync(file.fileno())
    temporary.replace(path)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Save tensors by name with JSON-serialisable facts, atomically."""
    # safetensors takes contiguous tensors only; channels_last weights are not.
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomically(path, save(kept, {"facts": json.dumps(facts, sort_keys=True)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load the tensors and the facts that `save_tensors` wrote."""
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
        return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - not a dict


def save_training(
    path: Path, networks: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, facts: Mapping[str, Any]
) -> None:
    """Save networks and the optimiser's moments."""
    # Learning rates are a function of the step (loop.learning_rate): they are not saved.
    tensors = {
        f"{name}/{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    # Moments are numbered in the order of the parameters: a resumed stage must build them in that order.
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{key}": value for key, value in moments.items()}
    save_tensors(path, tensors, facts)


def load_training(
    path: Path, networks: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer
) -> dict[str, Any]:
    """Restore in place what `save_training` wrote and return the facts.

    RuntimeError if a network's weights have other names or shapes.
    """
    tensors, facts = load_tensors(path)
    for name, network in networks.items():
        prefix = f"{name}/"
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        # Strict: half of another network's weights would train without an error.
        network.load_state_dict(state, strict=True)
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser/"):
            # Back from "optimiser/<number>/<moment>" to what torch wants: {number: {moment: tensor}}.
            _, number, moment = key.split("/")
            moments.setdefault(int(number), {})[moment] = value
    # The groups stay as they were built: their settings come from the recipe, not from the file.
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return facts
