"""Quotas of requests: how many a key, a workspace or a stranger may send in a time and at once.

They are counted in the memory of one server process. `service.web.limits` applies them.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST_METERS = 10_000
"""Subjects of a quota that are remembered. A new one makes the one forgotten that was silent longest."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Requests that one subject may send, as a bucket that fills evenly, and have under way at once."""

    name: str
    requests: int
    window_s: int
    at_once: int
    subject: str = ""
    """Word for whom it is counted; empty: the name."""
    act: str = "send {} requests"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """A quota, and what of it is left after a request."""

    quota: Quota
    remaining: int
    full_in_s: int


@dataclass(frozen=True, kw_only=True)
class Excess:
    """A request beyond a quota. `at_once` says which of its two limits it exceeds."""

    quota: Quota
    at_once: bool
    retry_after_s: int


@dataclass
class _Meter:
    left: float
    counted_at: float
    under_way: int = 0


class Meters:
    """The requests of every subject. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._meters: dict[str, OrderedDict[Hashable, _Meter]] = {}
        """By the quota's name, so that no number of addresses makes a key forgotten."""

    def enter(self, quota: Quota, subject: Hashable) -> Allowance | Excess:
        """Count a request that begins, or say why it may not; `leave` must follow one that may."""
        with self._lock:
            meter = self._filled(quota, subject)
            per_second = quota.requests / quota.window_s
            if meter.under_way >= quota.at_once:
                return Excess(quota=quota, at_once=True, retry_after_s=1)
            if meter.left < 1:
                wait_s = math.ceil((1 - meter.left) / per_second)
                return Excess(quota=quota, at_once=False, retry_after_s=wait_s)
            meter.left -= 1
            meter.under_way += 1
            full_in_s = math.ceil((quota.requests - meter.left) / per_second)
            return Allowance(quota=quota, remaining=math.floor(meter.left), full_in_s=full_in_s)

    def leave(self, quota: Quota, subject: Hashable) -> None:
        """Count a request that has ended."""
        with self._lock:
            self._meters[quota.name][subject].under_way -= 1

    def _filled(self, quota: Quota, subject: Hashable) -> _Meter:
        """Return the subject's meter with what has been added to it since its last request."""
        now, meters = self._clock(), self._meters.setdefault(quota.name, OrderedDict())
        meter = meters.get(subject)
        if meter is None:
            _make_room(meters)
            meter = meters[subject] = _Meter(left=quota.requests, counted_at=now)
        meters.move_to_end(subject)
        added = (now - meter.counted_at) * quota.requests / quota.window_s
        meter.left, meter.counted_at = min(quota.requests, meter.left + added), now
        return meter


def _make_room(meters: OrderedDict[Hashable, _Meter]) -> None:
    """Forget subjects until there is room for a new one; those with a request under way are kept.

    The number of connections bounds how many those are.
    """
    for _ in range(len(meters)):
        if len(meters) < MOST_METERS:
            return
        subject, meter = next(iter(meters.items()))
        if meter.under_way:
            meters.move_to_end(subject)
        else:
            del meters[subject]
