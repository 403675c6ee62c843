"""The training loop of every stage: schedule, optimisers, averaging, early stop, resuming and metrics."""

import copy
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.run import processes
from training.run.batches import BatchT, TrainingData, shuffled, steps_per_epoch
from training.run.checkpoints import load_training, save_training
from training.run.folder import Run
from training.run.machine import training_precision
from training.run.recipe import Stage
from training.run.seeds import seed_epoch

Step = Callable[[BatchT], tuple[Tensor, Mapping[str, Tensor | float]]]
"""A batch -> the scalar loss to minimise, and scalars whose means over the epoch are logged."""


def learning_rate(progress: float, peak: float, warm_up: float = 0.15) -> float:
    """Return the rate at a progress in 0..1: linear warm-up to `peak`, then a half cosine to zero."""
    if progress < warm_up:
        # It starts at a twentieth of the peak: at zero the first batch would be lost.
        return peak * (progress / warm_up * 0.95 + 0.05)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def train_stage(  # noqa: PLR0913 - each is a choice of the caller, named where it is made
    run: Run,
    stage: str,
    networks: Mapping[str, nn.Module],
    data: TrainingData[BatchT],
    config: Stage,
    step: Step[BatchT],
    *,
    train_mode: Collection[str] | None = None,
    after_epoch: Callable[[], None] | None = None,
    validate: Callable[[], float] | None = None,
) -> None:
    """Train every parameter of `networks` that requires a gradient, in place.

    Networks named in `train_mode` (default: all) are in training mode meanwhile; all end in evaluation
    mode. Writes `<out>/<stage>.safetensors` after each epoch; a resumed run continues from it.
    With `config.patience`, `validate` (higher is better) decides which epoch is kept and when to stop;
    ValueError if the stage has none.
    """
    if config.patience and validate is None:
        raise ValueError(f"Stage {stage!r} has no validation score: set its patience to 0.")
    training = _Training(run, stage, dict(networks), data, config, step, train_mode)
    with _metrics(run, stage) as log:
        for epoch in training.remaining():
            begun = time.monotonic()
            means = training.one_epoch(epoch)
            # Before validation: Ft's precise batch norm belongs to the weights that are scored and saved.
            if after_epoch is not None:
                after_epoch()
            if config.patience and validate is not None:
                means["validation"] = validate()
            seconds = round(time.monotonic() - begun, 1)
            training.close_epoch(epoch, means.get("validation"))
            # Logged after saving: an epoch in the log is one that a resumed run does not repeat.
            log(epoch, {"seconds": seconds, **means})
    training.finish()


