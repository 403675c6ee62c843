"""A connection to one server with awaited calls: documents as they come, for every operation of the API."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import anyio
import httpx

from loupe import calls
from loupe.addresses import TIMEOUT, own_headers, place_on, trusts_proxies, without_answer
from loupe.answers.base import Json
from loupe.bodies import Body, File
from loupe.exchange import Pause, Request, Result, Steps, Value, exchange, fetch, link_of
from loupe.following import Seen
from loupe.repeating import DEFAULT_RETRIES, Outcome, Retries


class AsyncConnection:
    """A connection to one server with one API key, for documents as they come.

    Use it as an asynchronous context manager, in an event loop of asyncio or trio. Its calls can overlap.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retries: Retries = DEFAULT_RETRIES,
        timeout: httpx.Timeout = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.retries = retries
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=own_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=trusts_proxies(self.url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._http.aclose()

    async def run(self, steps: Steps[Result]) -> Result:
        """Perform the steps of an operation, such as one of `loupe.calls`, and return its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._perform(step))
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _perform(self, step: Request | Pause) -> Outcome:
        if isinstance(step, Pause):
            await anyio.sleep(step.seconds)
            return Outcome(retries=self.retries)
        try:
            answer = await self._http.request(
                step.method,
                place_on(self.url, step.path),
                params=step.parameters(),
                headers=step.all_headers(),
                json=step.json,
                content=None if step.body is None else step.body.parts_async(),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Outcome(error=without_answer(self.url, error), retries=self.retries)
        return Outcome(answer=answer, retries=self.retries)

    async def send(
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
        return await self.run(exchange(request))

    async def get(self, path: str, **query: Value) -> Json:
        """Return a JSON document, asked for with the query parameters that are not None."""
        return await self.run(fetch(Request(method="GET", path=path, query=query)))

    async def post(
        self, path: str, body: Mapping[str, object] | None = None, seen: Seen | None = None
    ) -> Json:
        """Post a JSON document, under a new Idempotency-Key if the server takes one there.

        If the answer is a job, wait for its result; `seen` is called with the job each time it is read.
        """
        return await self.run(calls.post(path, body or {}, seen))

    async def pages(self, path: str, **query: Value) -> AsyncIterator[Json]:
        """Yield every page of a list by following its `next` links."""
        page = await self.get(path, **query)
        yield page
        while onward := link_of(page, "next"):
            page = await self.get(onward)
            yield page

    async def items(self, path: str, **query: Value) -> AsyncIterator[Json]:
        """Yield every item of a list. `limit` is the size of a page, 100 by default."""
        async for page in self.pages(path, **{"limit": 100, **query}):
            for item in page["items"]:
                yield item

    async def download(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return (await self.send("GET", path)).content

    async def csv_lines(self, path: str) -> AsyncIterator[str]:
        """Yield every line of a list as CSV by following the `Link` header; column names come first, once."""
        following: str | None = path
        while following:
            answer = await self.send("GET", following, headers={"Accept": "text/csv"})
            for line in answer.text.splitlines()[0 if following == path else 1 :]:
                yield line
            following = answer.links.get("next", {}).get("url")
