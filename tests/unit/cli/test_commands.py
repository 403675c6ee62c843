"""The help of every command."""

from typing import get_args

import pytest

from service.cli.connection import Radiometry
from service.cli.plan_options import ObjectiveChoice
from service.imagery.encodings import RADIOMETRIES
from service.version import code_version
from tests.support.command_line import loupe
from tests.support.commands import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_help_and_is_listed_in_the_overview(command: str) -> None:
    overview = loupe("--help").stdout
    done = loupe(*command.split(), "--help")

    assert command.split(maxsplit=1)[0] in overview
    assert done.exit_code == 0
    assert f"{command} [OPTIONS]" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_command_and_parameters_is_made_of_sentences(command: str) -> None:
    found = COMMANDS[command]
    texts = [found.help, *(getattr(parameter, "help", None) for parameter in found.params)]

    assert [text for text in texts if not is_copy(text)] == []


def test_version_is_printed() -> None:
    done = loupe("--version")

    assert (done.exit_code, done.stdout) == (0, f"loupe {code_version()}\n")


def is_copy(text: str | None) -> bool:
    """Return whether a text begins with a capital letter and ends with a full stop."""
    words = (text or "").strip()
    return words[:1].isupper() and words.endswith(".")


def test_radiometry_option_lists_every_name() -> None:
    option = get_args(Radiometry)[1]

    assert [name for name in RADIOMETRIES if name not in option.help] == []


def test_objective_option_lists_every_objective() -> None:
    (option,) = (one for one in COMMANDS["plan"].params if one.name == "objective")

    assert [kind for kind in ObjectiveChoice if kind not in getattr(option, "help", "")] == []
