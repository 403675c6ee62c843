"""The second look: what is expected of a scene's other patches once some of its patches have been seen.

Objects cluster, and a policy that is wrong about a patch is often wrong about its neighbours. So each patch
that is known says by which factor its neighbourhood differs from what LR made us expect.
"""

from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from models.counts import Counts

FAR = 6.0
"""Reach of the wide part of the kernel, as a multiple of the reach of the narrow part."""


@dataclass(frozen=True, kw_only=True)
class SecondLook:
    """The numbers of `revise`."""

    near: float
    """Distance, in patches, at which the weight of the narrow part of the kernel falls to 1 / e."""
    prior: float
    """Number of expected objects that the first map is worth: the more, the less a sight changes."""
    far_share: float
    """Share of the wide part of the kernel, 0..1."""
    discount: float
    """Loss of weight of a patch whose count varies more than a Poisson count; 0 weighs all patches alike."""
    before: float
    """Weight of imagery of an earlier date, 0..1; a bought patch weighs 1."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The counts that are known of some patches of scenes. Values elsewhere are ignored."""

    bought: Tensor
    """Whether a patch was bought and read, bool (B, R, C)."""
    observed: Tensor
    """Number of objects that were read in it, (B, R, C)."""
    known_before: Tensor
    """Whether imagery of an earlier date is owned of a patch, bool (B, R, C)."""
    before: Tensor
    """Number of objects that were read in that, (B, R, C)."""

    @classmethod
    def nothing(cls, first: Counts) -> "Sight":
        """Return a sight of no patch."""
        never, zero = torch.zeros_like(first.mean, dtype=torch.bool), torch.zeros_like(first.mean)
        return cls(bought=never, observed=zero, known_before=never, before=zero)

    @classmethod
    def of(cls, bought: Tensor, observed: Tensor) -> "Sight":
        """Return a sight of bought patches (B, R, C), without any earlier imagery."""
        never = torch.zeros_like(bought)
        return cls(bought=bought, observed=observed, known_before=never, before=torch.zeros_like(observed))


def revise(first: Counts, sight: Sight, look: SecondLook) -> Counts:
    """Revise the expected counts (B, R, C) of scenes by what is known of some of their patches.

    The factors of `factors` multiply the means; the dispersion is kept. Known patches get a factor too, from
    themselves and the others: callers use what was read there instead. A scene of which nothing is known
    keeps its map exactly.
    """
    numbers = torch.tensor(astuple(look), dtype=torch.float64, device=first.mean.device)
    revised = first.mean * factors(first, sight, numbers).to(first.mean.dtype)
    nothing = ~(sight.bought | sight.known_before).any(dim=(1, 2), keepdim=True)
    return Counts(mean=torch.where(nothing, first.mean, revised), dispersion=first.dispersion)


def factors(first: Counts, sight: Sight, numbers: Tensor) -> Tensor:
    """Return by what factor each patch differs from what was expected, float64 (B, R, C).

    `numbers` float64 (5,) are those of a SecondLook, in the order of its fields. The factor of patch i is,
    summed over the known patches j with the count y_j where mu_j was expected with the dispersion alpha_j:

        g_i = (a + sum_j k_ij w_j y_j) / (a + sum_j k_ij w_j mu_j)

    - It is the posterior mean of a factor whose prior is Gamma(a, a), if y_j is Poisson with the mean
      mu_j g_i and its likelihood is raised to the power k_ij w_j. With all powers 1 it is the relative risk
      of Clayton and Kaldor, "Empirical Bayes estimates of age-standardized relative risks" (1987). Powers
      that fall with the distance make it local: Tibshirani and Hastie, "Local likelihood estimation" (1987).
    - k_ij = (1 - s) exp(-d_ij / near) + s exp(-d_ij / (FAR near)), where d_ij is the distance in patches.
    - w_j = 1 / (1 + c alpha_j mu_j). With c = 1 it is the variance of a Poisson count over that of this
      count, as in a quasi-likelihood. A patch of which only earlier imagery is known weighs `before` times
      that.
    """
    near, prior, far_share, discount, before = numbers.unbind()
    mean = first.mean.double()
    weight = _known(sight, before) / (1 + discount * first.dispersion.double() * mean)
    counts = torch.where(sight.bought, sight.observed, sight.before).double().clamp_min(0)
    evidence = torch.stack([torch.where(weight > 0, weight * counts, 0.0), weight * mean])
    seen, expected = _spread(evidence, near, far_share)
    factor: Tensor = (prior + seen) / (prior + expected)
    return factor


def _known(sight: Sight, before: Tensor) -> Tensor:
    """Return the weight of each patch by how it is known: float64 (B, R, C)."""
    # What was read now makes what was read before superfluous.
    return sight.bought.double() + (sight.known_before & ~sight.bought) * before


def _spread(values: Tensor, near: Tensor, far_share: Tensor) -> Tensor:
    """Sum values (..., R, C) over the patches of their scenes, weighted by the kernel of the distance.

    It is a product of Fourier transforms over a grid twice as large, on which the scene does not wrap: exact
    to rounding. A direct sum over 160,000 patches would have 26 billion terms.
    """
    rows, columns = values.shape[-2:]
    size = 2 * rows, 2 * columns
    steps = [torch.fft.fftfreq(n, 1 / n, dtype=values.dtype, device=values.device) for n in size]
    distance = torch.hypot(steps[0][:, None], steps[1])
    kernel = torch.lerp(torch.exp(-distance / near), torch.exp(-distance / (FAR * near)), far_share)
    product = torch.fft.rfft2(values, s=size) * torch.fft.rfft2(kernel)
    # Rounding may leave a sum just below zero.
    summed: Tensor = torch.fft.irfft2(product, s=size)[..., :rows, :columns].clamp_min(0)
    return summed
