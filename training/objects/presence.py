"""The area under the ROC curve of the presence of objects in patches."""

import numpy as np
from numpy.typing import NDArray

from training.objects.outcome import resampled_sites
from training.objects.tiles import ObjectTiles


def presence_auc(tiles: ObjectTiles) -> tuple[float, float, float] | None:
    """Return the AUC of the expected presence in each patch, and its 95 % interval over sites.

    It is the probability that a patch with objects is ranked above one without; None if one kind is missing.
    """
    values, rank = np.unique(tiles.presence.flatten().numpy(), return_inverse=True)
    present = (tiles.counts > 0).flatten().numpy()
    if present.all() or not present.any():
        return None
    names, site = np.unique(np.repeat(np.array(tiles.sites), tiles.counts.shape[1]), return_inverse=True)

    def auc(weights: NDArray[np.float64]) -> float:
        of_patch = weights[site]
        with_objects = np.bincount(rank, of_patch * present, len(values))
        without = np.bincount(rank, of_patch * ~present, len(values))
        # Patches of equal presence count half.
        ranked_above = with_objects @ (without.cumsum() - without / 2)
        pairs = with_objects.sum() * without.sum()
        return float(ranked_above / pairs) if pairs else float("nan")

    drawn = [auc(np.bincount(row, minlength=len(names)).astype(float)) for row in resampled_sites(len(names))]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return auc(np.ones(len(names))), float(low), float(high)
