"""The value of buying a patch, by what the client pays for: objects found, right counts, or right labels.

Every value is computed from the counts that are expected before anything is bought. The values of the
patches of a tile add up to the value of buying them together, in the order in which they are worth most.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.counts import Counts
from models.tasks import Task


def patch_values(
    expected: Counts,
    task: Task,
    bins: Sequence[int],
    known: Tensor | None = None,
    coming: Tensor | None = None,
) -> Tensor:
    """Return the value (T, P) of each patch of T tiles whose expected counts are (T, P).

    Patches of which nothing is to be learnt have an expected count of (nearly) 0. `known` (T,) holds the
    whole numbers of objects that were seen in them. `coming` (T, P) marks patches that will be read in any
    case: for labels, the others are worth what they add to those.

    - find: the expected number of objects.
    - count: the variance of the count. Patches count independently, so this is by how much buying the patch
      reduces the expected squared error of the tile's count.
    - label: the gain in the probability of the right class of the tile; `bins` are the smallest counts of
      the classes after the first, rising.
    """
    if task == "find":
        return expected.mean
    if task == "count":
        return expected.variance
    return _label_values(expected, bins, known, coming)


def _label_values(
    expected: Counts, bins: Sequence[int], known: Tensor | None, coming: Tensor | None
) -> Tensor:
    """Return the rise of the probability of a right label, patch by patch in falling order of variance.

    A single purchase may change no label although two do. So the rises are those of the least concave line
    above the curve of all purchases: a patch is worth its share of the purchase that it belongs to.
    """
    moments = expected.mean.double(), expected.variance.double()
    first = [_part(part, coming) for part in moments]  # of the patches that come anyway
    others = [part if coming is None else part.masked_fill(coming, 0.0) for part in moments]
    order = others[1].argsort(dim=1, descending=True, stable=True)
    steps = [part.gather(1, order).cumsum(1) for part in others]
    bought = [F.pad(part, (1, 0)) + start for part, start in zip(steps, first, strict=True)]  # (T, P + 1)
    left = [part[:, -1:] - part for part in bought]
    right = right_labels(
        (bought[0], bought[1]), (left[0], left[1]), bins, None if known is None else known[:, None]
    )
    rises = _concave_rises(right).clamp_min(0)
    return torch.zeros_like(rises).scatter(1, order, rises).to(expected.mean.dtype)


def _part(values: Tensor, where: Tensor | None) -> Tensor:
    """Sum values (T, P) over some patches: (T, 1)."""
    return torch.zeros_like(values[:, :1]) if where is None else (values * where).sum(1, keepdim=True)


def right_labels(
    bought: tuple[Tensor, Tensor],
    left: tuple[Tensor, Tensor],
    bins: Sequence[int],
    known: Tensor | None = None,
) -> Tensor:
    """Return the probability (...) of naming the right class once the count of the bought patches is known.

    `bought` and `left` are the mean and the variance (...) of the counts in the patches that are bought and
    in the others, both negative binomial; `known` whole numbers (...), or of a shape that broadcasts to it,
    of objects seen before. The label is the likeliest class given the count that was bought.
    """
    edges = torch.tensor(list(bins))
    seen = negative_binomial(*bought, int(edges[-1]))  # (..., E), P(count = k)
    unseen = negative_binomial(*left, int(edges[-1])).cumsum(-1)  # (..., E), P(count <= k)
    right = 1 - seen.sum(-1)  # with the last edge or more in bought patches the class is certain
    start = torch.zeros_like(right, dtype=torch.int64) if known is None else known.expand(right.shape).long()
    for count in range(int(edges[-1])):
        # The class stays below an edge while the others hold at most this.
        still = edges - 1 - count - start[..., None]
        below = torch.where(still >= 0, unseen.gather(-1, still.clamp_min(0)), 0.0)
        limits = F.pad(below, (1, 0))
        limits = torch.cat([limits, torch.ones_like(limits[..., :1])], -1)
        right = right + seen[..., count] * limits.diff(dim=-1).amax(-1)
    return right


def negative_binomial(mean: Tensor, variance: Tensor, counts: int) -> Tensor:
    """Return the probabilities (..., counts) of 0, 1, ... objects, given mean and variance (...)."""
    mean = mean.clamp_min(1e-9)
    dispersion = ((variance - mean).clamp_min(1e-6 * mean) / mean.square())[..., None]
    k = torch.arange(counts, dtype=mean.dtype)
    return torch.exp(-Counts(mean=mean[..., None], dispersion=dispersion).negative_log_likelihood(k))


def _concave_rises(values: Tensor) -> Tensor:
    """Return the steps (T, P) of the least concave curve that is nowhere below `values` (T, P + 1).

    Its slope after point j is the least, over i <= j, of the steepest way from i to a point after j.
    """
    at = torch.arange(values.shape[1])
    run = (at[None, :] - at[:, None]).to(values.dtype)  # (P + 1, P + 1), from i to k
    slopes = (values[:, None, :] - values[:, :, None]) / run.abs().clamp_min(1)
    slopes = slopes.masked_fill(run <= 0, -torch.inf)
    steepest = slopes.flip(2).cummax(2).values.flip(2)[:, :-1, 1:]  # (T, P, P): from i to any k > j
    steepest = steepest.masked_fill((run > 0).T[:-1, :-1], torch.inf)  # only i <= j
    return steepest.amin(1)
