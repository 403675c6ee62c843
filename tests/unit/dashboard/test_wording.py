"""Errors in the words of the pages: no sentence of the service keeps an address or a parameter of the API."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.dashboard.wording import in_words, plainly

SERVICE = Path(__file__).parent.parent.parent.parent / "service"
ELSEWHERE = {"cli", "terminal", "dashboard", "access", "database", "bundles", "geotiff"}
"""Packages whose sentences no page shows, or that talk to the operator of the server."""
OF_THE_API = re.compile(
    r"/v1/|Idempotency-Key|Authorization|`|\b(?:GET|POST|PUT|PATCH|DELETE) /|\b(?:accept|allow)_[a-z]+"
    r"|\b[a-z_]{3,}="
)


def sentences() -> Iterator[str]:
    """Yield the sentences of errors and warnings, with 7 in place of what is filled in."""
    for path in SERVICE.rglob("*.py"):
        if ELSEWHERE.isdisjoint(path.relative_to(SERVICE).parts) and path.parent != SERVICE:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _raises(node.func):
                    details = (one.value for one in node.keywords if one.arg == "detail")
                    yield from map(_text, (*node.args[:1], *details))


def _raises(called: ast.expr) -> bool:
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    return name.endswith(("Error", "Warning"))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    return ""


def test_no_sentence_of_an_error_keeps_words_of_the_api_on_a_page() -> None:
    found = [text for text in sentences() if len(text) > 20]
    kept = {text: plainly(text) for text in found}

    assert len(found) > 100
    assert any(OF_THE_API.search(text) for text in found)
    assert {text: said for text, said in kept.items() if OF_THE_API.search(said)} == {}
    assert {text: said for text, said in kept.items() if text.endswith(".") > said.endswith(".")} == {}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "The plan's prices applied until 2 Nov. Plan the scene again with POST /v1/plans/7f/replan.",
            "The plan's prices applied until 2 Nov. Plan it again on the page What if of the plan.",
        ),
        (
            "This order expired. Send the patches with accept_late=true (`loupe deliver --late`) to hold "
            "their cost again, or order its plan again.",
            "This order expired. Tick the box about late patches to hold their cost again, or order its plan "
            "again.",
        ),
        (
            "The body is too large; this request may send at most 2147483648 bytes.",
            "The body is too large; this request may send at most 2.1 GB.",
        ),
        (
            "Ask an admin of the workspace for such a key (`loupe keys create NAME --role buyer` on the "
            "server's machine, or POST /v1/keys).",
            "Ask an admin of the workspace for such a key (loupe keys create NAME --role buyer on the "
            "server's machine).",
        ),
        (
            "The bundle certifies no guarantee. Choose a bundle with guarantees: GET /v1/bundles.",
            "The bundle certifies no guarantee. Choose a bundle with guarantees: the page Models lists them.",
        ),
        (
            "They will be paid again, because the plan was made with reuse=none.",
            "They will be paid again, because the plan was made to buy owned ground again.",
        ),
        (
            "State what the numbers are with radiometry= (uint8 or percent), such as radiometry=range:0-90.",
            "State what the numbers are in the field Pixel values (uint8 or percent), such as the pixel "
            "values range:0-90.",
        ),
        (
            "Number them from 1 with bands=R,G,B, such as bands=4,3,2.",
            "Number them from 1 in the field Red, green and blue band, such as 4,3,2.",
        ),
        (
            "Name the bands with bands=R,G,B, or send another file.",
            "Name the bands in the field Red, green and blue band, or send another file.",
        ),
        (
            "bands='4' is not three band numbers of 1 to 7. Write bands=R,G,B, such as bands=4,3,2.",
            "'4' is not three band numbers of 1 to 7. Write one for each colour, such as 4,3,2.",
        ),
        ("as asked for (bands=)", "as asked for"),
        (
            "State the meaning of its pixel values with radiometry=.",
            "State the meaning of its pixel values with loupe deliver --radiometry.",
        ),
        (
            "State the bands of the file with bands=R,G,B.",
            "State the bands of the file with loupe deliver --bands R,G,B.",
        ),
        ("The file my_scene.tif is damaged.", "The file my_scene.tif is damaged."),
        ("Send it to /v1/unheard. It is kept.", "It is kept."),
        ("Send it to /v1/unheard.", "Send it to /v1/unheard."),
    ],
)
def test_phrases_of_the_api_become_those_of_a_page(said: str, shown: str) -> None:
    assert plainly(said) == shown


def problem(code: str, **more: object) -> dict[str, object]:
    return {"type": f"/problems/{code}", "title": "Title", "status": 422, "detail": "Detail."} | more


@pytest.mark.parametrize(
    ("pointer", "code", "detail", "title", "said"),
    [
        (
            "/query/text", "string_too_long", "String should have at most 100 characters",
            "The address of the page cannot be read",
            "The filter Name, tag, id or owner: it should have at most 100 characters.",
        ),
        (
            "/body/last_day", "missing", "Field required", "A field of the form cannot be read",
            "The field Last day: it is missing.",
        ),
        (
            "/path/order_id", "uuid_parsing", "This is not an id.", "The address is incomplete",
            "It names no record of this workspace. Open the record from its list.",
        ),
        (
            "/query/surprise", "parameter-unknown", "This address has no such query parameter. It has none.",
            "The address of the page cannot be read",
            "This page has no filter surprise. Remove it from the address, or choose a filter on the page.",
        ),
    ],
)  # fmt: skip
def test_wrong_fields_are_named_as_the_page_labels_them(
    pointer: str, code: str, detail: str, title: str, said: str
) -> None:
    fault = {"pointer": pointer, "code": code, "detail": detail}
    shown = in_words(problem("invalid-request", errors=[fault]))

    assert (shown["title"], shown["detail"]) == (title, said)


def test_second_click_is_told_to_wait() -> None:
    shown = in_words(problem("idempotency-key-in-flight"))

    assert "Idempotency" not in f"{shown['title']} {shown['detail']}"
    assert "nothing is done twice" in shown["detail"]


def test_title_speaks_of_what_was_done_and_not_of_a_request() -> None:
    shown = in_words(problem("invalid-input", title="The request cannot be used"))

    assert shown["title"] == "This cannot be used"
