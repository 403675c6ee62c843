"""What rows buy, find, label and count for the same money, as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from training.where.dollars import Choices, Frontier
from training.where.rows import Seen, outcome

TARGETS = (0.9, 0.95, 0.98)
"""Shares of the objects whose price is the money to compare at."""


def at_equal_money(
    by_seed: Sequence[Seen],
    swept: Mapping[str, tuple[Choices, Frontier]],
    leading: str,
    bins: Sequence[int],
) -> list[dict[str, Any]]:
    """Compare rows at the bill for which the row `leading` finds each of TARGETS.

    `swept` holds the choices of each row with their bills. Every row takes the choice that finds most for at
    most this bill, which may be nothing.
    """
    _, frontier = swept[leading]
    points = []
    for target in TARGETS:
        bills, found = frontier.shares.T
        money = float(bills[found >= target - 1e-9].min(initial=1.0))
        rows = {name: _row(by_seed, *one, money, bins) for name, one in swept.items()}
        points.append({"target": target, "usd": round(money * float(frontier.whole.sum()), 2), "rows": rows})
    return points


def _row(
    by_seed: Sequence[Seen], choices: Choices, frontier: Frontier, money: float, bins: Sequence[int]
) -> dict[str, float]:
    """Return what the best choice for at most a share of the bill of everything is worth."""
    bills, shares = frontier.shares.T
    affordable = np.flatnonzero(bills <= money + 1e-9)
    at = int(affordable[shares[affordable].argmax()])
    parts = [outcome(seen, masks, bins) for seen, masks in zip(by_seed, choices[at], strict=True)]
    _, right, error, patches = (torch.stack(part).mean(0) for part in zip(*parts, strict=True))
    numbers = {
        "patches": float(patches.mean()),
        "bill": float(bills[at]),
        "found": float(shares[at]),
        "right": float(right.mean()),
        "count_error": float(error.mean()),
    }
    return {name: round(number, 4) for name, number in numbers.items()}
