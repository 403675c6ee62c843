"""Images per second of our Pt and Ft-2 steps against the authors', with equal networks, batches and images.

    python tests/benchmarks/training_throughput.py --authors DIR --data CIFAR10

DIR is a checkout of the authors' repository (ermongroup/PatchDrop, commit 35b45e7), which does not run as
published. Its `train` functions are read from its files and run unchanged except for REPAIRS, each of which
must match. Both sides use our ResNet8 (policy, 8 px) and ResNet32 (classifiers) and take turns in a process.
The results are the medians and their ratio, once with the authors' data loader and once with its batches
decoded beforehand, which leaves only the step.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
import tqdm
from torch import Tensor, nn
from torch.autograd import Variable
from torch.distributions import Bernoulli
from torch.utils.data import DataLoader, Subset

from models.backbones import build_backbone
from models.policy import PolicyConfig, PolicyNetwork
from models.two_stream import TwoStreamClassifier
from training.methods.fine_tune import train_jointly
from training.methods.out_of_fold import in_sample_ensemble
from training.methods.reinforce import train_policy
from training.run.folder import Run
from training.run.machine import keep_freed_memory
from training.run.provenance import git_revision, hardware
from training.run.recipe import Recipe, load_recipe
from training.run.splits import Splits, open_run

REPAIRS: dict[str, list[tuple[str, str]]] = {
    "pretrain.py": [(".cuda(async=True)", ".to(DEVICE)"), (".cuda()", ".to(DEVICE)")],
    "finetune2stream.py": [(".cuda(async=True)", ".to(DEVICE)"), (".cuda()", ".to(DEVICE)")],
    "utils/utils.py": [
        ("return input_org.cuda()", "return input_org.to(DEVICE)"),
        ("np.int)", "np.int64)"),
        ("np.str)", "str)"),
        ("from utils.fmow_dataloader import CustomDatasetFromImages", ""),
    ],
}
"""Replacements of code that current Python, torch and NumPy refuse, and of the device. No step changes."""


CLASSES = 10
"""Classes of CIFAR-10; ours takes equally many images of each."""


def repaired(source: str, repairs: list[tuple[str, str]]) -> str:
    """Apply every repair to a source. Raise ValueError if one does not match, as in another version."""
    for old, new in repairs:
        if old not in source:
            raise ValueError(f"The authors' file has no {old!r}: check out commit 35b45e7.")
        source = source.replace(old, new)
    return source


def read(authors: Path, name: str) -> str:
    """Read one of the authors' files and repair it."""
    return repaired((authors / name).read_text(), REPAIRS[name])


class Addressed(nn.Module):
    """A network of ours with the signature that the authors' code calls."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, _data_set: str, _resolution: str) -> Tensor:
        """Return the network's output; the other arguments choose a pooling that it does not need."""
        output: Tensor = self.network(images)
        return output


def their_epoch(
    authors: Path,
    name: str,
    networks: dict[str, Addressed],
    loader: Iterable[Any],
    options: SimpleNamespace,
) -> Callable[[], None]:
    """Bind the authors' `train(epoch)` to our networks and a loader."""
    library: dict[str, Any] = {"DEVICE": options.device}
    exec(compile(read(authors, "utils/utils.py"), "utils.py", "exec"), library)  # noqa: S102 - a checkout the user names
    source = read(authors, name)
    body = source[source.index("def train(epoch):") : source.index("def test(epoch):")]
    mappings, _, patch = library["action_space_model"]("C10")
    trained = [parameter for key in options.trained for parameter in networks[key].parameters()]
    scope: dict[str, Any] = {
        "DEVICE": options.device, "torch": torch, "F": F, "Variable": Variable, "Bernoulli": Bernoulli,
        "tqdm": SimpleNamespace(tqdm=lambda batches, **_: tqdm.tqdm(batches, disable=True)),
        "utils": SimpleNamespace(**library), "mappings": mappings, "patch_size": patch,
        "args": SimpleNamespace(
            parallel=False, alpha=0.8, lr_size=8, model="R32_C10", penalty=options.penalty
        ),
        "trainloader": loader, "optimizer": torch.optim.Adam(trained, lr=1e-4),
        "log_value": lambda *_: None, "print": lambda *_: None, **networks,
    }  # fmt: skip
    exec(compile(body, name, "exec"), scope)  # noqa: S102 - as above

    def run() -> None:
        scope["train"](0)

    return run


def their_loader(authors: Path, data: Path, images: int, batch: int, workers: int) -> DataLoader[Any]:
    """Load CIFAR-10 through the authors' transforms."""
    library: dict[str, Any] = {"DEVICE": "cpu"}
    exec(compile(read(authors, "utils/utils.py"), "utils.py", "exec"), library)  # noqa: S102 - as above
    transform, _ = library["get_transforms"]("R32", "C10")
    whole = torchvision.datasets.CIFAR10(str(data), train=True, transform=transform)
    return DataLoader(Subset(whole, range(images)), batch, shuffle=True, num_workers=workers)


