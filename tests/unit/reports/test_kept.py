"""Kept values: found by place and basis, and bounded in number."""

from service.reports.basis import FiguresBasis, OrdersBasis
from service.reports.filters import ReportFilter
from service.reports.kept import LEAST_SIZE, LETTERS, CountedOrders, KeptFigures, size_of
from service.reports.savings import count_orders
from tests.support.figures import make_order


class Counter:
    """A computation that counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> int:
        self.runs += 1
        return self.runs


class TestKeptFigures:
    def test_value_is_computed_once_for_a_basis(self) -> None:
        kept, compute = KeptFigures(), Counter()

        assert [kept.value("a", 1, compute, int) for _ in range(3)] == [1, 1, 1]
        assert kept.value("b", 1, compute, int) == 2
        assert kept.value("a", 2, compute, int) == 3
        assert kept.value("a", 1, compute, int) == 4  # a place keeps the newest value only

    def test_value_of_another_basis_is_kept_up(self) -> None:
        kept, given = KeptFigures(), list[int | None]()

        def count(known: int | None) -> int:
            given.append(known)
            return 1 if known is None else known + 1

        assert [kept.kept_up("a", basis, count, int) for basis in (1, 1, 2, 3, 1)] == [1, 1, 2, 3, 4]
        assert kept.kept_up("b", 1, count, int) == 1
        assert given == [None, 1, 2, 3, None]

    def test_values_not_asked_for_longest_give_way(self) -> None:
        kept, compute = KeptFigures(most_orders=3 * LEAST_SIZE), Counter()
        for place in ("a", "b", "c", "a", "d"):
            kept.value(place, 1, compute, lambda _: 1)

        assert compute.runs == 4
        kept.value("a", 1, compute, lambda _: 1)
        assert compute.runs == 4
        kept.value("b", 1, compute, lambda _: 1)
        assert compute.runs == 5

    def test_value_larger_than_everything_is_returned_and_not_kept(self) -> None:
        kept, compute = KeptFigures(most_orders=LEAST_SIZE), Counter()

        assert [kept.value("a", 1, compute, lambda _: 2 * LEAST_SIZE) for _ in range(2)] == [1, 2]
        assert [kept.value("b", 1, compute, lambda _: 1) for _ in range(2)] == [3, 3]


def test_order_with_long_texts_counts_as_several() -> None:
    order = make_order(reasons=("r" * 500,) * 100, invoices=("i" * 100,) * 100)

    assert size_of(count_orders([order, make_order(2)])) == 1 + 60_000 // LETTERS + 1


def test_derived_value_counts_with_its_rows() -> None:
    kept, basis = KeptFigures(most_orders=3 * LEAST_SIZE), FiguresBasis(OrdersBasis(None, None, 0), None)
    counted, compute = CountedOrders(orders=(), basis=basis, place=("w",), kept=kept), Counter()
    for name in ("a", "b"):
        counted.derived(name, lambda _: compute(), lambda _: 2 * LEAST_SIZE)

    counted.derived("b", lambda _: compute(), lambda _: 2 * LEAST_SIZE)
    assert compute.runs == 2
    counted.derived("a", lambda _: compute(), lambda _: 2 * LEAST_SIZE)
    assert compute.runs == 3


def test_filters_differ_by_each_limit() -> None:
    filters = (
        ReportFilter(), ReportFilter(provider="x"), ReportFilter(cost_center="x"),
        ReportFilter(tag={"x": "y"}), ReportFilter(tag={"x": "z"}),
    )  # fmt: skip

    assert len({one.key for one in filters}) == len(filters)
    assert ReportFilter(tag={"a": "b"}).key == ReportFilter(tag={"a": "b"}).key
