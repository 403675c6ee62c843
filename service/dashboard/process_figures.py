"""Requests that this process has answered: their times by route, and the reasons of refusals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf

from prometheus_client import Metric

from service.metrics import PROBLEMS, REGISTRY, REQUEST_SECONDS
from service.web.tabular import Columns

MOST_ROUTES = 20
"""Most routes on the page; the file has all of them."""
WITHIN = 0.95
"""Share of the requests that the stated time covers."""
REQUEST_COLUMNS: Columns = {
    "route": "text", "method": "text", "requests": "integer", "refused": "integer", "failed": "integer",
    "mean_seconds": "text", "within_seconds": "text",
}  # fmt: skip
REFUSAL_COLUMNS: Columns = {"code": "text", "answers": "integer"}


@dataclass(kw_only=True)
class RouteTimes:
    """The requests of one route. Times are seconds from the first byte to the last of the answer."""

    route: str
    method: str
    requests: int = 0
    refused: int = 0
    """Requests answered with a status of 4xx."""
    failed: int = 0
    """Requests answered with a status of 5xx, or whose client left."""
    seconds: float = 0.0
    within_bound: dict[float, int] = field(default_factory=dict)
    """Number of requests that took at most a bound, by the bound."""

    @property
    def mean(self) -> float:
        """Mean time of a request."""
        return self.seconds / self.requests

    @property
    def within(self) -> float | None:
        """Smallest bound that WITHIN of the requests kept; None if it is beyond the last one."""
        wanted = WITHIN * self.requests
        bound = min((one for one, count in self.within_bound.items() if count >= wanted), default=inf)
        return None if bound == inf else bound

    def add(self, sample: str, labels: dict[str, str], value: float) -> None:
        """Add a sample of the histogram of requests."""
        if sample.endswith("_bucket"):
            bound = float(labels["le"])
            self.within_bound[bound] = self.within_bound.get(bound, 0) + int(value)
        elif sample.endswith("_sum"):
            self.seconds += value
        elif sample.endswith("_count"):
            self.requests += int(value)
            self.refused += int(value) if labels["status"].startswith("4") else 0
            self.failed += int(value) if labels["status"][0] not in "234" else 0


@dataclass(frozen=True, kw_only=True)
class ProcessFigures:
    """The figures of this process since its start."""

    since: datetime | None
    """Start of the process; None where the system does not tell."""
    routes: list[RouteTimes]
    """The route with the most requests first."""
    refusals: list[tuple[str, int]]
    """Codes of problems with their number of answers, commonest first."""

    @property
    def requests(self) -> int:
        """Number of requests that were answered."""
        return sum(one.requests for one in self.routes)


def read_process() -> ProcessFigures:
    """Return the figures of this process. They are lost when it ends."""
    began = REGISTRY.get_sample_value("process_start_time_seconds")
    return ProcessFigures(
        since=None if began is None else datetime.fromtimestamp(began, UTC),
        routes=route_times(REQUEST_SECONDS.collect()),
        refusals=sorted(_refusals(PROBLEMS.collect()), key=lambda one: (-one[1], one[0])),
    )


def route_times(metrics: Iterable[Metric]) -> list[RouteTimes]:
    """Add up the histogram of requests by route and method, whatever the status."""
    found: dict[tuple[str, str], RouteTimes] = {}
    for metric in metrics:
        for one in metric.samples:
            if one.name.endswith(("_bucket", "_sum", "_count")):
                key = one.labels["route"], one.labels["method"]
                times = found.setdefault(key, RouteTimes(route=key[0], method=key[1]))
                times.add(one.name, one.labels, one.value)
    return sorted(found.values(), key=lambda one: (-one.requests, one.route, one.method))


def _refusals(metrics: Iterable[Metric]) -> Iterator[tuple[str, int]]:
    for metric in metrics:
        for one in metric.samples:
            if one.name.endswith("_total"):
                yield one.labels["code"], int(one.value)


def request_rows(figures: ProcessFigures) -> Iterator[Sequence[object]]:
    """Write the routes as rows of REQUEST_COLUMNS."""
    for one in figures.routes:
        yield one.route, one.method, one.requests, one.refused, one.failed, round(one.mean, 6), one.within
