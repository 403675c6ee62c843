"""Thresholds with a guarantee: Learn-then-Test over sites, with a betting bound on the mean loss of a site.

With probability 1 - delta over the calibration sites, the expected loss of a new site is at most epsilon.
A site is one observation, however many tiles it has: tiles of one site share light, soil and framing. Its
loss lies in 0..1: the share of its objects that is missed, or of its labels that is lost against buying
everything.

Thresholds are tested from the safest one on (fixed-sequence testing), so testing many needs no correction.
The p-value is the inverse wealth of a bettor who wins where a loss is below epsilon (Waudby-Smith and
Ramdas, "Estimating means of bounded random variables by betting").
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_BET = 0.95
"""Largest share of the wealth that a single loss of 1 takes away."""
ORDERS = 40
"""Random orders of the sites over which wealth is averaged: a result must not hang on the order of a file."""

Losses = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The cheapest threshold whose mean loss is certified."""

    index: int | None
    """Index of the threshold, from the safest on; None if even the safest is not certified."""
    risk: float
    """Mean loss of the calibration sites at that threshold; 0 without one, as everything is bought."""
    sites: int


def p_values(losses: Losses, epsilon: float, seed: int = 0) -> Losses:
    """Return for each row of losses (T, sites) a p-value (T,) of "the mean loss is above epsilon".

    ValueError unless losses and epsilon lie in 0..1.
    """
    if not 0 < epsilon < 1 or losses.min() < 0 or losses.max() > 1:
        raise ValueError("A guarantee needs losses within 0..1, and an epsilon between them.")
    random = np.random.default_rng(seed)
    # Shape: orders, thresholds, sites.
    shuffled = np.stack([losses[:, random.permutation(losses.shape[1])] for _ in range(ORDERS)])
    # An average of e-values is an e-value; its inverse is a p-value by Markov's inequality.
    wealth = _wealth(shuffled, epsilon).mean(0)
    values: Losses = np.minimum(1.0, 1.0 / np.maximum(wealth, 1e-300))
    return values


def _wealth(losses: Losses, epsilon: float) -> Losses:
    """Return the final wealth (...) of bettors who start with 1 and see losses (..., sites) in order."""
    wealth = np.ones(losses.shape[:-1])
    # Before the first site, as if one loss of epsilon / 2 had been seen.
    mean, spread = np.full_like(wealth, epsilon / 2), np.full_like(wealth, (epsilon / 2) ** 2)
    for number, loss in enumerate(np.moveaxis(losses, -1, 0), start=1):
        edge = epsilon - mean
        # The bet depends on earlier losses only (approximate Kelly bet): that makes the wealth a martingale.
        bet = np.clip(edge / (spread + edge**2), 0, LARGEST_BET / (1 - epsilon))
        wealth *= 1 + bet * (epsilon - loss)
        spread += ((loss - mean) ** 2 - spread) / (number + 1)
        mean += (loss - mean) / (number + 1)
    return wealth


def certify(losses: Losses, epsilon: float, delta: float) -> Certificate:
    """Return the last threshold of the fixed sequence that passes; losses (T, sites), safest first."""
    passed = p_values(losses, epsilon) <= delta
    # Testing stops at the first threshold that fails, whatever the later ones would say.
    count = len(passed) if passed.all() else int(passed.argmin())
    return Certificate(
        index=count - 1 if count else None,
        risk=float(losses[count - 1].mean()) if count else 0.0,
        sites=losses.shape[1],
    )


def least_epsilon(sites: int, delta: float) -> float:
    """Return the smallest epsilon that so many sites can certify, where none of them has any loss."""
    # Without a loss the full bet is placed each time: the wealth is (1 + bet epsilon) ^ sites.
    growth = math.pow(delta, -1 / sites) - 1
    return growth / (LARGEST_BET + growth)
