"""A connection to one server with blocking calls: documents as they come, for every operation of the API."""

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import httpx

from loupe import calls
from loupe.addresses import TIMEOUT, own_headers, place_on, trusts_proxies, without_answer
from loupe.answers.base import Json
from loupe.bodies import Body, File
from loupe.exchange import Pause, Request, Result, Steps, Value, exchange, fetch, link_of
from loupe.following import Seen
from loupe.repeating import DEFAULT_RETRIES, Outcome, Retries


class Connection:
    """A connection to one server with one API key, for documents as they come. Use it as a context manager.

    It can be used by one thread at a time.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries = DEFAULT_RETRIES,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self._http = httpx.Client(
            base_url=self.url,
            headers=own_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=trusts_proxies(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        self._http.close()

    def run(self, steps: Steps[Result]) -> Result:
        """Perform the steps of an operation, such as one of `loupe.calls`, and return its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self._perform(step))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _perform(self, step: Request | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return Outcome(retries=self.retries)
        try:
            answer = self._http.request(
                step.method,
                place_on(self.url, step.path),
                params=step.parameters(),
                headers=step.all_headers(),
                json=step.json,
                content=None if step.body is None else step.body.parts(),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Outcome(error=without_answer(self.url, error), retries=self.retries)
        return Outcome(answer=answer, retries=self.retries)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Value] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        file: File | None = None,
    ) -> httpx.Response:
        """Send one request, with a JSON document or a file, and return the answer.

        It is repeated as `Retries` describes. Errors: ProblemError, NoAnswerError.
        """
        request = Request(
            method=method,
            path=path,
            query=query or {},
            headers=headers or {},
            json=json,
            body=None if file is None else Body(file),
        )
        return self.run(exchange(request))

    def get(self, path: str, **query: Value) -> Json:
        """Return a JSON document, asked for with the query parameters that are not None."""
        return self.run(fetch(Request(method="GET", path=path, query=query)))

    def post(self, path: str, body: Mapping[str, object] | None = None, seen: Seen | None = None) -> Json:
        """Post a JSON document, under a new Idempotency-Key if the server takes one there.

        If the answer is a job, wait for its result; `seen` is called with the job each time it is read.
        """
        return self.run(calls.post(path, body or {}, seen))

    def pages(self, path: str, **query: Value) -> Iterator[Json]:
        """Yield every page of a list by following its `next` links."""
        page = self.get(path, **query)
        yield page
        while onward := link_of(page, "next"):
            page = self.get(onward)
            yield page

    def items(self, path: str, **query: Value) -> Iterator[Json]:
        """Yield every item of a list. `limit` is the size of a page, 100 by default."""
        for page in self.pages(path, **{"limit": 100, **query}):
            yield from page["items"]

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
