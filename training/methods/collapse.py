"""Has a policy stopped looking at its tiles? In words, for whoever watches the training."""

import torch
from torch import Tensor

NEARLY_ALL = 0.99


def collapse(selected: Tensor) -> str | None:
    """What is wrong with the choices bool (M, 16) of many tiles, and what usually helps, or None."""
    bought = selected.sum(1)
    if float((bought == 0).float().mean()) >= NEARLY_ALL:
        return (
            "the policy buys nothing for nearly every tile: raise sigma, or reward it by classifiers "
            "that have not seen the tiles (folds > 1)"
        )
    if float((bought == selected.shape[1]).float().mean()) >= NEARLY_ALL:
        return (
            "the policy buys every patch of nearly every tile: lower sigma, or train the classifier "
            "on masked tiles first"
        )
    masks, counts = torch.unique(selected, dim=0, return_counts=True)
    if len(selected) > 1 and float(counts.max()) / len(selected) >= NEARLY_ALL:
        chosen = masks[counts.argmax()].nonzero()[:, 0].tolist()
        return (
            f"the policy buys the same patches {chosen} for nearly every tile: what it sees makes no "
            "difference to it; train longer, or start from value regression"
        )
    return None
