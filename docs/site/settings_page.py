"""The reference of the settings, made from their classes and from `.env.example`."""

import re
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.site.markdown import cell, code, table
from service.capacity import Capacity
from service.settings import Settings
from service.signing_in import SigningIn

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
TITLES = ("Variable", "Values", "Default", "Meaning")
INTRODUCTION = """# Settings

A setting is an environment variable, a line of the file `.env` in the folder in which the server starts, or
a file in `/run/secrets` that has its name in small letters. The first of the three that has it counts.
Wrong values stop the start, with a sentence about each.
"""
GROUPS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Capacity", Capacity),
    ("Sign-in at an issuer", SigningIn),
    ("Server", Settings),
)
REMOVED = {"bundle"}
"""Settings that stop the start, because another one has taken their place."""


def settings_page() -> str:
    """Return the page of every setting, and of the variables that other programs read."""
    parts, seen = [INTRODUCTION], set(REMOVED)
    sections = []
    for title, group in GROUPS:
        fields = {name: field for name, field in group.model_fields.items() if name not in seen}
        seen |= set(fields)
        sections.append(f"## {title}\n\n" + table(TITLES, [_row(*one) for one in fields.items()]))
    parts += reversed(sections)
    rows = [(code(name), "", code(default), cell(words)) for name, (default, words) in others().items()]
    parts.append("## Commands, demo and Docker Compose\n\n" + table(TITLES, rows))
    return "\n".join(parts)


def others() -> dict[str, tuple[str, str]]:
    """Return default and comment of each variable in `.env.example` that is not one of the classes."""
    own = {f"LOUPE_{name.upper()}" for name in Settings.model_fields}
    return {name: found for name, found in examples().items() if name not in own}


def examples() -> dict[str, tuple[str, str]]:
    """Return default and comment of each variable in `.env.example`."""
    found: dict[str, tuple[str, str]] = {}
    comment: list[str] = []
    below = False
    for line in EXAMPLE.read_text().splitlines():
        if variable := re.match(r"#([A-Z0-9_]+)=(.*)", line):
            found[variable[1]] = (variable[2], " ".join(comment))
            below = True
        elif line.startswith("# "):
            comment = [*([] if below else comment), line.removeprefix("# ")]
            below = False
        else:
            comment = []
    return found


def _row(name: str, field: FieldInfo) -> tuple[str, ...]:
    shown = examples().get(f"LOUPE_{name.upper()}", ("", ""))[0]
    return code(f"LOUPE_{name.upper()}"), _values(field), code(shown), cell(field.description)


def _values(field: FieldInfo) -> str:
    """Return the choices, or the bounds of a number, that a field admits."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(code(str(one)) for one in get_args(field.annotation))
    if field.annotation is bool:
        return "<code>true</code>, <code>false</code>"
    signs = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    bounds = [(name, getattr(one, name, None)) for one in field.metadata for name in signs]
    return " ".join(f"{signs[name]} {bound:,}" for name, bound in bounds if bound is not None)
