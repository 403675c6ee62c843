"""What every method works with: the recipe, the run, and images to learn from, to choose on and to test."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from training.data.images import ImageSource, centred, split_groups
from training.data.layouts import open_splits
from training.run import processes
from training.run.checkpoints import write_atomically
from training.run.initial_weights import start_backbone
from training.run.provenance import git_revision
from training.run.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where and how a run happens."""

    out: Path
    seed: int
    device: torch.device
    resume: bool = False
    compile: bool = False
    """torch.compile; what was measured of it is in docs/decisions/0012-training-libraries.md."""

    def log(self, **metrics: float | str) -> None:
        """Append one line to metrics.jsonl; every name is explained in training/README.md."""
        if processes.rank() == 0:
            with (self.out / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(metrics) + "\n")


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One run on one data set."""

    recipe: Recipe
    run: Run
    images: ImageSource
    """The training split."""
    learnt: Tensor
    """int64: the images that the stages train on."""
    validation: Tensor
    """int64: held out of `images`, for every choice that no gradient makes."""
    test: ImageSource
    """Measured on, never chosen on."""
    crops: ImageSource | None = None
    """`images` with the margin that random crops are taken from; None: there is no margin."""


@contextmanager
def open_lab(recipe: Recipe, data: Path, run: Run) -> Iterator[Lab]:
    """Read a recipe's data set; a tar stays unpacked for the while. DataError names what is wrong with it.

    ValueError if `run.out` holds another run, one that is under way, or an earlier one that was not asked to
    be resumed.
    """
    git_revision()
    size, lr_size = recipe.hr_size, recipe.lr_size
    read_at = recipe.crop_from or size
    with (
        _claimed(run, recipe),
        open_splits(recipe.data, data, read_at, lr_size, mean=recipe.mean, std=recipe.std) as (train, test),
    ):
        learnt, validation = split_groups(train, recipe.validation_per_class, run.seed)
        yield Lab(
            recipe=recipe,
            run=run,
            images=centred(train, read_at, size, lr_size).to(run.device),
            learnt=learnt,
            validation=validation,
            test=centred(test, read_at, size, lr_size).to(run.device),
            crops=train.to(run.device) if recipe.crop_from else None,
        )


def seed_everything(seed: int, stage: str, epoch: int) -> torch.Generator:
    """The one place where seeds are set: each epoch has its own, so a resumed run repeats an unbroken one.

    Returns the generator for shuffling, alike in every process; other draws differ between processes.
    """
    torch.manual_seed(_number(seed, stage, epoch, processes.rank()))
    return torch.Generator().manual_seed(_number(seed, stage, epoch, "shuffle"))


def new_network(lab: Lab, stage: str, backbone: str, outputs: int, *, pretrained: bool = False) -> nn.Module:
    """A backbone whose random weights depend on the seed and the stage only."""
    seed_start(lab, stage)
    return start_backbone(backbone, outputs, pretrained=pretrained).to(lab.run.device)


def seed_start(lab: Lab, stage: str) -> None:
    """Seed the random weights that a stage starts from."""
    torch.manual_seed(_number(lab.run.seed, "start", stage))


def _number(*words: object) -> int:
    return int.from_bytes(hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:7], "big")


@contextmanager
def _claimed(run: Run, recipe: Recipe) -> Iterator[None]:
    """Keep others out of the folder meanwhile: two that train one stage would write over each other.

    The kernel frees the lock of a process that was killed.
    """
    with ExitStack() as held:
        if processes.rank() == 0:
            run.out.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(FileLock(run.out / "run.lock", blocking=False))
            except Timeout:
                raise ValueError(
                    f"another run is writing {run.out}: wait for it, or choose another folder"
                ) from None
        _mark(run, recipe)
        yield


def _mark(run: Run, recipe: Recipe) -> None:
    """Mark the folder as this run's, so that no other recipe or seed goes on from its checkpoints.

    A recipe that has gained stages since is still the same, and so is one whose fields have become fewer.
    """
    mark = run.out / "run.json"
    facts = {"seed": run.seed, **recipe.settings}
    if mark.exists():
        if not run.resume:
            raise ValueError(f"{run.out} holds an earlier run: add --resume or choose another folder")
        before = json.loads(mark.read_text())
        known = before.keys() & {field.name for field in fields(Recipe)}
        if changed := sorted(name for name in known if facts.get(name) != before[name]):
            raise ValueError(
                f"{run.out} holds a run with another {', '.join(changed)}: choose another folder"
            )
    processes.wait()
    if processes.rank() == 0:
        write_atomically(mark, json.dumps(facts, indent=1).encode())
    processes.wait()
