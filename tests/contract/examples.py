"""Plugin of pytest that records answers as the examples of the OpenAPI document: `make examples`.

Of all JSON answers that tests of the API get from an operation, the one that shows most fields is kept, and
of those the shortest.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from service.web.examples import EXAMPLES, RECORDED, Example, Examples
from service.web.negotiation import GEO_JSON, JSON

PARTS = Path("build/examples")
"""Folder to which every process writes its examples."""
MOST_ITEMS = 2
"""Items that remain of a list of objects."""
SECRETS = {"key", "secret"}
MASKED = "loupe_examplek_shown-once"
JSON_BODY = re.compile(r"application/(merge-patch\+)?json\b")
PARAMETER = re.compile(r"\{\w+\}")


class Recorder:
    """Keeps the best answer of every operation and status."""

    def __init__(self) -> None:
        paths = create_app(Settings.model_construct()).openapi()["paths"]
        self._operations = [
            (method.upper(), re.compile(PARAMETER.sub("[^/]+", path)), operation["operationId"])
            for path, operations in sorted(paths.items(), key=lambda one: one[0].count("{"))
            for method, operation in operations.items()
        ]
        self.examples: Examples = {}

    def note(self, request: httpx2.Request, response: httpx2.Response) -> None:
        """Keep an exchange if it shows more than the one before."""
        name = self._operation(request)
        is_json = response.headers.get("Content-Type", "").partition(";")[0] in (JSON, GEO_JSON)
        if name is None or not response.is_success or not is_json or not response.content:
            return
        is_read = JSON_BODY.match(request.headers.get("Content-Type", ""))
        body = json.loads(request.content) if is_read and request.content else None
        example = Example(answer=shortened(response.json()), body=shortened(body))
        keep_better(self.examples, {name: {str(response.status_code): example}})

    def _operation(self, request: httpx2.Request) -> str | None:
        found = (
            name
            for method, pattern, name in self._operations
            if method == request.method and pattern.fullmatch(request.url.path)
        )
        return next(found, None)


def shortened(value: Any) -> Any:
    """Return a JSON value with two items of each list of objects, and without secrets."""
    if isinstance(value, list):
        kept = value[:MOST_ITEMS] if any(isinstance(one, dict) for one in value) else value
        return [shortened(one) for one in kept]
    if isinstance(value, dict):
        return {
            name: MASKED
            if name in SECRETS and isinstance(one, str) and one.startswith("loupe_")
            else shortened(one)
            for name, one in value.items()
        }
    return value


def keep_better(kept: Examples, new: Mapping[str, Mapping[str, Example]]) -> None:
    """Take each example that is the first of its operation and status, or better than the one kept."""
    for name, by_status in new.items():
        for status, example in by_status.items():
            before = kept.setdefault(name, {}).get(status)
            if before is None or worth(example) > worth(before):
                kept[name][status] = example


def worth(example: Example) -> tuple[int, int, str]:
    """Rank an example: by the fields that it shows, then by its shortness, then by its text."""
    text = example.model_dump_json()
    return len(set(fields(example.answer))) + len(set(fields(example.body))), -len(text), text


def fields(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of every field of a JSON value that is not null."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from fields(one, f"{path}/{name}")
    elif isinstance(value, list):
        for one in value:
            yield from fields(one, f"{path}/*")
    elif value is not None:
        yield path


def pytest_configure(config: pytest.Config) -> None:
    """Watch every test client of this process."""
    recorder = Recorder()
    config.stash[RECORDER] = recorder
    send = TestClient.send

    def watched(self: TestClient, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = send(self, request, **options)
        recorder.note(request, response)
        return response

    TestClient.send = watched  # type: ignore[assignment]


RECORDER = pytest.StashKey[Recorder]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the examples of this process; the last process writes those of all."""
    worker = getattr(session.config, "workerinput", {}).get("workerid")
    PARTS.mkdir(parents=True, exist_ok=True)
    examples = session.config.stash[RECORDER].examples
    if worker is not None:
        (PARTS / f"{worker}.json").write_bytes(EXAMPLES.dump_json(examples))
        return
    for part in sorted(PARTS.glob("*.json")):
        keep_better(examples, EXAMPLES.validate_json(part.read_bytes()))
        part.unlink()
    stored = EXAMPLES.dump_python(examples, mode="json", exclude_none=False)
    RECORDED.write_text(
        json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
