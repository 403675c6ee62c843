"""The polygons that a provider takes in one order: how many, and how small or large each may be. Pure.

They change no price. The planner does not know them, so a plan beyond them warns and cannot be ordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_TOLERANCE = 1e-6
"""Share by which a polygon may miss a limit of area: less than the ellipsoid and a map differ by."""


@dataclass(frozen=True, kw_only=True)
class OrderLimits:
    """The limits of a price list; None sets none."""

    max_parts: int | None = None
    smallest_km2: Decimal | None = None
    largest_km2: Decimal | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in (self.max_parts, self.smallest_km2, self.largest_km2))

    def exceeded(self, areas_km2: Sequence[float]) -> list[str]:
        """Return a phrase for each limit that polygons of these areas do not keep: "at most 4 polygons"."""
        found = []
        if self.max_parts is not None and len(areas_km2) > self.max_parts:
            noun = "polygon" if self.max_parts == 1 else "polygons"
            found.append(
                f"at most {self.max_parts:,} {noun} in an order, and this plan has {len(areas_km2):,}"
            )
        if small := self._count(areas_km2, smaller=True):
            least = _plain(self.smallest_km2)
            found.append(f"polygons of at least {least} km2, and {small:,} of this plan's are smaller")
        if large := self._count(areas_km2, smaller=False):
            most = _plain(self.largest_km2)
            found.append(f"polygons of at most {most} km2, and {large:,} of this plan's are larger")
        return found

    def figures(self, areas_km2: Sequence[float]) -> dict[str, Any]:
        """Return the numbers behind the phrases."""
        return {
            "parts": len(areas_km2),
            "smallest_km2": round(min(areas_km2, default=0.0), 6),
            "largest_km2": round(max(areas_km2, default=0.0), 6),
            "max_parts": self.max_parts,
            "minimum_part_km2": _plain(self.smallest_km2),
            "maximum_part_km2": _plain(self.largest_km2),
        }

    def _count(self, areas_km2: Sequence[float], *, smaller: bool) -> int:
        limit = self.smallest_km2 if smaller else self.largest_km2
        if limit is None:
            return 0
        edge = float(limit) * (1 - _TOLERANCE if smaller else 1 + _TOLERANCE)
        return sum(area < edge if smaller else area > edge for area in areas_km2)


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"