class _Training(Generic[BatchT]):
    """The state of one stage between epochs."""

    def __init__(
        self,
        run: Run,
        stage: str,
        networks: dict[str, nn.Module],
        data: TrainingData[BatchT],
        config: Stage,
        step: Step[BatchT],
        train_mode: Collection[str] | None,
    ) -> None:
        self.run, self.stage, self.config, self.step = run, stage, config, step
        self.networks, self.data = networks, data
        self.train_mode = networks.keys() if train_mode is None else train_mode
        for network in networks.values():
            network.to(run.device)
            if run.compile:
                network.compile()
        # After the move: the optimiser must hold the parameters that live on the device.
        self.optimiser = build_optimiser(networks.values(), config)
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        # Whole networks, with buffers: `finish` loads their state as it is.
        self.average = copy.deepcopy(networks) if config.ema else {}
        self.best = copy.deepcopy(networks) if config.patience else {}
        self.best_score, self.best_epoch = -math.inf, -1
        self.path = run.out / f"{stage}.safetensors"

    @property
    def _saved(self) -> dict[str, nn.Module]:
        """Networks of a checkpoint: the live ones, their average and the best so far, by name."""
        average = {f"average {name}": network for name, network in self.average.items()}
        best = {f"best {name}": network for name, network in self.best.items()}
        return self.networks | average | best

    def remaining(self) -> Iterator[int]:
        """Yield the epochs still to run, under a progress bar over their steps."""
        start = 0
        if self.run.resume and self.path.exists():
            # The optimiser is built already: its moments belong to parameters on the device.
            facts = load_training(self.path, self._saved, self.optimiser)
            start = int(facts["epoch"]) + 1
            self.best_score, self.best_epoch = facts["best_score"], facts["best_epoch"]
        steps = steps_per_epoch(len(self.data.indices), self.config.batch)
        self.bar = tqdm(
            total=self.config.epochs * steps,
            initial=start * steps,
            desc=self.stage,
            unit="step",
            # A log file gets a line a minute, a terminal a live bar.
            mininterval=0.5 if sys.stderr.isatty() else 60.0,
            disable=processes.rank() > 0 or start >= self.config.epochs,
        )
        with self.bar:
            for epoch in range(start, self.config.epochs):
                # Checked here and not after the epoch, so that a resumed run stops as the unbroken one did.
                if self.config.patience and epoch - self.best_epoch > self.config.patience:
                    return
                yield epoch

    def one_epoch(self, epoch: int) -> dict[str, float]:
        """Train on every batch once and return the means of the metrics."""
        shuffle = seed_epoch(self.run.seed, self.stage, epoch)
        whole = shuffled(self.data.indices, self.config.batch, shuffle)
        # (B,) indices each, the same in all processes; a process takes its share of every batch.
        mine = [processes.share(chosen) for chosen in whole]
        sums: dict[str, Tensor] = {}
        for name, network in self.networks.items():
            # Set in each epoch: validation and precise batch norm leave networks in evaluation mode.
            network.train(name in self.train_mode)
        # Progress counts steps of the whole stage, so that a resumed run continues the schedule.
        between = (epoch / self.config.epochs, (epoch + 1) / self.config.epochs)
        stream = self.data.batches(mine, self.run.device, *between)
        for batch, full in zip(stream, whole, strict=True):
            # Shares differ by an image where the processes do not divide the batch: weigh each by its size.
            metrics = self._update(batch, len(batch.chosen) / len(full))
            for name, value in metrics.items():
                # Kept on the device: reading a number here would wait for the step to end.
                number = torch.as_tensor(value, dtype=torch.float32).detach()
                sums[name] = sums.get(name, torch.zeros((), device=number.device)) + number
            self.bar.update()
        # After the epoch, not in each step: nothing reads running statistics while training.
        processes.average_buffers([*self.networks.values(), *self.average.values()])
        return processes.average({name: float(total) / len(whole) for name, total in sums.items()})

    def _update(self, batch: BatchT, weight: float) -> Mapping[str, Tensor | float]:
        """Take one optimiser step; `weight` is this process's share of the batch."""
        rate = learning_rate(batch.progress, self.config.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with training_precision(self.run.device, bf16_on_cpu=self.run.bf16_on_cpu):
            loss, metrics = self.step(batch)
        # The backward pass runs outside autocast, as torch asks: it follows the forward pass's precision.
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        processes.average_gradients(self.parameters, weight)
        if self.config.largest_gradient:
            nn.utils.clip_grad_norm_(self.parameters, self.config.largest_gradient)
        self.optimiser.step()
        for name, network in self.average.items():
            _move_average(network, self.networks[name], self.config.ema)
        return metrics

    def close_epoch(self, epoch: int, score: float | None) -> None:
        """Remember the weights of the best epoch, and save the stage."""
        # Strictly better: among equals the earlier epoch is kept.
        if score is not None and score > self.best_score:
            self.best_score, self.best_epoch = score, epoch
            for name, network in self.best.items():
                network.load_state_dict(self.networks[name].state_dict())
        facts = {
            "stage": self.stage,
            "epoch": epoch,
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
        }
        if processes.rank() == 0:
            save_training(self.path, self._saved, self.optimiser, facts)
        # No process goes on before the checkpoint is there: a later stage may read it.
        processes.wait()

    def finish(self) -> None:
        """Load the weights that are kept into the networks, and set evaluation mode."""
        # The best epoch comes before the average: without a score there is no best epoch.
        kept = self.best if self.best_epoch >= 0 else self.average
        for name, network in self.networks.items():
            if name in kept:
                network.load_state_dict(kept[name].state_dict())
            network.eval()


def build_optimiser(networks: Collection[nn.Module], config: Stage) -> torch.optim.Optimizer:
    """Build the optimiser over every parameter that requires a gradient."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        # Biases and batch norms, shape (C,), do not decay: that would only shift and scale activations.
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    # One kernel for all parameters: on a GPU small networks wait for launches, not for arithmetic.
    fused = all(p.is_cuda for p in parameters)
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, config.learning_rate, momentum=0.9, nesterov=True, fused=fused)
    if config.optimiser == "adam":
        return torch.optim.Adam(groups, config.learning_rate, fused=fused)
    return torch.optim.AdamW(groups, config.learning_rate, fused=fused)


@torch.no_grad()
def _move_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average of the weights one step towards the network."""
    # average = decay average + (1 - decay) network
    get_ema_multi_avg_fn(decay)(  # type: ignore[no-untyped-call]
        list(average.parameters()), list(network.parameters()), 1
    )
    # Buffers are copied: running statistics are averages already.
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


@contextmanager
def _metrics(run: Run, stage: str) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Yield a function that writes an epoch's means to metrics.jsonl and TensorBoard."""
    if processes.rank() > 0:
        yield lambda _epoch, _means: None
        return
    with SummaryWriter(str(run.out / "tensorboard")) as board:

        def log(epoch: int, means: Mapping[str, float]) -> None:
            run.log(stage=stage, epoch=epoch, **means)
            for name, value in means.items():
                board.add_scalar(f"{stage}/{name}", value, epoch)

        yield log
