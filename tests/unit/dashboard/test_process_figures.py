"""Requests of a process by route: counts, means, and the bound that 95 % of them kept."""

import pytest
from prometheus_client import CollectorRegistry, Histogram

from service.dashboard.process_figures import RouteTimes, route_times


@pytest.fixture
def histogram() -> Histogram:
    return Histogram(
        "seconds", "Times.", ("route", "method", "status"), registry=CollectorRegistry(), buckets=(0.1, 1, 10)
    )


def observe(histogram: Histogram, route: str, status: str, *seconds: float) -> None:
    for one in seconds:
        histogram.labels(route=route, method="GET", status=status).observe(one)


def times(histogram: Histogram) -> list[RouteTimes]:
    return route_times(list(histogram.collect()))


def test_statuses_of_a_route_are_added_up(histogram: Histogram) -> None:
    observe(histogram, "/a", "200", 0.25, 0.75)
    observe(histogram, "/a", "404", 0.5)
    observe(histogram, "/a", "503", 2.5)
    observe(histogram, "/a", "left", 1.0)
    (one,) = times(histogram)
    assert (one.requests, one.refused, one.failed) == (5, 1, 2)
    assert one.mean == pytest.approx(1.0)


def test_bound_covers_95_of_100_and_no_fewer(histogram: Histogram) -> None:
    observe(histogram, "/kept", "200", *[0.05] * 95, *[5.0] * 5)
    observe(histogram, "/broken", "200", *[0.05] * 94, *[5.0] * 6)
    observe(histogram, "/beyond", "200", 100.0)
    assert {one.route: one.within for one in times(histogram)} == {
        "/kept": 0.1,
        "/broken": 10,
        "/beyond": None,
    }


def test_routes_with_most_requests_come_first(histogram: Histogram) -> None:
    observe(histogram, "/rare", "200", 0.1)
    observe(histogram, "/common", "200", 0.1, 0.1)
    assert [one.route for one in times(histogram)] == ["/common", "/rare"]
