"""Try the API against its OpenAPI document: `make prove-api`, or `python -m tests.contract --role buyer`.

Schemathesis makes requests that obey the document and requests that do not, and follows links between them,
as each role. Exit status 1 when an answer is not the documented one.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from service.access.roles import Role
from tests.contract.running import UNLIMITED, Extent, check_as, make_things
from tests.support.bundles import write_bundle
from tests.support.server import running_server


def main() -> int:
    """Run schemathesis as each role, print what it found, and return the exit status."""
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    extent = Extent(
        phases="examples,coverage,fuzzing,stateful",
        examples=options.examples,
        seed=options.seed,
        operations=tuple(options.operation or ()),
    )
    failed = 0
    with (
        TemporaryDirectory() as folder,
        running_server(write_bundle(Path(folder) / "tiny"), None, **UNLIMITED) as server,
    ):
        with server.client() as client:
            things = make_things(client)
        for role in options.role or list(Role):
            begun = time.monotonic()
            found = check_as(server, role, extent, things)
            failed += not found.passed
            if not found.passed:
                console.print(Text(found.output))
            verdict = "nothing found" if found.passed else "failures, see above"
            console.print(f"{role}: {verdict}, {tried(found.output)}, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def tried(output: str) -> str:
    """Return the line of schemathesis that counts its requests."""
    lines = [line.strip() for line in output.splitlines()]
    return next((line for line in lines if " generated" in line), "no request counted")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=50, help="Examples of an operation. Default: 50.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of schemathesis. Default: 1.")
    parser.add_argument("--operation", action="append", help="Only this operation id; may be repeated.")
    parser.add_argument(
        "--role", type=Role, choices=list(Role), action="append", help="Only this role; may be repeated."
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
