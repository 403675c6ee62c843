"""The numbers of objects in a scene's patches when its plan was made: read, or expected."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.grid import PATCHES
from service.bundles.counting import Seen
from service.bundles.predictor import ExpectedCounts
from service.plans.tables import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneCounts:
    """Numbers of objects in the patches (T, 16) of a scene."""

    expected: ExpectedCounts
    """Expected when the plan was made; in patches that were read, as from low resolution."""
    first: ExpectedCounts
    """Expected from low resolution only."""
    readings: ExpectedCounts
    """Counts read before the plan was made: mean and variance, NaN in patches that were not read."""

    @classmethod
    def unread(cls, expected: ExpectedCounts) -> "SceneCounts":
        """Return the counts of a scene of which no patch was read."""
        nothing = np.full_like(expected.mean, np.nan)
        return cls(expected=expected, first=expected, readings=ExpectedCounts(mean=nothing, variance=nothing))

    @classmethod
    def of(cls, plan: Plan) -> "SceneCounts | None":
        """Read the bytes of a plan's row; None for a bundle that counts nothing."""
        if plan.expected is None:
            return None
        if plan.first_expected is None or plan.readings is None:
            return cls.unread(_read(plan.expected))
        return cls(
            expected=_read(plan.expected), first=_read(plan.first_expected), readings=_read(plan.readings)
        )

    @classmethod
    def after(cls, first: ExpectedCounts, readings: ExpectedCounts, now: ExpectedCounts) -> "SceneCounts":
        """Return the counts of a scene of which patches were read; `now` is expected of the others then."""
        read = ~np.isnan(readings.mean)
        mean, variance = (
            np.where(read, *parts) for parts in ((first.mean, now.mean), (first.variance, now.variance))
        )
        return cls(expected=ExpectedCounts(mean=mean, variance=variance), first=first, readings=readings)

    def columns(self) -> dict[str, bytes | None]:
        """Return the columns of a plan's row that keep these counts."""
        later = self.first is not self.expected
        return {
            "expected": _write(self.expected),
            "first_expected": _write(self.first) if later else None,
            "readings": _write(self.readings) if later else None,
        }

    @cached_property
    def read(self) -> NDArray[np.bool_]:
        """Patches (T, 16) that were read before the plan was made."""
        return ~np.isnan(self.readings.mean)

    @cached_property
    def numbers(self) -> NDArray[np.float32]:
        """Number of objects (T, 16): read where it was, else expected."""
        return np.where(self.read, self.readings.mean, self.expected.mean)

    def seen(self, taken: NDArray[np.bool_]) -> Seen:
        """Return what is known beside the expected counts; patches `taken` (T, 16) are owned or on order."""
        return Seen(read=self.read, mean=self.readings.mean, coming=taken & ~self.read)


def _write(counts: ExpectedCounts) -> bytes:
    return np.stack([counts.mean, counts.variance]).astype("<f4").tobytes()


def _read(kept: bytes) -> ExpectedCounts:
    mean, variance = np.frombuffer(kept, "<f4").reshape(2, -1, PATCHES)
    return ExpectedCounts(mean=mean, variance=variance)
