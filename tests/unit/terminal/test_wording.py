"""Errors in the words of the commands: no sentence keeps an address or a parameter of the API."""

import re

import pytest

import service.app  # noqa: F401  (it knows every error)
from service.terminal.phrases import CODES
from service.terminal.wording import in_words, plainly
from service.web.problem_types import known_types
from tests.support.sentences import sentences

ELSEWHERE = {"cli", "terminal", "dashboard", "description.py", "openapi.py", "remedies.py"}
"""Packages and modules whose sentences no command shows."""
OF_THE_API = re.compile(
    r"/v1/|Idempotency-Key|Authorization|\b(?:GET|POST|PUT|PATCH|DELETE) /|\b(?:accept|allow)_[a-z]+"
    r"|\b(?:bands|radiometry|reuse|guarantee)=|`[a-z]+_[a-z_]+`|`(?:budget|radiometry|measured|random|expected)`|\b(?:max_cost|max_patches|approval_above)\b"
)
OWN_SENTENCE = {code for code in CODES if code.startswith("idempotency")}
"""Errors that a command replaces as a whole."""


def test_no_sentence_keeps_words_of_the_api_in_a_command() -> None:
    found = set(sentences(ELSEWHERE))
    kept = {text: plainly(text) for text in found}

    assert len(found) > 300
    assert sum(bool(OF_THE_API.search(text)) for text in found) > 30
    assert {said for said in kept.values() if OF_THE_API.search(said)} == {  # errors of CODES
        "Send an Idempotency-Key header; this request spends money.",
        "Send a valid API key in the header 'Authorization: Bearer KEY'.",
    }
    assert {text: said for text, said in kept.items() if text.endswith(".") > said.endswith(".")} == {}


def test_no_title_of_an_error_keeps_words_of_the_api() -> None:
    titles = {
        code: in_words({"type": f"/problems/{code}", "title": kind.title})[0]
        for code, kind in known_types().items()
    }

    assert len(titles) > 100
    assert {code: title for code, title in titles.items() if OF_THE_API.search(title)} == {}
    assert set(CODES) <= set(titles)
    assert {code for code in titles if code.startswith("idempotency")} == OWN_SENTENCE


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "The plan's prices applied until 2 Nov. Plan the scene again with POST /v1/plans/7f/replan.",
            "The plan's prices applied until 2 Nov. Plan the scene again with `loupe replan 7f`.",
        ),
        (
            "This workspace has no price list 'x'. GET /v1/price-lists lists those it has.",
            "This workspace has no price list 'x'. `loupe prices list` shows those it has.",
        ),
        (
            "No budget is in USD. Open one with POST /v1/budgets.",
            "No budget is in USD. Open one with `loupe budget create NAME AMOUNT CURRENCY`.",
        ),
        (
            "Deliver them, or classify with those that were: send allow_partial=true (`loupe classify ORDER "
            "--allow-partial`).",
            "Deliver them, or classify with those that were: use `loupe classify ORDER --allow-partial`.",
        ),
        (
            "Re-plan with POST /v1/plans/7f/replan (`loupe replan 7f`). To pay, re-plan with reuse=none.",
            "Re-plan with `loupe replan 7f`. To pay, re-plan with --reuse none.",
        ),
        ("Write bands=R,G,B, such as bands=4,3,2.", "Write --bands R,G,B, such as --bands 4,3,2."),
        ("Send it to /v1/unheard. It is kept.", "It is kept."),
        ("Send it to /v1/unheard.", "Send it to /v1/unheard."),
        ("The file my_scene.tif is damaged.", "The file my_scene.tif is damaged."),
    ],
)
def test_phrases_of_the_api_become_those_of_a_command(said: str, shown: str) -> None:
    assert plainly(said) == shown


def test_title_speaks_of_what_was_done_and_not_of_a_request() -> None:
    shown = in_words(
        {"type": "/problems/invalid-input", "title": "The request cannot be used", "detail": "A."}
    )

    assert shown == ("This cannot be used", "A.")


def test_unknown_address_is_taken_for_another_version() -> None:
    title, detail = in_words(
        {"type": "/problems/no-such-route", "title": "Nothing", "detail": "GET / lists."}
    )

    assert title == "This server does not know the command"
    assert "--version" in detail
