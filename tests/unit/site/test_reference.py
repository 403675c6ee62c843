"""The generated reference: everything that the code has is on its page."""

import re

import pytest
import typer

from docs.site.command_line import argument, command_pages
from docs.site.operations import document, operations_page, schemas_page
from docs.site.problems import problems_page
from docs.site.settings_page import EXAMPLE, REMOVED, settings_page
from service.cli import app
from service.settings import Settings
from service.web.problem_types import known_types
from tests.support.commands import commands_of
from training.cli import app as training_app

METHODS = {"get", "post", "put", "patch", "delete"}


def sections(page: str, level: int = 2) -> dict[str, str]:
    """Return the text below each heading of a level, by the heading."""
    parts = re.split(rf"^{'#' * level} (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("program", "name"), [(app, "loupe"), (training_app, "loupe-train")])
def test_page_has_every_command_with_its_options_and_arguments(program: typer.Typer, name: str) -> None:
    found = sections(command_pages(program, name))
    known = {f"{name} {words}": command for words, command in commands_of(program).items()}

    assert set(found) == set(known)
    for title, command in known.items():
        names = [one.opts[0] if one.param_type_name == "option" else argument(one) for one in command.params]
        shown = re.findall(r"^\| <code>(.*?)</code> \|", found[title], re.MULTILINE)
        assert [one for one in names if not any(one in entry for entry in shown)] == []


def test_page_has_every_operation_with_its_parameters() -> None:
    found = sections(operations_page(), 3)
    known = {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }

    assert set(found) == set(known)
    for name, operation in known.items():
        assert f"[<code>{name.replace('&', '&amp;')}</code>]" in operations_page()
        missing = [
            one["name"]
            for one in operation.get("parameters", [])
            if f"<code>{one['name']}</code>" not in found[name]
        ]
        assert missing == []


def test_page_has_every_schema_with_its_fields() -> None:
    found = sections(schemas_page())
    known = document()["components"]["schemas"]

    assert set(found) == set(known)
    for name, schema in known.items():
        assert [
            field for field in schema.get("properties", {}) if f"<code>{field}</code>" not in found[name]
        ] == []


def test_page_has_every_setting_and_every_variable_of_the_example() -> None:
    rows = re.findall(r"^\| <code>([A-Z0-9_]+)</code> \|(.*)\|$", settings_page(), re.MULTILINE)
    settings = {f"LOUPE_{name.upper()}" for name in Settings.model_fields if name not in REMOVED}
    variables = set(re.findall(r"^#([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE))

    assert len(rows) == len(dict(rows))
    assert set(dict(rows)) == settings | variables
    assert [name for name, cells in rows if not cells.split("|")[-1].strip()] == []


def test_page_has_every_kind_of_error_with_its_remedy() -> None:
    found = sections(problems_page())

    assert len(found) > 100
    assert set(found) == set(known_types())
