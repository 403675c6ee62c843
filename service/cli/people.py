"""`loupe people`: who may sign in with the issuer, on the server's database."""

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.connection import AsJson, Commands, UsageError, console, print_json
from service.cli.keys import DEFAULT, ROLES, InWorkspace, full_key_id, opened
from service.cli.operating import read_settings
from service.terminal.keys import PERSON, as_document, people_view

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.access.people_schemas import PersonIn
    from service.access.tables import ApiKey, Workspace

# ruff: noqa: PLC0415  (importing the server's code takes seconds)

people = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Manage people who sign in with the issuer instead of a key (on the server's machine).",
)
PersonId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Id of the person, or its beginning, as `loupe people list` shows it."),
]
Last = Annotated[bool, typer.Option("--last", help="Do it even if no other admin key is in use.")]


@people.command("list")
def print_people(workspace: InWorkspace = DEFAULT, as_json: AsJson = False) -> None:
    """List the people of a workspace, removed people included."""
    from service.access.people import people_of
    from service.access.repository import find_workspace

    with opened() as session:
        rows = people_of(session, find_workspace(session, workspace).id)
        if as_json:
            print_json([as_document(row, PERSON) for row in rows])
        else:
            console().print(people_view(rows))


@people.command("add")
def add(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="Id of the person at the issuer (`sub`); the sign-in page shows it to somebody unknown.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the person. Default: the subject.")
    ] = None,
    role: Annotated[str, typer.Option("--role", help=ROLES)] = "viewer",
    workspace: InWorkspace = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Let a person in, as a holder of their own. One who was removed comes back under the same id."""
    from service.access.people import Person, add_person
    from service.access.repository import find_workspace

    issuer = _issuer()
    wanted = _read(subject, subject if name is None else name, role)
    with opened() as session:
        found = find_workspace(session, workspace)
        row = add_person(session, found, Person(issuer, wanted.subject, wanted.name), wanted.role)
    said = f"{row.name} is in the workspace {workspace} as {row.role}. Id: {row.holder}"
    _print_person(row, said, as_json=as_json)


@people.command("role")
def give_role(
    person_id: PersonId,
    role: Annotated[str, typer.Argument(metavar="ROLE", help=ROLES)],
    last: Last = False,
    workspace: InWorkspace = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give a person another role. Their sessions end, and keys that they made and that may do more."""
    from service.access.issuer import Issuer
    from service.access.people import change_role, check_roles_are_ours
    from service.access.repository import find_workspace

    check_roles_are_ours(Issuer.of(read_settings()))
    wanted = _read(person_id, person_id, role)
    with opened() as session:
        found = find_workspace(session, workspace)
        person_id = _full_person_id(session, found, person_id)
        row = change_role(session, found.id, person_id, wanted.role, None, allow_last=last)
    _print_person(row, f"{row.name} is {row.role} now.", as_json=as_json)


@people.command("remove")
def remove(
    person_id: PersonId, last: Last = False, workspace: InWorkspace = DEFAULT, as_json: AsJson = False
) -> None:
    """End everything of a person: tokens, sessions, and keys that they made. What they did stays."""
    from service.access.people import remove_person
    from service.access.repository import find_workspace

    with opened() as session:
        found = find_workspace(session, workspace)
        person_id = _full_person_id(session, found, person_id)
        row = remove_person(session, found.id, person_id, None, allow_last=last)
    _print_person(row, f"{row.name} is removed.", as_json=as_json)


def _full_person_id(session: "Session", workspace: "Workspace", typed: str) -> str:
    from service.access.people import people_of

    ids = [row.holder for row in people_of(session, workspace.id)]
    return full_key_id(typed, ids, "person", "loupe people list")


def _print_person(row: "ApiKey", said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(as_document(row, PERSON))
    else:
        console().print(said)


def _read(subject: str, name: str, role: str) -> "PersonIn":
    """Read the values of a person; typer.BadParameter for those that cannot be used."""
    from pydantic import ValidationError

    from service.access.people_schemas import PersonIn

    hints = {"subject": "SUBJECT", "name": "--name", "role": "the role"}
    said = {
        "subject": "A subject has 1 to 255 ASCII characters and no blanks.",
        "name": "A name has 1 to 100 characters and no control characters.",
    }
    try:
        return PersonIn.model_validate({"subject": subject, "name": name, "role": role})
    except ValidationError as error:
        (fault, *_) = error.errors()
        field = str(fault["loc"][0])
        raise typer.BadParameter(said.get(field, fault["msg"]), param_hint=hints[field]) from error


def _issuer() -> str:
    issuer = read_settings().oidc_issuer
    if issuer is None:
        raise UsageError("There is no issuer. Set LOUPE_OIDC_ISSUER, here and for the server.")
    return issuer
