"""A thin client of the public HTTP API, used by the command line and the demo."""

import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from uuid import uuid4

import httpx

Json = dict[str, Any]
Seen = Callable[[Json], None]
"""Called with a job each time it is read."""
Query = str | float | list[str] | None
TIFF = {"Content-Type": "image/tiff"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Planning or classifying a large scene on a CPU takes minutes; connecting never does.
TIMEOUT = httpx.Timeout(600, connect=5)
FIRST_PAUSE_S = 0.1
"""Seconds between the first two looks at a job; they double up to what the server asks for."""


class ClientError(Exception):
    """A refused or failed request; `str()` gives the reason in one or two lines."""


class NoAnswerError(ClientError):
    """A request without a whole answer: the same can succeed later."""


class NoServerError(NoAnswerError):
    """No server answers at the URL."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"No Loupe server answers at {url}.\n"
            "Start one with `loupe serve`, or give another address with --url."
        )


class ProblemError(ClientError):
    """A problem document (RFC 9457) that the server answered with."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(_message(status, problem))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The last part of the problem's type, such as "budget-exceeded"."""
        return str(self.problem.get("type", "")).rpartition("/")[2]


def _message(status: int, problem: Json) -> str:
    title = problem.get("title", f"The server answered with status {status}.")
    faults = [
        f"{fault.get('pointer')}: {str(fault.get('detail')).rstrip('.')}." for fault in _faults(problem)
    ]
    detail = " ".join(faults[:3]) or problem.get("detail", "")
    return f"{title}\n{detail}".strip() if detail != title else str(title)


def _faults(problem: Json) -> list[Json]:
    faults = problem.get("errors")
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []


class Client:
    """A connection to one server with one API key, used as a context manager. Failures raise ClientError."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
            transport=transport,
            # A proxy from the environment cannot reach the loopback address of this machine.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request. ProblemError when the status of the answer is 400 or above."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.ConnectError as error:
            raise NoServerError(self.url) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise NoAnswerError(f"The server at {self.url} did not answer correctly: {reason}") from error
        if answer.is_error:
            raise ProblemError(answer.status_code, _problem(answer))
        return answer

    def get(self, path: str, **query: Any) -> Json:
        """Get a JSON document, with the query parameters that are not None."""
        given = {name: value for name, value in query.items() if value is not None}
        # Even an empty `params` would make httpx drop the query of `path`.
        return cast(Json, self.send("GET", path, params=given or None).json())

    def post(self, path: str, body: Json | None = None, seen: Seen | None = None) -> Json:
        """Post a JSON document under a new Idempotency-Key, and retry once if the answer is lost.

        If the answer is a job, wait for its result; `seen` is called with the job each time it is read.
        """
        headers = {"Idempotency-Key": f'"{uuid4()}"'}
        try:
            answer = self.send("POST", path, json=body or {}, headers=headers)
        except (NoServerError, ProblemError):
            raise
        except ClientError:  # the answer was lost after sending; the key makes a retry safe
            answer = self.send("POST", path, json=body or {}, headers=headers)
        return self._outcome(answer, seen)

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """Yield every page of a list by following its `next` links."""
        page = self.get(path, **query)
        yield page
        while onward := _link(page, "next"):
            page = self.get(onward)
            yield page

    def items(self, path: str) -> list[Json]:
        """Return every item of a list."""
        return [item for page in self.pages(path, limit=100) for item in page["items"]]

    def download(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return self.send("GET", path).content

    def csv_lines(self, path: str) -> Iterator[str]:
        """Yield every line of a list as CSV by following the `Link` header; column names come first, once."""
        following: str | None = path
        while following:
            answer = self.send("GET", following, headers={"Accept": "text/csv"})
            yield from answer.text.splitlines()[0 if following == path else 1 :]
            following = answer.links.get("next", {}).get("url")

    def upload(self, method: str, path: str, geotiff: bytes, **query: Query) -> httpx.Response:
        """Send a GeoTIFF unchanged, with the query parameters that are not None."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.send(method, path, content=geotiff, headers=TIFF, params=given or None)

    def plan_scene(self, scene: bytes, seen: Seen | None = None, **query: Query) -> Json:
        """Plan a low-resolution GeoTIFF, and wait for the job that a large one becomes.

        The query parameters are those of POST /v1/plans; `seen` is called with the job each time it is read.
        """
        answer = self.upload("POST", "/v1/plans", scene, **query)
        return self._outcome(answer, seen)

    def plan_later(self, scene: bytes, **query: Query) -> Json:
        """Let a low-resolution GeoTIFF be planned, and return the job at once."""
        given = {name: value for name, value in query.items() if value is not None}
        headers = TIFF | {"Prefer": "respond-async"}
        answer = self.send("POST", "/v1/plans", content=scene, headers=headers, params=given or None)
        return cast(Json, answer.json())

    def follow(self, job: str, seen: Seen | None = None) -> Json:
        """Read a job until it has ended, and return it; `seen` is called with it each time it is read."""
        pause_s = FIRST_PAUSE_S
        while True:
            answer = self.send("GET", f"/v1/jobs/{job}")
            if seen is not None:
                seen(answer.json())
            if "retry-after" not in answer.headers:
                return cast(Json, answer.json())
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, float(answer.headers["retry-after"]))

    def _outcome(self, answer: httpx.Response, seen: Seen | None) -> Json:
        """Return the document of an answer, or the result of the job that it names."""
        place, _, job = answer.headers.get("location", "").rpartition("/")
        if answer.status_code != HTTPStatus.ACCEPTED or place != "/v1/jobs":
            return cast(Json, answer.json())
        return self.result_of(self.follow(job, seen))

    def result_of(self, job: Json) -> Json:
        """Return what an ended job has made. ProblemError if it failed, ClientError if it was cancelled."""
        if job["status"] == "failed":
            raise ProblemError(job["problem"]["status"], job["problem"])
        result = _link(job, "result")
        if result is None:
            raise ClientError(f"The job {job['id']} was cancelled, and nothing was stored.")
        return self.get(result)

    def import_price_lists(self, file: bytes, media_type: str) -> Json:
        """Publish all price lists of a file, or none. Repeating it publishes nothing twice."""
        headers = {"Content-Type": media_type}
        return cast(Json, self.send("POST", "/v1/price-lists/import", content=file, headers=headers).json())

    def import_invoices(self, file: bytes, media_type: str) -> Json:
        """Import all invoices and credit notes of a file, or none. Repeating it imports nothing twice."""
        headers = {"Content-Type": media_type}
        return cast(Json, self.send("POST", "/v1/invoices", content=file, headers=headers).json())

    def give_true_labels(self, order: str, file: bytes, media_type: str) -> Json:
        """Give the true labels of a file for tiles of an order. Repeating it changes nothing."""
        headers = {"Content-Type": media_type}
        return cast(Json, self.send("PUT", f"/v1/orders/{order}/truth", content=file, headers=headers).json())

    def create_budget(self, name: str, amount: str, currency: str, terms: Json | None = None) -> Json:
        """Create a budget. The terms are those of POST /v1/budgets."""
        limit = {"amount": amount, "currency": currency}
        return self.post("/v1/budgets", {"name": name, "limit": limit} | (terms or {}))

    def change_budget(self, budget: str, changes: Json) -> Json:
        """Change the limit or terms of a budget with a JSON merge patch."""
        return cast(Json, self.send("PATCH", f"/v1/budgets/{budget}", json=changes).json())

    def create_order(
        self,
        plan: str,
        budget: str | None,
        tags: Mapping[str, str] | None = None,
        cost_center: str | None = None,
        **names: str | None,
    ) -> Json:
        """Order the patches of a plan, which holds their cost in a budget; `names`: name and external id."""
        labels = {"budget": budget, "tags": tags, "cost_center": cost_center, **names}
        return self.post(
            "/v1/orders", {"plan": plan} | {name: value for name, value in labels.items() if value}
        )

    def decide(self, waiting: str, decision: str, note: str | None) -> Json:
        """Approve or reject an order or proposal that waits for approval; only a proposal has a `kind`."""
        body = {"decision": decision} | ({"note": note} if note else {})
        try:
            return self.post(f"/v1/orders/{waiting}/approval", body)
        except ProblemError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            return self.post(f"/v1/proposals/{waiting}/approval", body)

    def deliver(self, order: str, tile: int, patch: int, geotiff: bytes, **query: Query) -> Json:
        """Upload one bought patch and return its receipt; it is the same when the bytes are sent again."""
        path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
        return cast(Json, self.upload("PUT", path, geotiff, **query).json())

    def deliver_file(
        self, order: str, file: Path, sent: Callable[[int], None] | None = None, **query: Query
    ) -> Json:
        """Upload a file or archive for any patches; `sent` is called with the size of each part in bytes."""
        given = {name: value for name, value in query.items() if value is not None}
        # With a length the server refuses a file that is too large before it is sent.
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
        path = f"/v1/orders/{order}/deliveries"
        with file.open("rb") as source:
            answer = self.send(
                "PUT", path, content=_parts(source, sent), headers=headers, params=given or None
            )
        return cast(Json, answer.json())

    def next_round(self, order: str, seen: Seen | None = None, **options: Query) -> Json:
        """Plan what else is worth buying after patches of an order were delivered."""
        given = {name: value for name, value in options.items() if value is not None}
        return self.post(f"/v1/orders/{order}/next-round", given, seen)

    def classify(self, order: str, seen: Seen | None = None, *, allow_partial: bool = False) -> Json:
        """Classify every tile of an order."""
        return self.post(f"/v1/orders/{order}/classification", {"allow_partial": allow_partial}, seen)


def _parts(file: BinaryIO, sent: Callable[[int], None] | None) -> Iterator[bytes]:
    """Yield a file in parts of a mebibyte."""
    while part := file.read(1024 * 1024):
        yield part
        if sent is not None:
            sent(len(part))


def _problem(answer: httpx.Response) -> Json:
    try:
        document = answer.json()
    except ValueError:  # such as the HTML page of a proxy
        document = None
    return (
        document
        if isinstance(document, dict)
        else {"title": f"The server answered with status {answer.status_code}."}
    )


def _link(document: Json, relation: str) -> str | None:
    links = [link["href"] for link in document.get("links", []) if link["rel"] == relation]
    return links[0] if links else None
