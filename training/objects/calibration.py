"""Calibration of a counter on scenes that it has not learnt from."""

import torch
from torch import Tensor

from models.counts import Reading
from models.patch_counter import CellMaps, PatchCounter

GATES = tuple(step / 20 for step in range(1, 20))
"""Probabilities of lying inside an object from which on a cell may count."""
_LEAST = 1e-3
"""Smallest floor of a variance, and smallest variance per object."""
_STEPS = 60


@torch.no_grad()
def calibrate(counter: PatchCounter, cells: CellMaps, counts: Tensor) -> None:
    """Set the calibration of a counter by the maps of patches with known counts (N,).

    The gate has the smallest mean error of a patch; the variance is then the likeliest one.
    """
    errors = {}
    for gate in GATES:
        counter.calibration[0] = gate
        errors[gate] = float((counter.count(cells).mean - counts).abs().mean())
    counter.calibration[0] = min(errors, key=lambda gate: errors[gate])
    mean = counter.count(cells).mean
    counter.calibration[1:] = likeliest_variance(mean, counts.to(mean.dtype))


@torch.enable_grad()
def likeliest_variance(mean: Tensor, counts: Tensor) -> Tensor:
    """Return floor, linear and square (3,) of the likeliest variance of readings of known counts (N,)."""
    powers = torch.stack([torch.ones_like(mean), mean, mean.square()])  # (3, N)
    start = torch.tensor([0.02, 0.3, 0.02], device=mean.device)
    free = start.log().requires_grad_()
    optimiser = torch.optim.LBFGS([free], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        reading = Reading(mean=mean, variance=(free.exp() + _LEAST) @ powers)
        value = reading.negative_log_likelihood(counts).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return free.detach().exp() + _LEAST
