"""A line chart: places of points, ticks at round values, and bands only where every point has an interval."""

import pytest

from service.dashboard.chart import BOTTOM, HEIGHT, LEFT, TOP, Mark, Point, line_chart, nice_step


def test_chart_of_one_point_is_no_chart() -> None:
    assert line_chart([Point(x=1, y=1)], [], "x", "y") is None


def test_line_runs_in_the_order_of_costs_from_the_left_axis() -> None:
    chart = line_chart([Point(x=10, y=2), Point(x=0, y=1)], [], "x", "y")
    assert chart is not None
    first, last = chart.line.removeprefix("M").split("L")
    assert float(first.split()[0]) == LEFT
    assert float(last.split()[0]) > LEFT
    assert float(last.split()[1]) < float(first.split()[1])  # more is higher


def test_everything_drawn_stays_inside_the_plot() -> None:
    points = [Point(x=x, y=x * x, low=x * x - 3, high=x * x + 9) for x in range(5)]
    chart = line_chart(points, [Mark(point=Point(x=8, y=-4, low=-6, high=0), kind="choice")], "x", "y")
    assert chart is not None
    heights = [dot.y for dot in chart.dots] + [tick.at for tick in chart.up]
    assert all(TOP <= height <= HEIGHT - BOTTOM for height in heights)
    assert chart.band.endswith("z")


def test_band_needs_an_interval_of_every_point() -> None:
    points = [Point(x=0, y=1, low=0, high=2), Point(x=1, y=1)]
    chart = line_chart(points, [], "x", "y")
    assert chart is not None
    assert chart.band == ""


def test_equal_values_have_an_axis() -> None:
    chart = line_chart([Point(x=0, y=5), Point(x=0, y=5)], [], "x", "y", y_unit=" %")
    assert chart is not None
    assert "5.0 %" in {tick.label for tick in chart.up}


@pytest.mark.parametrize(("least", "step"), [(1, 1), (1.2, 2), (2.4, 5), (7, 10), (0.03, 0.05), (120, 200)])
def test_steps_are_round(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)
