"""The reference of a command line, made from its Typer application."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from docs.site.markdown import cell, code, prose, table


def command_pages(app: typer.Typer, name: str) -> str:
    """Return a section for each command of an application, in the order of `--help`."""
    root = typer.main.get_command(app)
    context = root.make_context(name, [], resilient_parsing=True)
    sections = [section(command, context, path) for path, command, context in commands(root, context, name)]
    return "\n".join(sections)


def commands(command: Any, context: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the full name, the command and the context of each command that does something."""
    if not isinstance(command, TyperGroup):
        yield path, command, context
        return
    if command.invoke_without_command:
        yield path, command, context
    for name in command.list_commands(context):
        child = command.commands[name]
        inner = child.make_context(name, [], parent=context, resilient_parsing=True)
        yield from commands(child, inner, f"{path} {name}")


def section(command: Any, context: Any, path: str) -> str:
    """Return heading, help, usage, arguments and options of a command."""
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}", prose(command.help), f"```\n{usage}\n```"]
    records = [(one, one.get_help_record(context)) for one in command.params]
    for title, kind in (("Argument", "argument"), ("Option", "option")):
        rows = [
            (code(argument(one) if kind == "argument" else record[0]), cell(record[1]))
            for one, record in records
            if one.param_type_name == kind and record
        ]
        parts.append(table([title, "Meaning"], rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def argument(parameter: Any) -> str:
    """Return the name of an argument, as the usage writes it."""
    return str(parameter.metavar or parameter.name.upper())