def our_stage(
    device: torch.device, splits: Splits, step: str, recipe: Recipe, out: Path
) -> Callable[[], None]:
    """Return one epoch of our own stage, with its checkpoint and its recomputed batch norm."""
    count = 0

    def run() -> None:
        nonlocal count
        count += 1
        place = out / f"{step}{count}"
        place.mkdir()
        here = Run(out=place, seed=0, device=device, bf16_on_cpu=recipe.bf16_on_cpu)
        policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8, head="independent"))
        hr, lr = (build_backbone("resnet32", 10).eval().requires_grad_(False) for _ in range(2))
        streams = TwoStreamClassifier(hr, lr, lr_input_size=8, fill="zero").to(device).eval()
        if step == "pt":
            ensemble = in_sample_ensemble(streams, splits.images)
            train_policy(here, step, policy, ensemble, splits, recipe.stage(step), hr_only=True)
        else:
            train_jointly(here, step, policy, streams, splits, recipe.stage(step), one_stream=False)

    return run


def seconds(run: Callable[[], None]) -> float:
    """Return the wall time of a run, including the device's work."""
    begun = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def compare(
    options: argparse.Namespace, device: torch.device, step: str, splits: Splits, recipe: Recipe, out: Path
) -> dict[str, Any]:
    """Return the median images/s of both sides, and their ratio."""
    batch = recipe.stage(step).batch
    loader = their_loader(options.authors, options.data, options.images, batch, options.workers)
    ready = list(loader)
    networks = {
        "agent": Addressed(build_backbone("resnet8", 16)).to(device),
        "rnet": Addressed(build_backbone("resnet32", 10)).to(device).eval(),
        "rnet_hr": Addressed(build_backbone("resnet32", 10)).to(device),
        "rnet_lr": Addressed(build_backbone("resnet32", 10)).to(device).eval(),
    }
    name, trained = {"pt": ("pretrain.py", ["agent"]), "ft2": ("finetune2stream.py", ["agent", "rnet_hr"])}[
        step
    ]
    settings = SimpleNamespace(device=device, penalty=-0.5 if step == "pt" else -5, trained=trained)
    sides = {
        "theirs": their_epoch(options.authors, name, networks, loader, settings),
        "theirs, images ready": their_epoch(options.authors, name, networks, ready, settings),
        "ours": our_stage(device, splits, step, recipe, out),
    }
    times: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(options.repeats + 1):
        for side, run in sides.items():
            taken = seconds(run)
            if repeat:  # the first round warms up
                times[side].append(taken)
    speeds = {side: options.images / median(taken) for side, taken in times.items()}
    ratios = {f"ours / {side}": speeds["ours"] / speeds[side] for side in ("theirs", "theirs, images ready")}
    return {"batch": batch, "images_per_second": speeds, **ratios}


def same_share_of_each_class(splits: Splits, images: int) -> torch.Tensor:
    """Return the indices of this many training images, with equally many of each class."""
    learnt, classes = splits.learnt, len(splits.images.classes)
    labels = splits.images.labels[learnt]
    return torch.cat([learnt[labels == label][: images // classes] for label in range(classes)])


def main() -> None:
    """Compare both steps and print the result as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--authors", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--images", type=int, default=5120, help="Training images; a multiple of 10 and of both batches."
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument("--pt-batch", type=int, default=1024)
    parser.add_argument("--ft-batch", type=int, default=256)
    options = parser.parse_args()
    if any(options.images % size for size in (CLASSES, options.pt_batch, options.ft_batch)):
        parser.error("--images must be a multiple of 10 and of both batches, so that all batches are full.")
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = load_recipe("cifar10")
    recipe = replace(
        base, lr_input=8, bf16_on_cpu=True,
        pt=replace(base.stage("pt"), epochs=1, batch=options.pt_batch),
        ft2=replace(base.stage("ft2"), epochs=1, batch=options.ft_batch),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run = Run(out=out / "data", seed=0, device=device)
        with open_run(recipe, options.data, run) as splits:
            few = replace(splits, learnt=same_share_of_each_class(splits, options.images))
            found = {step: compare(options, device, step, few, recipe, out) for step in ("pt", "ft2")}
    facts = {
        "hardware": hardware(device),
        "torch": torch.__version__,
        "commit": git_revision(),
        "numpy": np.__version__,
    }
    print(json.dumps({**facts, "images": options.images, **found}, indent=1))


if __name__ == "__main__":
    main()
