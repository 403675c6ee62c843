"""Patches bought, objects found, labels and counts of rows for the same money, as JSON."""

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

    `swept` holds the choices of each row with their bills. `rows` are the choices that find most for at most
    this bill, which may be nothing; `alone` are the cheapest that find the target themselves.
    """
    _, frontier = swept[leading]
    points = []
    for target in TARGETS:
        money = float(frontier.shares[cheapest(frontier, target), 0])
        rows, alone = (
            {name: _worth(by_seed, *one, choose(one[1], limit), bins) for name, one in swept.items()}
            for choose, limit in ((best_for, money), (cheapest, target))
        )
        usd = round(money * float(frontier.whole.sum()), 2)
        points.append({"target": target, "usd": usd, "rows": rows, "alone": alone})
    return points


def best_for(frontier: Frontier, money: float) -> int:
    """Return the choice that finds most for at most a share of the bill of everything."""
    bills, found = frontier.shares.T
    affordable = np.flatnonzero(bills <= money + 1e-9)
    return int(affordable[found[affordable].argmax()])


def cheapest(frontier: Frontier, target: float) -> int:
    """Return the cheapest choice that finds a share of the objects; the last, which buys all, always does."""
    bills, found = frontier.shares.T
    enough = np.flatnonzero(found >= target - 1e-9)
    return int(enough[bills[enough].argmin()])


def _worth(
    by_seed: Sequence[Seen], choices: Choices, frontier: Frontier, at: int, bins: Sequence[int]
) -> dict[str, float]:
    """Return what one choice of a sweep is worth."""
    bills, shares = frontier.shares.T
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
