"""A thin client of the public HTTP API: what the command line and the demo speak with a server."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4

import httpx

Json = dict[str, Any]
Query = str | float | None
TIFF = {"Content-Type": "image/tiff"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Planning or classifying a large scene on a CPU takes minutes; connecting never does.
TIMEOUT = httpx.Timeout(600, connect=5)


class ClientError(Exception):
    """The server refused, or there is none; `str()` says so in one or two lines."""


class NoServerError(ClientError):
    """Nothing answers at the URL."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"No Loupe server answers at {url}.\nStart one with `loupe serve`, or name another with --url."
        )


class ProblemError(ClientError):
    """The server answered with a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(_words(status, problem))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The last part of the problem's type, such as "budget-exceeded"."""
        return str(self.problem.get("type", "")).rpartition("/")[2]


def _words(status: int, problem: Json) -> str:
    title = problem.get("title", f"The server answered {status}")
    faults = [f"{fault.get('pointer', '')} {fault.get('detail', '')}".strip() for fault in _faults(problem)]
    detail = "; ".join(faults[:3]) or problem.get("detail", "")
    return f"{title}\n{detail}".strip() if detail != title else str(title)


def _faults(problem: Json) -> list[Json]:
    faults = problem.get("errors")
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []


class Client:
    """One server, one API key. Use as a context manager; every failure is a ClientError."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT,
            transport=transport,
            # The environment's proxy is for elsewhere: it cannot reach this machine's loopback.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request; ProblemError when the answer is 400 or above."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.ConnectError as error:
            raise NoServerError(self.url) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise ClientError(f"{self.url} did not answer properly: {reason}") from error
        if answer.is_error:
            raise ProblemError(answer.status_code, _problem(answer))
        return answer

    def get(self, path: str, **query: Any) -> Json:
        """GET a JSON document."""
        # Even an empty `params` would make httpx drop the query of `path`.
        return cast(Json, self.send("GET", path, params=query or None).json())

    def post(self, path: str, body: Json | None = None) -> Json:
        """POST a JSON document under a fresh Idempotency-Key; one lost answer is asked for again."""
        headers = {"Idempotency-Key": f'"{uuid4()}"'}
        try:
            answer = self.send("POST", path, json=body or {}, headers=headers)
        except (NoServerError, ProblemError):
            raise
        except ClientError:  # sent, but the answer was lost: the key makes asking again safe
            answer = self.send("POST", path, json=body or {}, headers=headers)
        return cast(Json, answer.json())

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """Every page of a list, following the links `next`."""
        page = self.get(path, **query)
        yield page
        while onward := _link(page, "next"):
            page = self.get(onward)
            yield page

    def items(self, path: str) -> list[Json]:
        """Every item of a list."""
        return [item for page in self.pages(path, limit=100) for item in page["items"]]

    def download(self, path: str) -> bytes:
        """A file, whole."""
        return self.send("GET", path).content

    def csv_lines(self, path: str) -> Iterator[str]:
        """Every line of a list as CSV, following the header `Link`; the column names come once."""
        following: str | None = path
        while following:
            answer = self.send("GET", following, headers={"Accept": "text/csv"})
            yield from answer.text.splitlines()[0 if following == path else 1 :]
            following = answer.links.get("next", {}).get("url")

    def upload(self, method: str, path: str, geotiff: bytes, **query: Query) -> httpx.Response:
        """Send a GeoTIFF as it is, with the query parameters that are not None."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.send(method, path, content=geotiff, headers=TIFF, params=given or None)

    def plan_scene(self, scene: bytes, **query: Query) -> Json:
        """Plan a low-resolution GeoTIFF; the query parameters are those of POST /v1/plans."""
        return cast(Json, self.upload("POST", "/v1/plans", scene, **query).json())

    def import_price_lists(self, file: bytes, media_type: str) -> Json:
        """Publish every price list of a file, or none. Safe to repeat: what is there already is not new."""
        headers = {"Content-Type": media_type}
        return cast(Json, self.send("POST", "/v1/price-lists/import", content=file, headers=headers).json())

    def create_budget(self, name: str, amount: str, currency: str, terms: Json | None = None) -> Json:
        """Set money aside for orders; the terms are those of POST /v1/budgets."""
        limit = {"amount": amount, "currency": currency}
        return self.post("/v1/budgets", {"name": name, "limit": limit} | (terms or {}))

    def change_budget(self, budget: str, changes: Json) -> Json:
        """Change limit or terms of a budget: a JSON merge patch."""
        return cast(Json, self.send("PATCH", f"/v1/budgets/{budget}", json=changes).json())

    def create_order(self, plan: str, budget: str | None) -> Json:
        """Order the patches of a plan; holds their money."""
        return self.post("/v1/orders", {"plan": plan} | ({"budget": budget} if budget else {}))

    def decide(self, order: str, decision: str, note: str | None) -> Json:
        """Approve or reject a held order."""
        body = {"decision": decision} | ({"note": note} if note else {})
        return self.post(f"/v1/orders/{order}/approval", body)

    def deliver(self, order: str, tile: int, patch: int, geotiff: bytes, **query: Query) -> bool:
        """Upload one bought patch; False when these bytes were there already."""
        path = f"/v1/orders/{order}/tiles/{tile}/patches/{patch}"
        return self.upload("PUT", path, geotiff, **query).status_code == httpx.codes.CREATED

    def classify(self, order: str, *, allow_partial: bool = False) -> Json:
        """Label every tile of an order."""
        return self.post(f"/v1/orders/{order}/classification", {"allow_partial": allow_partial})


def _problem(answer: httpx.Response) -> Json:
    try:
        document = answer.json()
    except ValueError:  # a proxy's page, say
        document = None
    return document if isinstance(document, dict) else {"title": f"The server answered {answer.status_code}"}


def _link(document: Json, relation: str) -> str | None:
    links = [link["href"] for link in document.get("links", []) if link["rel"] == relation]
    return links[0] if links else None
