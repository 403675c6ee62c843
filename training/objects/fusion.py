"""The fit of a fusion: how readings and expected counts of bought patches make their counts."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.counts import LARGEST_LOG_MEAN
from models.fusion import Coefficients, Fusion, fused_counts, fusion_features

PENALTY = 1e-3
"""Weight of the squared distance from the reading alone: few sites must not move the coefficients far."""
_STEPS = 300


def fit_fusion(reading: Tensor, expected: Tensor, counts: Tensor) -> Fusion:
    """Return the coefficients for patches (N,) with known counts.

    Those of the mean are fitted by Poisson's quasi-likelihood: the means of all patches then add up to their
    counts, however dispersed these are (Gourieroux, Monfort and Trognon 1984). Those of the dispersion are
    the likeliest ones given these means.

    Neither the counter nor the policy that expects may have learnt from these patches: on what they have
    learnt, both are surer than they should be.
    """
    features, true = fusion_features(reading, expected), counts.double()
    alone, even = torch.tensor([0.0, 1.0, 0.0]).double(), torch.zeros(3).double()
    mean = _fit(alone, lambda part: poisson_loss((features @ part).clamp(max=LARGEST_LOG_MEAN), true))
    dispersion = _fit(
        even,
        lambda part: (
            fused_counts(features, torch.stack([mean, part], 1)).negative_log_likelihood(true).mean()
        ),
    )
    return Fusion(mean=_coefficients(mean), dispersion=_coefficients(dispersion))


def poisson_loss(log_means: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of -log p(counts) of Poisson counts, without its constant."""
    return (log_means.exp() - counts * log_means).mean()


@torch.enable_grad()
def _fit(start: Tensor, loss_of: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the coefficients (3,) with the least loss, plus the penalty on their distance from `start`."""
    change = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.LBFGS([change], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = loss_of(start + change) + PENALTY * change.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return start + change.detach()


def _coefficients(found: Tensor) -> Coefficients:
    one, read, expected = (float(f"{number:.4g}") for number in found.tolist())
    return one, read, expected
