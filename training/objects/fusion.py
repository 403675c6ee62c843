"""The fit of a fusion: how readings and expected counts of bought patches make their counts."""

import torch
from torch import Tensor

from models.fusion import Fusion, fused_counts, fusion_features

PENALTY = 1e-3
"""Weight of the squared distance from the reading alone: few sites must not move the coefficients far."""
_STEPS = 300


@torch.enable_grad()
def fit_fusion(reading: Tensor, expected: Tensor, counts: Tensor) -> Fusion:
    """Return the likeliest coefficients for patches (N,) with known counts.

    Neither the counter nor the policy that expects may have learnt from these patches: on what they have
    learnt, both are surer than they should be.
    """
    features, true = fusion_features(reading, expected), counts.double()
    alone = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    change = torch.zeros_like(alone, requires_grad=True)
    optimiser = torch.optim.LBFGS([change], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        surprise = fused_counts(features, alone + change).negative_log_likelihood(true).mean()
        value = surprise + PENALTY * change.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    mean, dispersion = (alone + change.detach()).T.tolist()
    return Fusion(mean=tuple(mean), dispersion=tuple(dispersion))
