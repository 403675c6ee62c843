"""The metrics of this process, in the names and units of Prometheus; `service/monitoring.py` shows them.

Labels have few values: templates of routes, codes of problems, names of bundles, kinds of movements. Never an
id, a path, a key or a workspace.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from service.errors import LoupeError

REGISTRY = CollectorRegistry()
"""All metrics of this process."""
_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "loupe_http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ("route", "method", "status"),
    registry=REGISTRY,
    buckets=_LONG,
)
PROBLEMS = Counter(
    "loupe_problems_total", "Answers with a problem document, by its code.", ("code",), registry=REGISTRY
)
REJECTED_UPLOADS = Counter(
    "loupe_upload_rejected_total",
    "Uploaded files that were answered with a problem, by its code.",
    ("code",),
    registry=REGISTRY,
)
REPLAYS = Counter(
    "loupe_idempotent_replay_total", "Answers that were sent again for a repeated key.", registry=REGISTRY
)
DECODE_SECONDS = Histogram(
    "loupe_decode_seconds",
    "Time to decode an uploaded file in a child process, by its outcome.",
    ("outcome",),
    registry=REGISTRY,
    buckets=_LONG,
)
BATCH_SECONDS = Histogram(
    "loupe_network_batch_seconds",
    "Time of a batch in a bundle's networks.",
    ("bundle",),
    registry=REGISTRY,
    buckets=_SHORT,
)
BATCH_SIZE = Histogram(
    "loupe_network_batch_size",
    "Tiles or patches in a batch.",
    ("bundle",),
    registry=REGISTRY,
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
QUEUE_SECONDS = Histogram(
    "loupe_queue_wait_seconds",
    "Time that a request waited for its turn to compute.",
    registry=REGISTRY,
    buckets=_LONG,
)
LEDGER_SECONDS = Histogram(
    "loupe_ledger_call_seconds",
    "Time of a call that writes the ledger, by its outcome: ok, refused or failed.",
    ("kind", "outcome"),
    registry=REGISTRY,
    buckets=_SHORT,
)
LEDGER_VIOLATIONS = Gauge(
    "loupe_ledger_violations",
    "Broken invariants of the ledger at the last check; any but 0 is an alarm.",
    registry=REGISTRY,
)
LEDGER_VIOLATIONS.set(float("nan"))  # not checked yet
LEDGER_CHECKED = Gauge(
    "loupe_ledger_checked_timestamp_seconds", "Time of the last check of the ledger.", registry=REGISTRY
)


@contextmanager
def timed(histogram: Histogram, **labels: str) -> Iterator[None]:
    """Observe the time of a block with its outcome: `ok`, `refused` for an error with a code, or `failed`."""
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "ok"
    except LoupeError:
        outcome = "refused"
        raise
    finally:
        histogram.labels(**labels, outcome=outcome).observe(time.perf_counter() - began)
