"""The one training loop: schedule, optimisers, averaging, early stop, resuming and metrics."""

import copy
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.run import processes
from training.run.batches import Batch, shuffled, steps_per_epoch, training_batches
from training.run.checkpoints import load_training, save_training
from training.run.lab import Lab, Run, seed_everything
from training.run.precision import training_precision
from training.run.recipe import Stage

Step = Callable[[Batch], tuple[Tensor, Mapping[str, Tensor | float]]]
"""The loss to minimise, a scalar, and scalars to log the epoch's means of."""


def learning_rate(progress: float, peak: float, warm_up: float = 0.15) -> float:
    """Linear warm-up, then a half cosine to zero; progress in 0..1."""
    if progress < warm_up:
        return peak * (progress / warm_up * 0.95 + 0.05)
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def train_stage(  # noqa: PLR0913 - each is a choice of the caller, named where it is made
    lab: Lab,
    stage: str,
    networks: Mapping[str, nn.Module],
    indices: Tensor,
    config: Stage,
    step: Step,
    *,
    train_mode: Collection[str] | None = None,
    after_epoch: Callable[[], None] | None = None,
    validate: Callable[[], float] | None = None,
) -> None:
    """Train every parameter of `networks` that requires a gradient, in place, on images[indices].

    Networks named in `train_mode` (default: all) are in training mode meanwhile; all end in evaluation
    mode. Writes `<out>/<stage>.safetensors` after each epoch and goes on from it in a resumed run.
    With `config.patience`, `validate` (higher is better) decides which epoch is kept and when to stop;
    ValueError if the stage has none.
    """
    if config.patience and validate is None:
        raise ValueError(f"stage {stage!r} has no validation score: it cannot have patience")
    training = _Training(lab, stage, dict(networks), config, step, train_mode)
    with _metrics(lab.run, stage) as log:
        for epoch in training.remaining(lab.run.resume, len(indices)):
            begun = time.monotonic()
            means = training.one_epoch(epoch, indices)
            if after_epoch is not None:
                after_epoch()
            if config.patience and validate is not None:
                means["validation"] = validate()
            seconds = round(time.monotonic() - begun, 1)
            training.close_epoch(epoch, means.get("validation"))
            log(epoch, {"seconds": seconds, **means})
    training.finish()


class _Training:
    """The state of one stage between epochs."""

    def __init__(
        self,
        lab: Lab,
        stage: str,
        networks: dict[str, nn.Module],
        config: Stage,
        step: Step,
        train_mode: Collection[str] | None,
    ) -> None:
        self.lab, self.stage, self.config, self.step = lab, stage, config, step
        self.networks = networks
        self.train_mode = networks.keys() if train_mode is None else train_mode
        for network in networks.values():
            network.to(lab.run.device)
            if lab.run.compile:
                network.compile()
        self.optimiser = build_optimiser(networks.values(), config)
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.average = copy.deepcopy(networks) if config.ema else {}
        self.best = copy.deepcopy(networks) if config.patience else {}
        self.best_score, self.best_epoch = -math.inf, -1
        self.path = lab.run.out / f"{stage}.safetensors"

    @property
    def _saved(self) -> dict[str, nn.Module]:
        average = {f"average {name}": network for name, network in self.average.items()}
        best = {f"best {name}": network for name, network in self.best.items()}
        return self.networks | average | best

    def remaining(self, resume: bool, images: int) -> Iterator[int]:
        """Epochs still to run, with a progress bar over their steps."""
        start = 0
        if resume and self.path.exists():
            facts = load_training(self.path, self._saved, self.optimiser)
            start = int(facts["epoch"]) + 1
            self.best_score, self.best_epoch = facts["best_score"], facts["best_epoch"]
        steps = steps_per_epoch(images, self.config.batch)
        self.bar = tqdm(
            total=self.config.epochs * steps,
            initial=start * steps,
            desc=self.stage,
            unit="step",
            mininterval=0.5 if sys.stderr.isatty() else 60.0,
            disable=processes.rank() > 0 or start >= self.config.epochs,
        )
        with self.bar:
            for epoch in range(start, self.config.epochs):
                if self.config.patience and epoch - self.best_epoch > self.config.patience:
                    return
                yield epoch

    def one_epoch(self, epoch: int, indices: Tensor) -> dict[str, float]:
        """Every batch once; returns means of the metrics."""
        shuffle = seed_everything(self.lab.run.seed, self.stage, epoch)
        whole = shuffled(indices, self.config.batch, shuffle)
        mine = [processes.share(chosen) for chosen in whole]
        sums: dict[str, Tensor] = {}
        for name, network in self.networks.items():
            network.train(name in self.train_mode)
        between = (epoch / self.config.epochs, (epoch + 1) / self.config.epochs)
        source = self.lab.crops or self.lab.images
        stream = training_batches(source, mine, self.lab.recipe, self.lab.run.device, *between)
        for batch, full in zip(stream, whole, strict=True):
            metrics = self._update(batch, len(batch.chosen) / len(full))
            for name, value in metrics.items():
                # Kept on the device: reading a number here would wait for the step to end.
                number = torch.as_tensor(value, dtype=torch.float32).detach()
                sums[name] = sums.get(name, torch.zeros((), device=number.device)) + number
            self.bar.update()
        processes.average_buffers([*self.networks.values(), *self.average.values()])
        return processes.average({name: float(total) / len(whole) for name, total in sums.items()})

    def _update(self, batch: Batch, weight: float) -> Mapping[str, Tensor | float]:
        rate = learning_rate(batch.progress, self.config.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with training_precision(self.lab.run.device, bf16_on_cpu=self.lab.recipe.bf16_on_cpu):
            loss, metrics = self.step(batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        processes.average_gradients(self.parameters, weight)
        self.optimiser.step()
        for name, network in self.average.items():
            _move_average(network, self.networks[name], self.config.ema)
        return metrics

    def close_epoch(self, epoch: int, score: float | None) -> None:
        """Remember the best epoch and save."""
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
        processes.wait()

    def finish(self) -> None:
        """Leave the kept weights in the networks, in evaluation mode."""
        kept = self.best if self.best_epoch >= 0 else self.average
        for name, network in self.networks.items():
            if name in kept:
                network.load_state_dict(kept[name].state_dict())
            network.eval()


def build_optimiser(networks: Collection[nn.Module], config: Stage) -> torch.optim.Optimizer:
    """Over every parameter that requires a gradient; biases and batch norms do not decay."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
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
    """Move the average a step towards the network; buffers are copied."""
    get_ema_multi_avg_fn(decay)(  # type: ignore[no-untyped-call]
        list(average.parameters()), list(network.parameters()), 1
    )
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)


@contextmanager
def _metrics(run: Run, stage: str) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Where an epoch's means go: metrics.jsonl and TensorBoard; training/README.md explains every name."""
    if processes.rank() > 0:
        yield lambda _epoch, _means: None
        return
    with SummaryWriter(str(run.out / "tensorboard")) as board:

        def log(epoch: int, means: Mapping[str, float]) -> None:
            run.log(stage=stage, epoch=epoch, **means)
            for name, value in means.items():
                board.add_scalar(f"{stage}/{name}", value, epoch)

        yield log
