"""The folder of a run: its checkpoints and metrics, and the marks that keep other runs out of it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from filelock import FileLock, Timeout

from training.run import processes
from training.run.checkpoints import write_atomically


class Settings(Protocol):
    """A recipe, as the folder of a run remembers it: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def settings(self) -> dict[str, Any]:
        """Every choice that the recipe makes, JSON-serialisable."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Folder, seed and machine settings of a run: everything that is neither data nor method."""

    out: Path
    seed: int
    device: torch.device
    resume: bool = False
    """Whether stages continue from the checkpoints in `out`."""
    compile: bool = False
    """Whether networks go through torch.compile; docs/decisions/0012-training-libraries.md has its gain."""
    bf16_on_cpu: bool = False
    """Whether training uses bf16 on a CPU that computes it; on CUDA it always does."""
    at_once: int = 1
    """Stages to train at the same time, each in a process of its own, where they do not need each other."""

    def log(self, **metrics: float | str) -> None:
        """Append one line to metrics.jsonl; training/README.md explains every name."""
        # One writer: processes that train together would interleave their lines.
        if processes.rank() == 0:
            with (self.out / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(metrics) + "\n")


@contextmanager
def claimed(run: Run, recipe: Settings) -> Iterator[None]:
    """Hold the lock on the folder, and check that it is new or holds this very run.

    ValueError if another process holds the lock, or if the folder holds another run.
    """
    with ExitStack() as held:
        if processes.rank() == 0:
            # One process holds the lock for all: they share the folder.
            run.out.mkdir(parents=True, exist_ok=True)
            try:
                # The kernel frees the lock of a killed process, so a crash never blocks a later resume.
                held.enter_context(FileLock(run.out / "run.lock", blocking=False))
            except Timeout:
                raise ValueError(
                    f"Another run is writing to {run.out}: wait until it ends, or choose another folder."
                ) from None
        _mark(run, recipe)
        yield


def _mark(run: Run, recipe: Settings) -> None:
    """Write the recipe and the seed into the folder. ValueError if those of another run are there.

    A recipe counts as the same if stages were added to it or fields were removed since, and if it differs in
    fields whose metadata says that nothing is learnt from them.
    """
    # The checkpoints hold no settings: without the mark another recipe could continue from them.
    mark = run.out / "run.json"
    facts = {"seed": run.seed, **recipe.settings}
    if mark.exists():
        if not run.resume:
            raise ValueError(f"{run.out} holds an earlier run: add --resume, or choose another folder.")
        before = json.loads(mark.read_text())
        # Fields that a later version of Recipe has dropped cannot differ any more.
        known = before.keys() & {one.name for one in fields(recipe) if one.metadata.get("learnt", True)}
        if changed := sorted(name for name in known if facts.get(name) != before[name]):
            raise ValueError(
                f"{run.out} holds a run with a different {', '.join(changed)}: choose another folder."
            )
    # No process may write the mark before every process has compared it.
    processes.wait()
    if processes.rank() == 0:
        # Written again on resuming, so that it holds the settings of the latest code.
        write_atomically(mark, json.dumps(facts, indent=1).encode())
    processes.wait()
