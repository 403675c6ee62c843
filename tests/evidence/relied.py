"""Orders that reuse the patches of other orders: what came of them, and what that saved."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from shapely.geometry.base import BaseGeometry

from tests.evidence.bought import Bought, reused, uncovered


def rely(one: Bought, orders: Mapping[str, Bought]) -> None:
    """Note what became of the patches that an order reuses, and in which standing it counts."""
    lost, foreign, awaits = 0, 0, set[str]()
    total = sum(part["owned"] + part["on_order"] for part in one.sources)
    for part in one.sources:
        source = orders[part["order"]]
        counts = source.order["counts"]
        away = min(part["on_order"], counts["bought"] - counts["delivered"])
        gone = away if source.status == "cancelled" else 0
        lost += gone
        if source.product != one.product:
            foreign += part["owned"] + part["on_order"] - gone
        if away > gone:
            awaits.add(source.status)
    if total:
        one.kept, one.foreign = 1 - Fraction(lost, total), Fraction(foreign, total)
    one.standing = standing_with(one, awaits)


def standing_with(one: Bought, awaits: set[str]) -> str:
    """Return the standing of an order whose patches are awaited from orders of some standings."""
    if one.status not in {"open", "completed"}:
        return one.status
    if one.status == "completed" and one.is_returned:
        return "cancelled"
    if not one.order["counts"]["bought"]:
        if not one.kept:
            return "cancelled"
        if "held" in awaits:
            return "held"
    return "open" if awaits else one.status


def count_reuse(orders: Sequence[Bought]) -> None:
    """Note for the orders of one price list what the reuse of each adds: the largest of a ground counts."""
    covered: list[Bought] = []
    grounds: list[tuple[BaseGeometry, float, Fraction]] = []
    for one in orders:
        if one.standing not in {"open", "completed"} or not reused(one) or not one.kept:
            continue
        same = [number for number, (ground, *_) in enumerate(grounds) if one.ground.equals(ground)]
        number = same[0] if same else len(grounds)
        if not same:
            grounds.append((one.ground, uncovered(one, covered), Fraction(0)))
        _, share, most = grounds[number]
        one.shares["reuse"] = share
        worth = Fraction(reused(one)) * one.kept * Fraction(share)
        one.reused = one.part(Decimal(1), max(Fraction(0), worth - most))
        covered.append(one)
        grounds[number] = (one.ground, share, max(worth, most))
