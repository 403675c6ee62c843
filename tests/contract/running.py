"""A run of schemathesis against a server, as one role, on things that exist."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loupe import Client, Money
from service.access.roles import Role
from tests.support.bundles import make_geotiff
from tests.support.server import ROOT, ServerProcess

UNLIMITED = {f"LOUPE_REQUESTS_PER_{subject}": "1000000000" for subject in ("KEY", "WORKSPACE", "STRANGER")}
"""Settings of a server whose quotas do not end a run."""
REFUSED_FOR_ITS_MEANING = ["2xx", 401, 402, 403, 404, 409, 410, 412, 413, 415, 422, 429, 503, 507]
"""Statuses with which a request of the right form may be answered; 400 is for the wrong form."""
REFUSED_FOR_ITS_FORM = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 503]
"""Statuses with which a request of the wrong form may be answered.

413 is for a body that is too large as well, and 503 is that of a busy server.
"""
Things = Mapping[str, Sequence[str | int]]
"""Values that exist, by the name of their parameter in paths."""
WITH_SOURCES = ("examples", "coverage", "fuzzing")
"""Phases of schemathesis that take values from earlier answers."""
EXISTING = 0.5
"""Share of the ids that are those of things that exist."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much a run tries: phases of schemathesis, and examples for each operation."""

    phases: str
    examples: int
    seed: int
    operations: tuple[str, ...] = ()
    """Ids of the operations that are tried; none: all of them."""


SHORT = Extent(phases="examples,fuzzing", examples=1, seed=1)


@dataclass(frozen=True)
class Finding:
    """The result of a run as a role: nothing was found, or what schemathesis prints."""

    role: Role
    passed: bool
    output: str


def make_things(client: Client) -> Things:
    """Plan and order, and have the document made; return the ids by the name of their parameter."""
    client.get("/openapi.json")  # the first time takes longer than schemathesis waits on a busy machine
    budget = client.create_budget("contract", Money.of("1000.00", "USD")).document
    plan = client.plan(make_geotiff(), max_patches=2).document
    order = client.order(plan["id"], budget["id"]).document
    again = client.plan(make_geotiff(), max_patches=1).document
    job = client.plan_later(make_geotiff(), max_patches=1).document
    prices = client.get("/v1/price-lists")["items"][0]
    place = order["patches"]["awaited"][0]
    return {
        "budget_id": [budget["id"]],
        "plan_id": [plan["id"], again["id"]],
        "order_id": [order["id"]],
        "job_id": [job["id"]],
        "price_list_id": [prices["id"]],
        "bundle": ["tiny"],
        "tile": [place["tile"]],
        "patch": [place["patch"]],
        "transfer": [1],
    }


def key_of(client: Client, role: Role) -> str:
    """Make a key of a role."""
    return str(client.post("/v1/keys", {"name": f"contract-{role}", "role": role})["key"])


def check_as(server: ServerProcess, role: Role, extent: Extent, things: Things) -> Finding:
    """Run schemathesis as a role, with all checks; its key must still be valid afterwards."""
    with server.client() as admin:
        key = key_of(admin, role)
    with TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(configuration(things))
        done = subprocess.run(
            [*command(server.url, key, extent)],
            cwd=folder,
            env=server.environment | {"COLUMNS": "110"},
            capture_output=True,
            text=True,
            check=False,
        )
    with server.client(key) as client:  # else the rest of the run tried nothing
        client.get("/v1/me")
    return Finding(role, done.returncode == 0, done.stdout + done.stderr)


def command(url: str, key: str, extent: Extent) -> list[str]:
    """Return the command line."""
    return [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {key}", "--checks", "all", "--phases", extent.phases,
        "--max-examples", str(extent.examples), "--seed", str(extent.seed), "--no-shrink",
        "--continue-on-failure", "--warnings", "off", "--request-timeout", "120",
        *(part for name in extent.operations for part in ("--include-operation-id", name)),
    ]  # fmt: skip


def configuration(things: Things) -> str:
    """Return the configuration: our check, what acceptance means, and ids of things that exist."""
    lines = [
        f"hooks = {json.dumps(str(ROOT / 'tests' / 'contract' / 'hooks.py'))}",
        "[checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps(REFUSED_FOR_ITS_MEANING)}",
        "[checks.negative_data_rejection]",
        f"expected-statuses = {json.dumps(REFUSED_FOR_ITS_FORM)}",
    ]
    for name, values in things.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = {EXISTING} }}' for name in things]
    for operation in ("rotate_api_key", "revoke_api_key"):  # with ids from answers: the run's own key
        lines += ["[[operations]]", f'include-operation-id = "{operation}"']
        lines += [f"phases.{phase}.extra-data-sources.responses = false" for phase in WITH_SOURCES]
        lines += ["phases.stateful.enabled = false"]
    return "\n".join(lines) + "\n"
