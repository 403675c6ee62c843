"""Shape rules: each states which shapes a provider accepts, its lower bound and its explanation. Pure numpy.

A shape is a set of cells that are connected over shared edges. Shapes come as a stack (N, rows, columns) of
booleans with an empty frame around every shape.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from service.pricing.areas import CM2_PER_M2

Stack = NDArray[np.bool_]  # (N, rows, columns)


class ShapeRule(ABC):
    """One rule that every shape of an order must keep."""

    @property
    def least_cells(self) -> int:
        """The lower bound: no shape that keeps the rule has fewer cells."""
        return 1

    @property
    @abstractmethod
    def requirement(self) -> str:
        """The requirement, as the end of the sentence "a shape must ..."."""

    @abstractmethod
    def admits(self, shapes: Stack) -> NDArray[np.bool_]:
        """Return for each shape (N,) whether it keeps the rule."""


@dataclass(frozen=True, kw_only=True)
class MinimumWidth(ShapeRule):
    """A minimum width of every part of a shape, along both axes: squares of that width must fill it."""

    metres: Decimal
    cells: int

    @property
    def least_cells(self) -> int:
        """The cells of the smallest square."""
        return self.cells**2

    @property
    def requirement(self) -> str:
        """The width in metres."""
        return f"be at least {self.metres.normalize():f} m wide"

    def admits(self, shapes: Stack) -> NDArray[np.bool_]:
        """Compare each shape with the union of the squares inside it (a morphological opening)."""
        if self.cells <= 1:
            return np.ones(len(shapes), dtype=np.bool_)
        framed = np.pad(shapes, ((0, 0), *((self.cells - 1, self.cells - 1),) * 2))
        inside = sliding_window_view(framed, self.cells, axis=1).all(axis=-1)
        inside = sliding_window_view(inside, self.cells, axis=2).all(axis=-1)
        filled = sliding_window_view(inside, self.cells, axis=1).any(axis=-1)
        filled = sliding_window_view(filled, self.cells, axis=2).any(axis=-1)
        return np.asarray((filled == shapes).all(axis=(1, 2)))


@dataclass(frozen=True, kw_only=True)
class Convexity(ShapeRule):
    """Only convex shapes; on a lattice these are rectangles."""

    requirement = "be convex"

    def admits(self, shapes: Stack) -> NDArray[np.bool_]:
        """Return which shapes have four corners: connected cells then form a rectangle."""
        return np.asarray(count_corners(shapes) == 4)


@dataclass(frozen=True, kw_only=True)
class VertexLimit(ShapeRule):
    """A maximum number of vertices, without points on straight sides."""

    vertices: int

    @property
    def requirement(self) -> str:
        """The number of vertices."""
        return f"have at most {self.vertices} vertices"

    def admits(self, shapes: Stack) -> NDArray[np.bool_]:
        """Count the corners of outlines and holes."""
        return count_corners(shapes) <= self.vertices


@dataclass(frozen=True, kw_only=True)
class NoHoles(ShapeRule):
    """Only shapes without holes."""

    requirement = "have no holes"

    def admits(self, shapes: Stack) -> NDArray[np.bool_]:
        """Return for which shapes the frame reaches all empty cells over shared edges."""
        empty = ~shapes
        reached = np.zeros_like(empty)
        reached[:, 0, 0] = True
        while True:
            grown = reached.copy()
            grown[:, 1:] |= reached[:, :-1]
            grown[:, :-1] |= reached[:, 1:]
            grown[:, :, 1:] |= reached[:, :, :-1]
            grown[:, :, :-1] |= reached[:, :, 1:]
            grown &= empty
            if (grown == reached).all():
                return np.asarray((reached == empty).all(axis=(1, 2)))
            reached = grown


@dataclass(frozen=True, kw_only=True)
class ShapeRules:
    """The shape rules of a price list, as its publisher entered them."""

    minimum_width_m: Decimal = Decimal(0)
    convex: bool = False
    max_vertices: int | None = None
    holes: bool = True
    """Whether shapes may have holes."""

    def narrowest(self, cell_cm2: float) -> int:
        """Return how many cells of this mean area a shape must be wide."""
        side_m = math.sqrt(cell_cm2 / CM2_PER_M2)
        return max(1, math.ceil(float(self.minimum_width_m) / side_m - 1e-6))

    def active(self, narrowest: int = 1) -> tuple[ShapeRule, ...]:
        """Return the rules that apply where shapes must be `narrowest` cells wide."""
        rules: list[ShapeRule] = []
        if self.minimum_width_m > 0 or narrowest > 1:
            rules.append(MinimumWidth(metres=self.minimum_width_m, cells=narrowest))
        if self.convex:
            rules.append(Convexity())
        if not self.holes:
            rules.append(NoHoles())
        if self.max_vertices is not None:
            rules.append(VertexLimit(vertices=self.max_vertices))
        return tuple(rules)

    def admits(self, shapes: Stack, narrowest: int) -> NDArray[np.bool_]:
        """Return for each shape (N,) whether it keeps every rule."""
        legal = np.ones(len(shapes), dtype=np.bool_)
        for rule in self.active(narrowest):
            legal[legal] = rule.admits(shapes[legal])
        return legal

    def least_cells(self, narrowest: int) -> int:
        """Return the fewest cells of any legal shape."""
        return max((rule.least_cells for rule in self.active(narrowest)), default=1)

    def explain(self) -> str | None:
        """Return what every shape must do; None without rules."""
        requirements = [rule.requirement for rule in self.active()]
        if not requirements:
            return None
        first, last = ", ".join(requirements[:-1]), requirements[-1]
        return f"a shape must {first} and {last}" if first else f"a shape must {last}"


ANY_SHAPE = ShapeRules()


def count_corners(shapes: Stack) -> NDArray[np.int64]:
    """Count the corners (N,) of each shape's outlines.

    At each lattice point, one or three of the four cells make one corner, two opposite cells make two.
    """
    cells = shapes.astype(np.int8)
    around = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
    count = around[0] + around[1] + around[2] + around[3]
    opposite = (count == 2) & (around[0] == around[3])
    return np.asarray((count % 2 + 2 * opposite).sum(axis=(1, 2)), dtype=np.int64)
