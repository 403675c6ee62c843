"""Values that are kept in the process, bounded by their size."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar, cast

Value = TypeVar("Value")


class KeptValues:
    """Values that stay as long as their basis; those that were not asked for longest give way."""

    def __init__(self, most: int, least: int = 1) -> None:
        """Keep values of `most` in all, of which each counts as `least` or more."""
        self._most, self._least, self._size, self._lock = most, least, 0, Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """Size of all values that are kept."""
        return self._size

    def value(
        self, place: Hashable, basis: Hashable, compute: Callable[[], Value], size: Callable[[Value], int]
    ) -> Value:
        """Return the value that was computed for a place on this basis, or compute it.

        The basis must have been read before the rows that `compute` reads. Then a value of newer rows is
        found only by readers of the older basis, and nobody reads that one any more.
        """
        with self._lock:
            known = self._kept.get(place)
            if known is not None and known[0] == basis:
                self._kept.move_to_end(place)
                return cast(Value, known[1])
        value = compute()  # without the lock: several threads may compute the same
        self._keep(place, basis, value, max(self._least, size(value)))
        return value

    def kept_up(
        self,
        place: Hashable,
        basis: Hashable,
        compute: Callable[[Value | None], Value],
        size: Callable[[Value], int],
    ) -> Value:
        """Return like `value` what `compute` makes of the value that is kept on another basis, if any is.

        That one may be of any basis, also of a later or an abandoned one, and must not be changed.
        """
        with self._lock:
            known = self._kept.get(place)
        earlier = None if known is None else cast(Value, known[1])
        return self.value(place, basis, lambda: compute(earlier), size)

    def once(
        self, place: Hashable, compute: Callable[[], Value], size: Callable[[Value], int] = lambda _: 1
    ) -> Value:
        """Return the value of a place that never changes."""
        return self.value(place, None, compute, size)

    def _keep(self, place: Hashable, basis: Hashable, value: object, size: int) -> None:
        with self._lock:
            replaced = self._kept.pop(place, None)
            self._size += size - (0 if replaced is None else replaced[2])
            self._kept[place] = basis, value, size
            while self._size > self._most:
                _, (_, _, given_up) = self._kept.popitem(last=False)
                self._size -= given_up
